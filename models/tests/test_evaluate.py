"""Scoring a folder of traces from end to end, on generated ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from foresail_models import baselines, contract, evaluate, traces

DAY = 288  # steps of 5 min


def write_series(folder, name, values, step_s):
    lines = ["timestamp,value", *(f"{i * step_s},{v}" for i, v in enumerate(values))]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return {"name": name, "file": f"{name}.csv", "interval_seconds": step_s}


@pytest.fixture
def folder(tmp_path, rng):
    hours = np.arange(15 * DAY) / 12
    daily = np.round(100 + 60 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 3, hours.size), 2)
    series = [
        write_series(tmp_path, "daily", daily, 300),
        write_series(tmp_path, "short", daily[: 4 * DAY], 300),
        write_series(tmp_path, "monthly", daily[:144], 2629800),
        write_series(tmp_path, "two_hours", daily[:360], 20),
        write_series(tmp_path, "constant", np.full(15 * DAY, 7), 300),
    ]
    wide = "timestamp,a,b\n" + "\n".join(f"{i * 300},{v},{2 * v}" for i, v in enumerate(daily)) + "\n"
    (tmp_path / "panel.csv").write_text(wide)
    panels = [{"name": "panel", "file": "panel.csv", "interval_seconds": 300}]
    (tmp_path / "manifest.json").write_text(json.dumps({"series": series, "panels": panels}))
    return tmp_path


def test_report(model_path, folder, card):
    report = evaluate.evaluate(model_path, folder)
    assert report["sha256"] == card["sha256"]
    assert set(report["skipped"]) == {"monthly", "two_hours", "constant"}
    groups = report["aggregate"]
    assert groups["traces"]["15"]["series"] == 1
    assert groups["panels"]["60"]["series"] == 2
    assert groups["other_steps_or_spans"]["15"]["series"] == 1, "four days are scored apart"
    daily = next(e for e in report["series"] if e["name"] == "daily")
    assert daily["origins"] == 15 * DAY - int(15 * DAY * 0.7)
    rows = daily["horizons"]["60"]
    assert rows["model"]["wql"] < rows["persistence"]["wql_point"]
    # The same shape twice as large has the same relative scores.
    a, b = (next(e for e in report["series"] if e["name"] == f"panel/{c}")["horizons"]["60"]["model"] for c in "ab")
    assert a["wql"] == pytest.approx(b["wql"], rel=1e-3)
    assert "| traces | 15 min | 1 |" in evaluate.table(report)


def test_thinned_origins_are_scored_like_all(model_path, folder):
    reports = [evaluate.evaluate(model_path, folder, every=n) for n in (1, 7)]
    assert "every step" in reports[0]["protocol"] and "one step in 7" in reports[1]["protocol"]
    whole, thin = (next(e for e in report["series"] if e["name"] == "daily") for report in reports)
    assert thin["origins"] == -(-whole["origins"] // 7)
    a, b = (e["horizons"]["60"]["model"]["wql"] for e in (whole, thin))
    assert b == pytest.approx(a, rel=0.2)


def test_forecasts_do_not_see_the_future(session, folder):
    values = next(t for t in traces.load(folder) if t.name == "daily").values
    origins = np.array([3000, 3500])
    changed = values.copy()
    changed[3501:] = 1e6
    a, b = (evaluate.forecast(session, v, origins, 300) for v in (values, changed))
    np.testing.assert_array_equal(a, b)
    assert a.shape == (2, contract.HORIZON, len(contract.QUANTILE_LEVELS))


def test_aggregate_by_hand():
    def entry(model, naive):
        tails = {f"{k}_{q}": 0.9 for k in ("coverage", "coverage_busy", "pinball") for q in evaluate.TAIL_LEVELS}
        row = {"mase": model, "wql": model, **tails}
        base = {"mase": naive, "wql": naive, "wql_point": naive, **tails}
        return {"horizons": {"15": {"model": row, "seasonal_naive": base, "persistence": base}}}

    result = evaluate.aggregate([entry(1.0, 2.0), entry(1.0, 8.0)], 15)
    assert result["relative_wql"]["model"] == pytest.approx(0.25)  # sqrt(1/2 * 1/8)
    assert result["relative_wql"]["persistence"] == pytest.approx(1)
    assert result["beats_both_points"] == 2
    assert evaluate.aggregate([], 15) == {"series": 0}


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match="manifest"):
        traces.load(tmp_path)
    (tmp_path / "x.csv").write_text("timestamp,value\n0,one\n")
    (tmp_path / "manifest.json").write_text(
        json.dumps({"series": [{"name": "x", "file": "x.csv", "interval_seconds": 300}]})
    )
    with pytest.raises(ValueError, match=r"x\.csv"):
        traces.load(tmp_path)


def test_baseline_points_in_the_evaluation_know_nothing_newer_than_the_origin():
    for lead in range(1, 64):
        for season in (None, 7, 24, 288):
            assert baselines.Baseline("b", season).lag(lead) >= lead
