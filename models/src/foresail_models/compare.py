"""The table by which a family is chosen: `python -m foresail_models.compare --scores runs/scores-*.json --runs runs …`.

Reads reports of `evaluate` and the log of each run; measures nothing itself. Needs no PyTorch.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

# Groups and horizons of the table: the aggregate of the scoring protocol.
CELLS = [(group, minutes) for group in ("traces", "panels") for minutes in ("15", "60")]


def row(report: dict[str, Any], runs: Path) -> dict[str, Any]:
    """One model; raises ValueError when the run's file is not the one that was scored."""
    name = report["model"]
    path = runs / name / "out" / "training.json"
    if not path.is_file():
        raise ValueError(f"{path}: no such run")
    run = json.loads(path.read_text())
    if run["sha256"] != report["sha256"]:
        raise ValueError(f"{path}: describes another file than the one that was scored as {report['model']}")
    last = run["history"][-1] if "history" in run else {}
    return {
        "name": name,
        "parameters": run["parameters"],
        "steps": last.get("step"),
        "cpu_minutes": run["cpu_s"] / 60,
        "protocol": report["protocol"],
        "cells": {cell: _cell(report, *cell) for cell in CELLS},
    }


def _cell(report: dict[str, Any], group: str, minutes: str) -> tuple[float, float, float]:
    """(relative MASE, relative WQL, coverage of 0.9)."""
    found = report["aggregate"][group][minutes]
    return found["relative_mase"]["model"], found["relative_wql"]["model"], found["coverage"]["0.9"]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown, best mean WQL first; the lowest of each column is bold.

    Raises ValueError when the rows were not scored alike.
    """
    if len({r["protocol"] for r in rows}) != 1:
        raise ValueError("the reports were made with different protocols and cannot stand in one table")
    rows = sorted(rows, key=lambda r: sum(wql for _, wql, _ in r["cells"].values()))
    lowest = {cell: tuple(min(r["cells"][cell][i] for r in rows) for i in (0, 1)) for cell in CELLS}

    def shown(r: dict[str, Any], cell: tuple[str, str]) -> str:
        text = [f"**{v:.3f}**" if v == low else f"{v:.3f}" for v, low in zip(r["cells"][cell], lowest[cell])]
        return f"{' / '.join(text)} ({r['cells'][cell][2]:.3f})"

    lines = [
        f"| model | parameters | steps | CPU min | {' | '.join(f'{g}, {m} min' for g, m in CELLS)} |",
        "|---|---|---|---|" + "---|" * len(CELLS),
    ]
    lines += [
        f"| {r['name']} | {r['parameters']:,} | {r['steps'] or '-'} | {r['cpu_minutes']:.1f} "
        f"| {' | '.join(shown(r, cell) for cell in CELLS)} |"
        for r in rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="reports of evaluate --json")
    parser.add_argument("--runs", type=Path, required=True, help="folder with one run per model")
    arguments = parser.parse_args()
    try:
        print(table([row(json.loads(path.read_text()), arguments.runs) for path in arguments.scores]))
    except (ValueError, OSError) as error:
        sys.exit(f"compare: {error}")


if __name__ == "__main__":
    main()
