#!/bin/sh
# Print the path of a public-domain portrait (NASA, Eileen Collins) inside the scikit-image wheel.
set -eu
exec "${1:-python3}" -c '
import importlib.util, pathlib
places = importlib.util.find_spec("skimage").submodule_search_locations
print(pathlib.Path(places[0]) / "data" / "astronaut.png")'
