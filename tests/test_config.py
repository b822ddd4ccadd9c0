"""The paper's counts follow from the numbers in config.py."""

from __future__ import annotations

import typing

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
