"""One trial: a short training of one set of hyperparameters, scored on the backtest windows at every rung.

All trials draw the same batches and meet the same windows (the seed is the run's), so a difference between two is one of their
hyperparameters, and the same hyperparameters give the same score wherever and how often they are run.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from ..config import Recipe, with_hyperparameters
from ..data import Corpus
from ..errors import ConfigError
from ..gang import Gang
from ..trainer import Trainer
from ..validate import Validation
from . import backtest

RUNGS = 9


class Unfit(Exception):
    """These hyperparameters cannot be trained; trying again meets the same."""


def recipe_of(base: Recipe, params: Mapping[str, Any], steps: int) -> Recipe:
    """`base` with `params`, for a trial of `steps` updates: warm-up shrinks with them. Raises Unfit."""
    try:
        recipe = with_hyperparameters(base, params)
    except ConfigError as error:
        raise Unfit(str(error)) from error
    return dataclasses.replace(recipe, steps=steps, warmup=min(recipe.warmup, max(1, recipe.warmup * steps // recipe.steps)))


def run(
    recipe: Recipe,
    corpus: Corpus,
    over: list[Validation],
    gang: Gang,
    threads: int,
    told: Callable[[int, list[float], bool], None],
    between: Callable[[int, float], None] = lambda step, loss: None,
) -> float:
    """The score after the last step.

    told     hears (rung 1.., score per fold, whether it is the last); what it raises ends the trial
    between  hears (step, loss) after each step, likewise

    Raises Unfit.
    """
    try:
        trainer = Trainer(recipe, corpus, gang, threads)
    except ConfigError as error:
        raise Unfit(str(error)) from error
    try:
        ends = sorted({max(1, recipe.steps * rung // RUNGS) for rung in range(1, RUNGS + 1)})
        each: list[float] = []
        for rung, end in enumerate(ends, 1):
            while trainer.done < end:
                loss = trainer.step()
                if not math.isfinite(loss):
                    raise Unfit(f"the loss is {loss} at step {trainer.done}")
                between(trainer.done, loss)
            each = backtest.scores(trainer.average, over, gang)
            if not all(map(math.isfinite, each)):
                raise Unfit(f"the score is not finite at step {trainer.done}")
            told(rung, each, rung == len(ends))
        return backtest.mean(each)
    finally:
        trainer.pool.shutdown()
