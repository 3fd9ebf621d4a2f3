"""Joins trained runs to one file: `python -m foresail_models.ensemble --config … --data … --runs … --work …`.

The weights are fitted on one draw of validation windows and scored on another; neither was
trained on. A handful of numbers on thousands of windows has nothing to overfit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import checkpoint, config, contract, data, losses, models, plot, publish
from .files import write_atomic
from .validate import CHUNK, Validation

FIT_STEPS = 400


@dataclass(frozen=True)
class EnsembleConfig:
    """Each member names a configuration beside this one and a folder of `--runs`."""

    name: str
    version: str
    seed: int
    validation_windows: int
    members: list[str]


def load_config(path: Path) -> EnsembleConfig:
    """Reads `path`; raises ValueError that names the key at fault."""
    values = tomllib.loads(path.read_text())
    expected = set(EnsembleConfig.__dataclass_fields__)
    if set(values) != expected or not values["members"]:
        raise ValueError(f"{path}: expected the keys {sorted(expected)} and at least one member, got {sorted(values)}")
    return EnsembleConfig(**values)


def fit_weights(squashed: Tensor, target: Tensor, known: Tensor, weight: Tensor) -> list[float]:
    """Weights on the simplex that minimise the training loss of the mean.

    squashed [M, N, HORIZON, levels] behind asinh, target and known [N, HORIZON], weight
    [HORIZON, levels] as in training. Convex, so a plain descent finds the best.
    """
    levels = torch.tensor(contract.QUANTILE_LEVELS)
    logits = torch.zeros(squashed.shape[0], requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for _ in range(FIT_STEPS):
        mean = torch.einsum("m,mnhq->nhq", torch.softmax(logits, 0), squashed)
        loss = (losses.pinball(mean, target, levels) * weight * known.unsqueeze(-1)).sum() / known.sum().clamp(min=1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return torch.softmax(logits.detach(), 0).tolist()


def _answers(model: nn.Module, cut: data.Windows) -> tuple[Tensor, Tensor, Tensor]:
    """(squashed, target, known) of every window."""
    parts = []
    with torch.no_grad():
        for at in range(0, cut.context.shape[0], CHUNK):
            context, seasonal, target = (torch.from_numpy(a[at : at + CHUNK]) for a in (cut.context, cut.seasonal, cut.target))
            forecast = model(context, seasonal)
            parts.append((forecast.squashed, *losses.squashed_target(target, forecast.window)))
    return tuple(torch.cat(p) for p in zip(*parts))  # type: ignore[return-value]


def run(path: Path, folder: Path, runs: Path, work: Path) -> Path:
    """Fits, exports and reports the ensemble of `path`; returns the ONNX file."""
    torch.set_num_threads(1)
    made = work / "out"
    cpu, wall = time.process_time(), time.monotonic()
    cfg = load_config(path)
    block = {"from": "folder", "path": str(folder)}
    configs = {name: config.load(path.with_name(f"{name}.toml"), data=block).recipe for name in cfg.members}
    first = configs[cfg.members[0]]
    for name, member in configs.items():
        if member.exclude != first.exclude:
            raise ValueError(f"{name}: excludes {member.exclude}, the first member {first.exclude}: name one set of sources")
    _, sha256 = data.read_manifest(folder)
    members = []
    for name, member in configs.items():
        newest = checkpoint.Checkpoints(runs / name / "checkpoints").newest()
        if newest is None:
            raise ValueError(f"{runs / name}: no checkpoint, train the member first")
        state = checkpoint.restored(newest, checkpoint.fingerprint(member, sha256))
        model = models.build(member.family, member.model).eval()
        model.load_state_dict(state["best"])
        members.append(model)

    sources = data.load_sources(folder, first.exclude)
    corpora = {
        which: data.build(sources, first.steps_s, first.source_weight, which, data.Shares(first.train_share), first.held_out_every)
        for which in ("later", "unseen")
    }
    fitting, scoring = (
        Validation.draw(corpora, seed, cfg.validation_windows) for seed in (cfg.seed, cfg.seed + 1)
    )
    answers = [[_answers(model, cut) for cut, _ in fitting.parts.values()] for model in members]
    squashed = torch.stack([torch.cat([z for z, _, _ in parts]) for parts in answers])
    target, known = (torch.cat([part[i] for part in answers[0]]) for i in (1, 2))
    weight = losses.horizon_weights(first.horizon_power)[:, None] * losses.level_weights(first.upper_weight)
    weights = fit_weights(squashed, target, known, weight)

    options = [{"family": c.family, "options": c.model} for c in configs.values()]
    ensemble = models.build("ensemble", {"members": options, "weights": weights}).eval()
    for slot, model in zip(ensemble.members, members):
        slot.load_state_dict(model.state_dict())
    published = publish.write_model(ensemble, cfg.name, cfg.version, [s.name for s in sources], made)
    report = {
        "name": cfg.name,
        "family": "ensemble",
        "version": cfg.version,
        "seed": cfg.seed,
        **published,
        "parameters": sum(p.numel() for p in ensemble.parameters()),
        "members": [
            {"name": name, "weight": share, "validation": scoring.score(model)}
            for name, share, model in zip(configs, weights, members)
        ],
        "best": scoring.score(ensemble),
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.monotonic() - wall,
        "torch": torch.__version__,
    }
    write_atomic(made / "training.json", (json.dumps(report, indent=1) + "\n").encode())
    plot.forecasts(ensemble, {name: cut for name, (cut, _) in scoring.parts.items()}, made / "forecasts.png")
    return made / publish.MODEL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json and Parquet files")
    parser.add_argument("--runs", type=Path, required=True, help="folder with one finished run per member")
    parser.add_argument("--work", type=Path, required=True, help="folder of this run; model and report come into its out/")
    arguments = parser.parse_args()
    try:
        path = run(arguments.config, arguments.data, arguments.runs, arguments.work)
    except (ValueError, OSError) as error:
        sys.exit(f"ensemble: {error}")
    report: dict[str, Any] = json.loads((path.parent / "training.json").read_text())
    for member in report["members"]:
        print(f"{member['name']}: weight {member['weight']:.3f}, validation {member['validation']['score']:.4f}")
    print(f"ensemble: validation {report['best']['score']:.4f}\nwrote {path}")


if __name__ == "__main__":
    main()
