"""The windows that trials are compared on: rolling origins through the part for validation, the same for every trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from torch import nn

from .. import augment
from ..data import Corpus
from ..errors import DataInvalid
from ..gang import Gang
from ..models import Family
from ..validate import Validation

FOLDS = 8
LEAST_WINDOWS = 24


def folds(parts: Mapping[str, Corpus | None], seed: int, windows: int, untrained: Family, gang: Gang) -> list[Validation]:
    """Up to FOLDS validations, fold k with origins from the k-th slice of the time of every series.

    parts      `later` and `unseen` of `data.build`: nothing behind validateEnd is in them
    windows    of all folds together, per part
    untrained  any model: a slice where seasonal naive makes no error is no fold

    Raises DataInvalid where no slice is one.
    """
    each = max(LEAST_WINDOWS, windows // FOLDS)
    found = []
    for k in range(FOLDS):
        drawn = {}
        for index, (name, corpus) in enumerate(parts.items()):
            cut = None if corpus is None else _slice(corpus, k)
            if cut is not None:
                rng = np.random.default_rng((seed, 1 << 29, index, k))
                drawn[name] = cut.sample(rng, each, augment.histories(rng, each, augment.Rates(short_history=0.2)))
        try:
            fold = Validation(drawn)
            if drawn and np.isfinite(fold.score(untrained, gang)["score"]):
                found.append(fold)
        except DataInvalid:  # constant there
            continue
    if not found:
        raise DataInvalid("validate: no windows between trainEnd and validateEnd in which a forecast can err")
    return found


def _slice(corpus: Corpus, k: int) -> Corpus | None:
    """Origins of a view are in the order of time."""
    count = corpus.high - corpus.low
    low, high = corpus.low + count * k // FOLDS, corpus.low + count * (k + 1) // FOLDS
    weight = np.where(high > low, corpus.weight, 0.0)
    return dataclasses.replace(corpus, low=low, high=high, weight=weight / weight.sum()) if weight.sum() > 0 else None


def scores(model: nn.Module, over: list[Validation], gang: Gang) -> list[float]:
    """Per fold: weighted quantile loss relative to seasonal naive. Lower is better."""
    return [fold.score(model, gang)["score"] for fold in over]


def mean(each: list[float]) -> float:
    """Of ratios: the geometric one."""
    return float(np.exp(np.mean(np.log(np.maximum(each, 1e-12)))))
