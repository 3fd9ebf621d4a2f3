"""What a run leaves behind in `out/`: the model, its golden vectors, card, lineage, report and plots."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch

from . import contract, export, golden, plot
from .config import Run
from .dataset.report import markdown
from .files import write_atomic
from .lineage import lineage
from .loop import Loop
from .material import Material
from .models import Family

MODEL = "model.onnx"


def write_model(model: Family, name: str, version: str, sources: list[str], out: Path) -> dict[str, Any]:
    """Writes the ONNX file and its golden vectors; raises ValueError when it answers unlike the model."""
    proto = golden.carrying(export.to_onnx(model, name, version, sources))
    difference = export.difference(model, proto)
    if not difference <= golden.TOLERANCE:
        raise ValueError(f"the ONNX file differs from the model by {difference:.2g}, more than {golden.TOLERANCE}")
    sha256 = export.save(proto, out / MODEL)
    write_atomic(out / "golden.json", golden.build(out / MODEL, sha256).encode())
    return {"sha256": sha256, "onnx_difference": difference}


def write_run(run: Run, loop: Loop, found: Material, beside: dict[str, Any], out: Path) -> dict[str, Any]:
    """Everything in `out/`, the lineage last: where it lies, the folder is whole. Returns the lineage.

    beside  scores of others, for comparison
    """
    recipe, log, sources = run.recipe, loop.log, found.sources
    names = [source.name for source in sources]
    model = loop.trainer.average.cpu()
    published = write_model(model, recipe.name, recipe.version, names, out)
    report = {key: log[key] for key in ("history", "best", "cpu_s", "wall_s")} | {
        **published,
        "name": recipe.name,
        "family": recipe.family,
        "version": recipe.version,
        "seed": recipe.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "config_sha256": recipe.fingerprint(),
        "overrides": list(run.overrides),
        "sources": [
            {"name": s.name, "licence": s.licence, "citation": s.citation, "series": len(s.series)} for s in sources
        ],
        "torch": torch.__version__,
        "attempts": log["attempts"],
    }
    write_atomic(out / "training.json", (json.dumps(report, indent=1) + "\n").encode())
    plot.losses(log["history"], out / "loss.png")
    plot.forecasts(model, {name: cut for name, (cut, _) in loop.validation.parts.items()}, out / "forecasts.png")
    best = {key: value for key, value in log["best"].items() if key != "step"}
    document = lineage(
        recipe.name,
        recipe.family,
        recipe.seed,
        run.resolved,
        published["sha256"],
        found.lineage,
        {"step": log["best"]["step"], "validation": best} | beside,
        log["attempts"],
        time.time(),
    )
    write_atomic(out / "card.md", card(document, report, found.quality).encode())
    write_atomic(out / "lineage.json", (json.dumps(document, indent=1) + "\n").encode())
    return document


def card(document: dict[str, Any], report: dict[str, Any], quality: dict[str, Any] | None) -> str:
    """The card of a run, for people. What the file does behind its window, the gate says."""
    checked = "" if quality is None else f"\n### What was found in them\n{markdown(quality)}\n"
    data, scores = document["data"], document["scores"]
    other = scores.get("incumbent")
    rows = "\n".join(
        f"| {name} windows | {value:.4f} |" + (f" {other[name]:.4f} |" if other else "")
        for name, value in scores["validation"].items()
        if name != "score"
    )
    head = "| on | score | incumbent |\n|---|---|---|" if other else "| on | score |\n|---|---|"
    sources = ", ".join(f"{s['name']} ({s['series']} series{', ' + s['licence'] if s['licence'] else ''})" for s in report["sources"])
    bounds = (
        f"Training saw times before {data['trainEnd']}, validation those before {data['validateEnd']}; nothing later was read."
        if data["trainEnd"]
        else "Each series was split by its own length; the last part validated."
    )
    return f"""# {document["name"]} {report["version"]}

Forecasts load: {contract.HORIZON} steps ahead, {len(contract.QUANTILE_LEVELS)} quantiles, from the last {contract.CONTEXT_LENGTH} steps and "the same time then"
{", ".join(str(d) for d in contract.SEASON_LAGS_DAYS)} days ago. Family `{document["family"]}`, {report["parameters"]:,} parameters, seed {document["seed"]}.

`{MODEL}` · sha256 `{document["sha256"]}`

## Data
{data["series"]} series with {data["points"]:,} known points, {data["firstTime"]} to {data["lastTime"]}. {bounds}
Sources: {sources}.
{checked}
## Validation
Weighted quantile loss relative to seasonal naive, behind asinh; below 1 is better than yesterday again. Best averaged weights,
step {scores["step"]}.

{head}
{rows}

These windows chose the weights, so they flatter them. The gate scores on times that training never read.

## Made by
Code {document["code"]["package"]}, sha256 `{document["code"]["sha256"]}`; PyTorch {report["torch"]}; attempts {", ".join(map(str, document["attempts"]))};
{report["cpu_s"] / 60:.1f} CPU-minutes of the first process. `lineage.json` has the configuration, `training.json` the log, `golden.json`
inputs with expected outputs.
"""
