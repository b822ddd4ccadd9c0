"""`fnormal doctor`: all is well, or a remedy and exit 1."""

from __future__ import annotations

import json

import pytest

from tests.helpers import run


def test_doctor_finds_what_the_tests_need() -> None:
    code, stdout, _ = run("doctor", "--json")
    findings = {line["name"]: line for line in map(json.loads, stdout.splitlines())}
    assert code == 0, stdout
    for name in ("soft renderer", "landmark model", "dlib", "torch", "opencv", "hdf5"):
        assert findings[name]["works"], findings[name]
    assert all(line["remedy"] for line in findings.values() if not line["works"])


def test_doctor_names_a_remedy_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FNORMAL_LANDMARKS", "/nowhere/model.dat")
    code, stdout, _ = run("doctor")
    assert code == 1
    line = next(line for line in stdout.splitlines() if "landmark model" in line)
    assert line.startswith("MISSING")
    assert "libdlib-data" in line
