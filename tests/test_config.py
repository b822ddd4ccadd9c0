"""The paper's counts follow from the numbers in config.py."""

from __future__ import annotations

import pkgutil
import re
import typing
from pathlib import Path

from fnormal import config
from fnormal.options import training


def test_counts_of_section_4_2() -> None:
    sizes = {name: s.samples for name, s in config.SCAN_SETS.items()}
    assert sizes == {"ict3drfe": 8625, "bjut3d": 3000, "florence": 530}
    assert config.SCAN_SETS["ict3drfe"].scans == 345
    assert config.PHOTOFACE_TRAIN_SUBJECTS + config.PHOTOFACE_TEST_SUBJECTS == 453


def test_five_skips_of_section_4_1() -> None:
    assert config.ARCHS["paper"].skips == (256, 128, 64, 64, 64)
    for arch in config.ARCHS.values():
        upsampled = (arch.latent_up, *arch.normal_decoder[:4])
        assert all(skip <= width for skip, width in zip(arch.skips, upsampled, strict=True))


def test_command_line_offers_what_config_knows() -> None:
    assert set(typing.get_args(training.Arch)) == set(config.ARCHS)
    assert set(typing.get_args(training.Ablation)) == set(config.ABLATIONS)


def test_paper_md_names_symbols_that_exist() -> None:
    """Every symbol and test of the table is there."""
    text = (Path(__file__).parents[1] / "docs" / "paper.md").read_text()
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("*.py"))
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) > 20
    for row in rows:
        symbols = [name for name in re.findall(r"`([a-zA-Z_.]+)", row[3]) if "." in name]
        assert symbols, row
        for name in symbols:
            module, _, attribute = name.rpartition(".")
            pkgutil.resolve_name(f"fnormal.{module}.{attribute}")
        for name in re.findall(r"test_\w+(?!\.py)\b", row[4].replace(".py", " ")):
            assert f"def {name}(" in tests or (Path(__file__).parent / f"{name}.py").exists(), name
