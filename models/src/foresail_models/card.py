"""Publishes a trained file: model, golden vectors, card for people and card for machines.

`python -m foresail_models.card --run … --traces … --into loadcast`. The scores in
the card are made here, on the very file that is published. Needs no PyTorch.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from . import contract, evaluate, golden, importance
from .files import write_atomic

# The family that card-template.md explains.
DESCRIBED = "patch-mixer"
COMMAND = "foresail-train --config configs/{name}.toml --data ../../shared/data/pretrain --work runs/{name}"
EVALUATE = (
    "python -m foresail_models.evaluate --model {name}/{name}.onnx --data ../../shared/data/traces --json runs/scores.json"
)


def machine_card(run: dict[str, Any], scores: dict[str, Any]) -> dict[str, Any]:
    """What the operator and the tests read."""
    name = run["name"]
    return {
        "schema": 1,
        "name": name,
        "version": run["version"],
        "file": f"{name}.onnx",
        "sha256": run["sha256"],
        "task": "forecast",
        "family": run["family"],
        "parameters": run["parameters"],
        "contract": contract.metadata(name, run["version"], [s["name"] for s in run["sources"]]),
        "training": {
            "command": " ".join([COMMAND.format(name=name), *run["overrides"]]),
            "seed": run["seed"],
            "config_sha256": run["config_sha256"],
            "steps": run["best"]["step"],
            "cpu_minutes": round(run["cpu_s"] / 60, 1),
            "wall_minutes": round(run["wall_s"] / 60, 1),
            "torch": run["torch"],
            "validation": {k: round(v, 4) for k, v in run["best"].items() if k != "step"},
            "sources": run["sources"],
        },
        "evaluation": {
            "command": EVALUATE.format(name=name),
            "protocol": scores["protocol"],
            "aggregate": scores["aggregate"],
            "skipped": scores["skipped"],
            "series": [_short(entry) for entry in scores["series"]],
        },
    }


def _short(entry: dict[str, Any]) -> dict[str, Any]:
    """Per series and horizon: WQL of the model and of both baselines, MASE, coverage of 0.9."""
    horizons = {}
    for minutes, rows in entry["horizons"].items():
        model = rows["model"]
        horizons[minutes] = {
            "wql": _digits(model["wql"]),
            "mase": _digits(model["mase"]),
            "coverage_0.9": _digits(model["coverage_0.9"]),
            "coverage_0.99": _digits(model["coverage_0.99"]),
            "seasonal_naive_wql": _digits(rows["seasonal_naive"]["wql_point"]),
            "persistence_wql": _digits(rows["persistence"]["wql_point"]),
            "persistence_with_error_quantiles_wql": _digits(rows["persistence"]["wql"]),
        }
    return {k: entry[k] for k in ("name", "group", "step_s", "days", "season", "origins")} | {"horizons": horizons}


def _digits(value: float) -> float | None:
    return float(f"{value:.4g}") if value == value and abs(value) != float("inf") else None


def people_card(card: dict[str, Any], scores: dict[str, Any], template: str) -> str:
    """Fills the hand-written template with what was measured."""
    training = card["training"]
    sources = "\n".join(
        f"| {s['name']} | {s['series']} | {s['licence']} | {s['citation'] or '-'} |" for s in training["sources"]
    )
    series = []
    for entry in card["evaluation"]["series"]:
        if entry["group"] != "traces":
            continue
        for minutes, row in entry["horizons"].items():
            series.append(
                f"| {entry['name']} | {minutes} | {row['wql']} | {row['persistence_wql']} | {row['seasonal_naive_wql']} "
                f"| {row['persistence_with_error_quantiles_wql']} | {row['mase']} | {row['coverage_0.9']} | {row['coverage_0.99']} |"
            )
    fields = {
        "version": card["version"],
        "sha256": card["sha256"],
        "parameters": f"{card['parameters']:,}",
        "seed": training["seed"],
        "steps": training["steps"],
        "cpu_minutes": training["cpu_minutes"],
        "wall_minutes": training["wall_minutes"],
        "torch": training["torch"],
        "train_command": training["command"],
        "evaluate_command": card["evaluation"]["command"],
        "sources": sources,
        "aggregate": evaluate.table(scores),
        "series": "\n".join(series),
        "skipped": "\n".join(f"- `{name}`: {reason}" for name, reason in card["evaluation"]["skipped"].items()),
        "later": training["validation"]["later"],
        "unseen": training["validation"]["unseen"],
    }
    for key, value in fields.items():
        template = template.replace("{{" + key + "}}", str(value))
    return template


def publish(run_folder: Path, trace_folder: Path, into: Path) -> None:
    """Copies the model of a run and writes golden vectors and cards beside it."""
    made = run_folder / "out"
    run = json.loads((made / "training.json").read_text())
    if run["family"] != DESCRIBED:
        raise ValueError(f"the card's text describes the family {DESCRIBED}, not {run['family']}: write that first")
    source, published = made / "model.onnx", into / f"{run['name']}.onnx"
    scores = evaluate.evaluate(source, trace_folder, progress=sys.stderr.isatty())
    if scores["sha256"] != run["sha256"]:
        raise ValueError(f"{source} is not the file that {made / 'training.json'} describes")
    card = machine_card(run, scores)
    template = Path(__file__).with_name("card-template.md").read_text()
    write_atomic(published, source.read_bytes())
    write_atomic(into / "golden.json", golden.build(source, run["sha256"]).encode())
    write_atomic(into / "model-card.json", (json.dumps(card, indent=1) + "\n").encode())
    write_atomic(into / "model-card.md", people_card(card, scores, template).encode())
    shutil.copyfile(made / "loss.png", into / "loss.png")
    importance.into_card(into, importance.measure(published, trace_folder, progress=sys.stderr.isatty()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the --work folder of a training run")
    parser.add_argument("--traces", type=Path, required=True, help="folder of the scoring data")
    parser.add_argument("--into", type=Path, required=True, help="folder of the published model")
    arguments = parser.parse_args()
    try:
        publish(arguments.run, arguments.traces, arguments.into)
    except (ValueError, OSError) as error:
        sys.exit(f"card: {error}")


if __name__ == "__main__":
    main()
