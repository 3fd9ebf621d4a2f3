"""The table of families compares like with like."""

from __future__ import annotations

import json

import pytest

from foresail_models import compare


def report(name, wql, sha256="a", protocol="p"):
    cell = {"relative_mase": {"model": wql + 0.1}, "relative_wql": {"model": wql}, "coverage": {"0.9": 0.9}}
    aggregate = {group: {"15": cell, "60": cell} for group in ("traces", "panels")}
    return {"model": name, "sha256": sha256, "protocol": protocol, "aggregate": aggregate}


@pytest.fixture
def runs(tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name / "out").mkdir(parents=True)
        run = {"sha256": "a", "parameters": 1234, "cpu_s": 90.0, "best": {"score": 0.5}, "history": [{"step": 7}]}
        (tmp_path / name / "out" / "training.json").write_text(json.dumps(run))
    return tmp_path


def test_best_first_and_bold(runs):
    lines = compare.table([compare.row(report(n, w), runs) for n, w in (("bad", 0.4), ("good", 0.3))]).splitlines()
    assert lines[2].startswith("| good | 1,234 | 7 | 1.5 | **0.400** / **0.300** (0.900) |")
    assert "**" not in lines[3]


def test_unlike_reports_are_refused(runs):
    rows = [compare.row(report("good", 0.3), runs), compare.row(report("bad", 0.3, protocol="q"), runs)]
    with pytest.raises(ValueError, match="protocols"):
        compare.table(rows)
    with pytest.raises(ValueError, match="another file"):
        compare.row(report("good", 0.3, sha256="b"), runs)
    with pytest.raises(ValueError, match="no such run"):
        compare.row(report("absent", 0.3), runs)
