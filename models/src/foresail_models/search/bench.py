"""What pruning is worth: the best score found for the same CPU time, by pruner, over many orders of the same trials.

    python -m foresail_models.search.bench --config configs/patch-mixer.toml --data ../../shared/data/pretrain --trials 32 --steps 90

Every trial of a random search is trained to its end once, with its score and CPU time at each rung. Then searches are replayed from
that record: the trials come in another order each time, a pruner decides at each rung from what it has seen, and the clock
counts the CPU time of the rungs that were run. So one honest training serves thousands of searches, and the pruners differ in
nothing but their decisions. What the replay leaves out: a sampler that learns from the scores (TPE) and workers side by side.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from .. import config
from ..gang import Gang, Place, pick_device
from ..material import gather
from ..trainer import cores, set_up_process
from . import backtest, pruning
from . import trial as short
from .settings import SPACES
from .space import distributions, seed_of
from .trial import RUNGS

# One rung of a trial: [CPU seconds since its start, score per fold].
Curve = list[tuple[float, list[float]]]


def record(run: config.Run, trials: int, steps: int, work: Path) -> list[Curve]:
    from .. import models

    set_up_process()
    gang = Gang(Place(), pick_device("cpu", Place()))
    material = gather(run, work, None, gang)
    untrained = models.build(run.recipe.family, run.recipe.model)
    over = backtest.folds(material.held, run.recipe.seed, run.recipe.validation_windows, untrained, gang)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed_of(run.recipe.seed, 0)))
    curves = []
    for number in range(trials):
        params = study.ask(distributions(SPACES[run.recipe.family])).params
        curve: Curve = []
        begun = time.process_time()

        def told(_rung: int, each: list[float], _last: bool, curve: Curve = curve, begun: float = begun) -> None:
            curve.append((time.process_time() - begun, each))

        try:
            short.run(short.recipe_of(run.recipe, params, steps), material.corpus, over, gang, cores(), told)
        except short.Unfit as error:
            print(f"trial {number}: {error}", file=sys.stderr)
            continue
        curves.append(curve)
        print(f"trial {number}: {backtest.mean(curve[-1][1]):.4f} after {curve[-1][0]:.1f} s of CPU", file=sys.stderr, flush=True)
    return curves


def replay(curves: list[Curve], pruner: str, order: np.ndarray, budgets: list[float]) -> tuple[list[float], float]:
    """The best score of a whole trial within each budget of CPU seconds (NaN: none was whole), and the CPU seconds spent."""
    study = optuna.create_study(pruner=pruning.PRUNERS[pruner]())
    spent, ends = 0.0, []
    for index in order:
        if spent >= budgets[-1]:
            break
        trial, before = study.ask(), 0.0
        for rung, (cpu, each) in enumerate(curves[index], 1):
            spent, before = spent + cpu - before, cpu
            trial.set_user_attr(pruning.attribute(rung), each)
            trial.report(backtest.mean(each), rung)
            if rung < len(curves[index]) and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            score = backtest.mean(curves[index][-1][1])
            study.tell(trial, score)
            ends.append((spent, score))
    return [min((score for at, score in ends if at <= budget), default=float("nan")) for budget in budgets], spent


def compare(curves: list[Curve], orders: int, shares: list[float], seed: int = 1) -> list[dict[str, Any]]:
    """A row per pruner. Budgets are shares of the CPU time of all trials; beside the mean stands the standard error of the
    difference to no pruning, order by order."""
    total = sum(curve[-1][0] for curve in curves)
    rng = np.random.default_rng(seed)
    permutations = [rng.permutation(len(curves)) for _ in range(orders)]
    found: dict[str, np.ndarray] = {}
    rows = []
    for pruner in pruning.PRUNERS:
        results = [replay(curves, pruner, order, [share * total for share in shares]) for order in permutations]
        found[pruner] = np.array([scores for scores, _ in results])
        difference = found[pruner] - found["none"]
        rows.append(
            {
                "pruner": pruner,
                "score": [round(float(x), 4) for x in np.nanmean(found[pruner], axis=0)],
                "lessThanNone": [round(float(-x), 4) for x in np.nanmean(difference, axis=0)],
                "standardError": [round(float(x), 4) for x in np.nanstd(difference, axis=0) / orders**0.5],
                "spent": round(float(np.mean([spent for _, spent in results])) / total, 3),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--batch", type=int, default=64, help="of a step; small, so that a few minutes are enough")
    parser.add_argument("--windows", type=int, default=400, help="of the backtest, per part")
    parser.add_argument("--sources", nargs="*", help="of the data; all without")
    parser.add_argument("--orders", type=int, default=100)
    parser.add_argument("--json", type=Path, help="keeps the record and the table; an existing record is replayed and not trained again")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if options.json is not None and options.json.is_file():
        curves = json.loads(options.json.read_text())["curves"]
    else:
        changed: dict[str, Any] = {"batch": options.batch, "shards": 1, "validation_windows": options.windows, "data": {"from": "folder", "path": str(options.data)}}
        if options.sources:
            manifest = json.loads((options.data / "manifest.json").read_text())
            changed["exclude"] = [s["name"] for s in manifest["sources"] if s["name"] not in options.sources]
        curves = record(config.load(options.config, **changed), options.trials, options.steps, Path("."))
    shares = [0.1, 0.2, 0.35, 1.0]
    rows = compare(curves, options.orders, shares)
    print(f"{len(curves)} trials, {sum(c[-1][0] for c in curves):.0f} s of CPU; best of all {min(backtest.mean(c[-1][1]) for c in curves):.4f}")
    ends = np.array([[backtest.mean(each) for _, each in curve] for curve in curves if len(curve) == RUNGS])
    ranks = ends.argsort(0).argsort(0)
    print("rank correlation of each rung with the last:", *(f"{np.corrcoef(ranks[:, rung], ranks[:, -1])[0, 1]:.2f}" for rung in range(RUNGS)))
    print(f"best score within {', '.join(f'{share:.0%}' for share in shares)} of that time; gain over none (standard error); share that all trials took")
    for row in rows:
        gains = "  ".join(f"{g:+.4f} ({e:.4f})" for g, e in zip(row["lessThanNone"], row["standardError"]))
        print(f"{row['pruner']:17} {'  '.join(f'{s:.4f}' for s in row['score'])}   {gains}   {row['spent']:.0%}")
    if options.json is not None:
        options.json.write_text(json.dumps({"curves": curves, "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
