"""Scores an ONNX file: `python -m foresail_models.evaluate --model … --data … --json …`.

Rolling origin at every step of the last 30 % of each series; nothing after an origin is
seen. Needs no PyTorch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from . import baselines, contract, golden, metrics, traces, windows

HORIZONS_MIN = (15, 60)
TEST_SHARE = 0.3
# What enters the aggregate.
COARSEST_STEP_S = 300
FEWEST_DAYS = 14
CHUNK = 256
TAIL_LEVELS = (0.9, 0.95, 0.99)
ERROR_BASELINE = "seasonal_naive"


def forecast(session: ort.InferenceSession, values: np.ndarray, origins: np.ndarray, step_s: int) -> np.ndarray:
    """Quantiles [origins, HORIZON, levels] in the unit of `values`."""
    last = np.full(origins.size, values.size - 1)
    lags = np.tile(np.array(contract.season_lags_steps(step_s)), (origins.size, 1))
    parts = []
    for at in range(0, origins.size, CHUNK):
        part = slice(at, at + CHUNK)
        cut = windows.cut(values, np.zeros_like(last[part]), last[part], origins[part], lags[part])
        parts.append(session.run([contract.OUTPUT_QUANTILES], cut.inputs())[0])
    return np.concatenate(parts)


def score_trace(session: ort.InferenceSession, trace: traces.Trace, every: int = 1) -> dict[str, Any]:
    """Scores of one series per horizon at every `every`-th origin, or {'skipped': reason}."""
    values = trace.values
    split = int(values.size * (1 - TEST_SHARE))
    day = round(86400 / trace.step_s)
    leads = {m: max(1, round(m * 60 / trace.step_s)) for m in HORIZONS_MIN}
    usable = {m: lead for m, lead in leads.items() if m * 60 >= trace.step_s and lead <= contract.HORIZON}
    entry: dict[str, Any] = {"name": trace.name, "group": trace.group, "step_s": trace.step_s, "days": round(trace.days, 2)}
    if not usable:
        return entry | {"skipped": f"a step of {trace.step_s} s does not fit horizons of {HORIZONS_MIN} min"}
    if split <= 2 * day:
        return entry | {"skipped": f"{trace.days:.2f} days: no two days of training part"}
    if np.ptp(values[split:]) == 0 or np.ptp(values[:split]) == 0:
        return entry | {"skipped": "constant: nothing to forecast"}
    training = values[:split].astype(np.float64)
    season_name, season = baselines.best_season(training, day)
    origins = np.arange(split - 1, values.size - 1, every)
    quantiles = forecast(session, values, origins, trace.step_s).astype(np.float64)
    if not np.isfinite(quantiles).all():
        raise ValueError(f"{trace.name}: the model answered with a non-finite quantile")
    entry |= {"season": season_name, "origins": int(origins.size), "horizons": {}}
    contenders = [baselines.Baseline(ERROR_BASELINE, season), baselines.Baseline("persistence", None)]
    top = np.quantile(training, 0.9)
    scale = metrics.seasonal_scale(training, season)
    for minutes, lead in usable.items():
        kept = origins[origins + lead < values.size]
        y = values[kept + lead].astype(np.float64)
        rows: dict[str, Any] = {}
        # Load is not negative; the operator cuts there as well.
        ours = quantiles[: kept.size, lead - 1]
        ours = np.maximum(ours, 0) if values[:split].min() >= 0 else ours
        rows["model"] = _scores(y, ours, scale, top)
        for contender in contenders:
            point = contender.forecast(values, kept + lead, lead).astype(np.float64)
            offsets = contender.error_quantiles(training, lead, contract.QUANTILE_LEVELS)
            banded = point[:, None] + offsets
            banded = np.maximum(banded, 0) if values[:split].min() >= 0 else banded
            row = _scores(y, banded, scale, top)
            # As a point forecast it is scored by its point: MAE is the CRPS of a point.
            row |= {"mase": metrics.mase(y, point, scale), "wql_point": metrics.wape(y, point)}
            rows[contender.name] = row
        entry["horizons"][str(minutes)] = rows
    return entry


def _scores(y: np.ndarray, quantiles: np.ndarray, mase_scale: float, top: float) -> dict[str, float]:
    levels = contract.QUANTILE_LEVELS
    median = quantiles[:, contract.MEDIAN]
    busy = y >= top
    result = {
        "mase": metrics.mase(y, median, mase_scale),
        "wql": metrics.wql(y, quantiles, levels),
        "wape": metrics.wape(y, median),
        "bias": float(np.mean(median - y) / max(float(np.mean(np.abs(y))), 1e-12)),
    }
    for level in TAIL_LEVELS:
        q = quantiles[:, levels.index(level)]
        result[f"pinball_{level}"] = metrics.pinball(y, q, level)
        result[f"coverage_{level}"] = metrics.coverage(y, q)
        if busy.any():
            result[f"coverage_busy_{level}"] = metrics.coverage(y[busy], q[busy])
    return result


def aggregate(entries: list[dict[str, Any]], minutes: int) -> dict[str, Any]:
    """Geometric means of the ratios over series, and mean coverages."""
    rows = [e["horizons"][str(minutes)] for e in entries if str(minutes) in e.get("horizons", {})]

    def relative(who: str, metric: str, base: str) -> float:
        pairs = [(r[who][metric], r[ERROR_BASELINE][base]) for r in rows]
        return metrics.geometric_mean([a / b for a, b in pairs if a > 0 and b > 0 and np.isfinite(a / b)])

    result: dict[str, Any] = {"series": len(rows)}
    if not rows:
        return result
    result["relative_mase"] = {who: relative(who, "mase", "mase") for who in ("model", "persistence")}
    # CRPS of point forecasts, and of the same with quantiles of their own errors.
    result["relative_wql"] = {
        "model": relative("model", "wql", "wql_point"),
        "persistence": relative("persistence", "wql_point", "wql_point"),
        "seasonal_naive_with_error_quantiles": relative(ERROR_BASELINE, "wql", "wql_point"),
        "persistence_with_error_quantiles": relative("persistence", "wql", "wql_point"),
    }
    result["coverage"] = {
        str(level): float(np.mean([r["model"][f"coverage_{level}"] for r in rows])) for level in TAIL_LEVELS
    }
    result["coverage_busy"] = {
        str(level): float(np.mean([r["model"][k] for r in rows if (k := f"coverage_busy_{level}") in r["model"]]))
        for level in TAIL_LEVELS
    }
    banded = [min(r[ERROR_BASELINE]["wql"], r["persistence"]["wql"]) for r in rows]
    points = [min(r[ERROR_BASELINE]["wql_point"], r["persistence"]["wql_point"]) for r in rows]
    result["beats_both_points"] = int(sum(r["model"]["wql"] < b for r, b in zip(rows, points)))
    result["beats_both_with_error_quantiles"] = int(sum(r["model"]["wql"] < b for r, b in zip(rows, banded)))
    return result


def evaluate(model: Path, folder: Path, progress: bool = False, every: int = 1) -> dict[str, Any]:
    """The whole report as plain data. `every` > 1 thins the origins, alike for the model and the baselines."""
    session = golden.session(model, threads=min(2, os.cpu_count() or 1))
    entries = []
    series = traces.load(folder)
    for number, trace in enumerate(series, 1):
        entries.append(score_trace(session, trace, every))
        if progress:
            print(f"\r{number}/{len(series)} {trace.name:<40}", end="", file=sys.stderr, flush=True)
    scored = [e for e in entries if "skipped" not in e]
    main_set = [e for e in scored if e["step_s"] <= COARSEST_STEP_S and e["days"] >= FEWEST_DAYS]
    groups = {
        "traces": [e for e in main_set if e["group"] == "traces"],
        "panels": [e for e in main_set if e["group"] == "panels"],
        "other_steps_or_spans": [e for e in scored if e not in main_set],
    }
    return {
        "model": session.get_modelmeta().custom_metadata_map.get("foresail.name", model.stem),
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "protocol": f"direct forecast at the lead time, at {'every step' if every == 1 else f'one step in {every}'} of the "
        "last 30 % of a series; ratios to seasonal "
        "naive (day, or week where better on the training part) as geometric means over series; the "
        "aggregate takes steps of at most 5 min and spans of at least 14 days",
        "aggregate": {
            name: {str(minutes): aggregate(group, minutes) for minutes in HORIZONS_MIN} for name, group in groups.items()
        },
        "skipped": {e["name"]: e["skipped"] for e in entries if "skipped" in e},
        "series": scored,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json and CSV traces")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--every", type=int, default=1, help="score one origin in so many; a prime keeps all hours of the day")
    arguments = parser.parse_args()
    try:
        if arguments.every < 1:
            raise ValueError(f"--every {arguments.every}: at least 1")
        report = evaluate(arguments.model, arguments.data, sys.stderr.isatty(), arguments.every)
    except (ValueError, OSError) as error:
        sys.exit(f"evaluate: {error}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(table(report))


def table(report: dict[str, Any]) -> str:
    """The aggregate as Markdown."""
    lines = [
        "| series | horizon | n | MASE: model | persistence | WQL: model | persistence | seasonal naive + its error quantiles "
        "| persistence + its error quantiles | coverage 0.9 / 0.95 / 0.99 | best on |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for group, by_horizon in report["aggregate"].items():
        for minutes, a in by_horizon.items():
            if not a["series"]:
                continue
            w, m = a["relative_wql"], a["relative_mase"]
            covered = " / ".join(f"{a['coverage'][str(level)]:.3f}" for level in TAIL_LEVELS)
            lines.append(
                f"| {group.replace('_', ' ')} | {minutes} min | {a['series']} | **{m['model']:.3f}** | {m['persistence']:.3f} "
                f"| **{w['model']:.3f}** | {w['persistence']:.3f} | {w['seasonal_naive_with_error_quantiles']:.3f} "
                f"| {w['persistence_with_error_quantiles']:.3f} | {covered} "
                f"| {a['beats_both_with_error_quantiles']}/{a['series']} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
