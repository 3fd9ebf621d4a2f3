"""The block `search` of a configuration: how long to search, and among what. Reads neither PyTorch nor Optuna.

    "search": {"trials": 20, "maxSeconds": 3600, "gpuHours": null, "steps": 125, "startupTrials": 8,
               "space": {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": true}, "model.width": {"choices": [32, 64]}}}

Without `space` a family's own is searched. What the configuration says of a hyperparameter is not searched: it stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError


@dataclass(frozen=True)
class Range:
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def ends(self) -> tuple[int | float, ...]:
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)


@dataclass(frozen=True)
class Choices:
    values: tuple[int | float, ...]

    def ends(self) -> tuple[int | float, ...]:
        return self.values


Space = Mapping[str, Range | Choices]

# What shapes any family's training.
_TRAINING: Space = {
    "learning_rate": Range(3e-4, 1e-2, log=True),
    "weight_decay": Range(1e-4, 0.1, log=True),
    "clip": Range(0.3, 3.0, log=True),
    "augment.noise": Range(0.0, 0.5),
    "augment.mix": Range(0.0, 0.5),
}
_WIDTH = Choices((32, 48, 64, 96))
_HEAD = Choices((128, 256))

# Sizes end where one inference on a CPU core would leave the operator's budget. Heads divide each width.
SPACES: Mapping[str, Space] = {
    "linear": _TRAINING,
    "patch-mixer": _TRAINING | {"model.width": _WIDTH, "model.blocks": Range(1, 3, whole=True), "model.head_hidden": _HEAD},
    "gru": _TRAINING | {"model.width": _WIDTH, "model.hidden": Choices((64, 96, 128)), "model.head_hidden": _HEAD},
    "bilstm": _TRAINING | {"model.width": _WIDTH, "model.hidden": Choices((48, 64, 80)), "model.head_hidden": _HEAD},
    "transformer": _TRAINING | {"model.width": _WIDTH, "model.layers": Range(1, 3, whole=True), "model.head_hidden": _HEAD},
}

# No part of the space: they say how long, on what, or how scores are taken, so trials would not be comparable.
NEVER = ("steps", "seed", "name", "family", "version", "batch", "shards", "precision", "upper_weight", "horizon_power", "validate_every",
         "validation_windows", "patience", "train_share", "held_out_every", "exclude", "steps_s")  # fmt: skip


@dataclass(frozen=True)
class Search:
    """Bounds of the search, the first that is reached ends it; None where there is none of a kind."""

    space: Space
    # Trials that end by themselves: whole, pruned or diverged.
    trials: int | None = None
    # Wall time in which at least one trial ran: a suspended search does not age.
    max_s: float | None = None
    # Of accelerators, over all workers and restarts, lost trials included.
    gpu_hours: float | None = None
    # Updates of one trial; None: a quarter of the run's.
    steps: int | None = None
    # Random ones before the model of the space is asked.
    startup_trials: int = 8
    # A worker that was not heard of for so long is lost.
    stale_s: float = 60.0
    # Where the workers meet: in a journal on the volume that they share, or in the database that the environment names.
    storage: str = "journal"


KEYS = ("trials", "maxSeconds", "gpuHours", "steps", "startupTrials", "staleSeconds", "space", "storage")
STORAGES = ("journal", "rdb")


def parse(block: Mapping[str, Any], family: str, fixed: Iterable[str]) -> Search:
    """`fixed`: hyperparameters that the configuration sets, as `model.width`. Raises ConfigError that names the key."""
    if unknown := sorted(set(block) - set(KEYS)):
        raise ConfigError(f"search.{unknown[0]}: unknown key; known are {', '.join(KEYS)}")
    fixed = set(fixed)
    given = block.get("space")
    if given is None:
        space = {key: value for key, value in SPACES[family].items() if key not in fixed}
    else:
        space = {key: _dimension(key, value) for key, value in _table(given, "search.space").items()}
        if both := sorted(fixed & set(space)):
            raise ConfigError(f"search.space.{both[0]}: the configuration sets {both[0]}, so it cannot be searched as well")
        if never := sorted(set(space) & set(NEVER)):
            raise ConfigError(f"search.space.{never[0]}: trials that differ in it cannot be compared")
    if not space:
        raise ConfigError("search.space: nothing is left to search, the configuration sets all of it")
    storage = block.get("storage", STORAGES[0])
    if storage not in STORAGES:
        raise ConfigError(f"search.storage: {storage!r} is not one of {', '.join(STORAGES)}")
    search = Search(
        dict(sorted(space.items())),
        _whole(block, "trials", 100_000),
        _number(block, "maxSeconds"),
        _number(block, "gpuHours"),
        _whole(block, "steps", 10**7),
        _whole(block, "startupTrials", 1000) or Search.startup_trials,
        _number(block, "staleSeconds") or Search.stale_s,
        storage,
    )
    if search.trials is None and search.max_s is None and search.gpu_hours is None:
        raise ConfigError("search: one of trials, maxSeconds and gpuHours is required")
    return search


def _dimension(key: str, value: Any) -> Range | Choices:
    where = f"search.space.{key}"
    value = _table(value, where)
    if set(value) == {"choices"}:
        choices = value["choices"]
        if not isinstance(choices, list) or not choices or not all(_is_number(c) for c in choices) or len(set(choices)) < len(choices):
            raise ConfigError(f"{where}.choices: {choices!r} is not a list of different numbers")
        return Choices(tuple(choices))
    if unknown := sorted(set(value) - {"low", "high", "log", "whole"}):
        raise ConfigError(f"{where}.{unknown[0]}: unknown key; known are choices, or low, high, log, whole")
    low, high, log, whole = value.get("low"), value.get("high"), value.get("log", False), value.get("whole", False)
    if not _is_number(low) or not _is_number(high) or not low < high:
        raise ConfigError(f"{where}: low {low!r} and high {high!r} are not two numbers in rising order")
    if not isinstance(log, bool) or not isinstance(whole, bool):
        raise ConfigError(f"{where}: log and whole are true or false")
    if log and low <= 0:
        raise ConfigError(f"{where}.low: {low} must be above 0 on a logarithmic scale")
    if whole and (low != int(low) or high != int(high)):
        raise ConfigError(f"{where}: low {low} and high {high} are not whole numbers")
    return Range(low, high, log, whole)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {value!r} is not a table of keys")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(block: Mapping[str, Any], key: str) -> float | None:
    value = block.get(key)
    if value is None:
        return None
    if not _is_number(value) or value <= 0:
        raise ConfigError(f"search.{key}: {value!r} is not a number above 0")
    return float(value)


def _whole(block: Mapping[str, Any], key: str, most: int) -> int | None:
    value = _number(block, key)
    if value is not None and (value != int(value) or value > most):
        raise ConfigError(f"search.{key}: {block[key]!r} is not a whole number from 1 to {most}")
    return None if value is None else int(value)
