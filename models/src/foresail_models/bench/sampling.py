"""Does the active choice of data help? `python -m foresail_models.bench.sampling --data ../../shared/data/pretrain`.

Every way of choosing trains the same model on the same data from the same seeds, for the same number of steps; the CPU that
each took stands beside its score, since the choice itself is not free. Scored are the last averaged weights, so that no
validation has chosen among them, on windows that no training saw: later times of known series, and series never trained on.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

from .. import config, data, sampling
from ..trainer import Trainer, set_up_process
from ..validate import Validation

# So many windows that what differs is the model and not the draw; the same for all seeds.
WINDOWS, DRAW = 1500, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a training folder")
    parser.add_argument("--config", type=Path, default=Path("configs/loadcast.toml"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    a = parser.parse_args()
    set_up_process()
    folder = {"data": {"from": "folder", "path": str(a.data)}}
    recipe = config.load(a.config, steps=a.steps, batch=a.batch, warmup=min(100, a.steps // 3), **folder).recipe
    sources = data.load_sources(a.data, recipe.exclude)
    train, later, unseen = (
        data.build(sources, recipe.steps_s, recipe.source_weight, part, data.Shares(recipe.train_share), recipe.held_out_every)
        for part in ("train", "later", "unseen")
    )
    del sources
    if train is None:
        sys.exit(f"{a.data}: nothing to train on")
    validation = Validation.draw({"later": later, "unseen": unseen}, DRAW, WINDOWS)
    parts = [*validation.parts, "score"]
    print("| choice | seed | CPU s | " + " | ".join(parts) + " | drawn most / least |\n" + "|---" * (len(parts) + 4) + "|", flush=True)
    rows: dict[str, list[list[float]]] = {mode: [] for mode in sampling.MODES}
    for seed in range(1, a.seeds + 1):
        for mode in sampling.MODES:
            trainer = Trainer(dataclasses.replace(recipe, seed=seed, sampling=mode), train)
            begun = time.process_time()
            while trainer.done < a.steps:
                trainer.step()
            cpu = time.process_time() - begun
            scores = validation.score(trainer.average)
            ratio = trainer.sampler.weight / train.weight
            rows[mode].append([cpu, *(scores[part] for part in parts)])
            print(f"| {mode} | {seed} | " + " | ".join(f"{x:.4f}" for x in rows[mode][-1]) + f" | {ratio.max():.2f} / {ratio.min():.2f} |", flush=True)
    base = np.log(rows[sampling.UNIFORM])
    print(f"\n| choice, against {sampling.UNIFORM} seed by seed | CPU | " + " | ".join(parts) + " |\n" + "|---" * (len(parts) + 2) + "|")
    for mode in sampling.MODES[1:]:
        # Geometric mean of the ratios and its standard error; below 1 the choice helps.
        each = np.log(rows[mode]) - base
        error = each.std(0, ddof=1) / np.sqrt(a.seeds) if a.seeds > 1 else np.zeros(each.shape[1])
        print(f"| {mode} | " + " | ".join(f"{np.exp(m):.4f} ± {e:.4f}" for m, e in zip(each.mean(0), error)) + " |")


if __name__ == "__main__":
    main()
