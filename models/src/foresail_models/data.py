"""The training corpus: Parquet sources, coarser copies of each series, splits, sampling.

An unknown value is NaN from the file to the loss: it is never read as zero, and no window is
drawn whose newest value is unknown.
"""

from __future__ import annotations

import errno
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from . import contract, windows
from .dataset.folder import read_series
from .errors import ConfigError, DataInvalid
from .windows import Windows

# A series shorter than this after resampling has no window worth learning from.
SHORTEST = 96


@dataclass(frozen=True)
class Series:
    id: str
    step_s: int
    start: int  # time of the first value, seconds
    values: np.ndarray  # float32, NaN where unknown


@dataclass(frozen=True)
class Source:
    """One file of the training folder."""

    name: str
    licence: str
    citation: str
    series: list[Series]


@dataclass(frozen=True)
class Times:
    """A split by wall time, seconds: t < train_end trains, t < validate_end validates, the rest is not looked at."""

    train_end: int
    validate_end: int


@dataclass(frozen=True)
class Shares:
    """A split of each series by its own length: this share trains, the rest validates."""

    train: float


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """The manifest of a training folder and its sha256; raises DataInvalid without one."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise DataInvalid(f"{folder}: no manifest.json, not a training folder")
    text = path.read_bytes()
    try:
        manifest = json.loads(text)
        if not all({"name", "file"} <= set(entry) for entry in manifest["sources"]):
            raise ValueError("a source without name or file")
    except (ValueError, KeyError, TypeError) as error:
        raise DataInvalid(f"{path}: {error}") from error
    return manifest, hashlib.sha256(text).hexdigest()


def load_sources(folder: Path, excluded: list[str]) -> list[Source]:
    """Reads the sources that the folder's manifest lists; raises DataInvalid on a bad folder."""
    manifest, _ = read_manifest(folder)
    names = [entry["name"] for entry in manifest["sources"]]
    if unknown := set(excluded) - set(names):
        raise ConfigError(f"exclude: {sorted(unknown)} not in {folder / 'manifest.json'}, which has {names}")
    return [
        Source(entry["name"], entry.get("licence", ""), entry.get("citation", ""), _read_series(folder / entry["file"]))
        for entry in manifest["sources"]
        if entry["name"] not in excluded
    ]


def _read_series(path: Path) -> list[Series]:
    try:
        return [Series(name, step, start, values) for name, start, step, values in read_series(path)]
    except (OSError, KeyError, ValueError) as error:
        # A volume that is away comes back; a file that is broken, or missing, does not mend itself.
        if isinstance(error, DataInvalid) or (isinstance(error, OSError) and error.errno not in (None, errno.ENOENT)):
            raise
        raise DataInvalid(f"{path}: {error}") from error


def coarsen(values: np.ndarray, factor: int) -> np.ndarray:
    """Means of `factor` neighbouring steps, unknown where more than half is; a torn last group is dropped."""
    whole = values.size // factor * factor
    groups = values[:whole].reshape(-1, factor)
    known = ~np.isnan(groups)
    if known.all():
        return groups.mean(axis=1, dtype=np.float64).astype(np.float32)
    count = known.sum(axis=1)
    mean = np.where(known, groups, 0).sum(axis=1, dtype=np.float64) / np.maximum(count, 1)
    return np.where(2 * count >= factor, mean, np.nan).astype(np.float32)


@dataclass(frozen=True)
class Corpus:
    """Views (series at one step) behind each other in `flat`, with sampling weights."""

    flat: np.ndarray
    first: np.ndarray  # [V]
    last: np.ndarray  # [V]
    lags: np.ndarray  # [V, 4]
    source: np.ndarray  # [V] index into names
    series: np.ndarray  # [V] number of the series; its views at other steps have the same
    weight: np.ndarray  # [V] sums to 1
    # Origins are drawn from origins[low:high]: the positions of known values.
    origins: np.ndarray
    low: np.ndarray  # [V]
    high: np.ndarray
    names: list[str]

    def sample(self, rng: np.random.Generator, size: int, history: np.ndarray | None = None) -> tuple[Windows, np.ndarray]:
        """Random windows and the source of each."""
        cut, view = self.draw(rng, size, history)
        return cut, self.source[view]

    def draw(
        self, rng: np.random.Generator, size: int, history: np.ndarray | None = None, weight: np.ndarray | None = None
    ) -> tuple[Windows, np.ndarray]:
        """Random windows and the view of each, by the corpus' weights or by others."""
        view = rng.choice(self.weight.size, size=size, p=self.weight if weight is None else weight)
        chosen = self.low[view] + (rng.random(size) * (self.high[view] - self.low[view])).astype(np.int64)
        return windows.cut(self.flat, self.first[view], self.last[view], self.origins[chosen], self.lags[view], history), view


def is_held_out(source: str, series: str, every: int) -> bool:
    """Whole series kept for validation, chosen by a stable hash of their names."""
    return zlib.crc32(f"{source}/{series}".encode()) % every == 0


def _known(values: np.ndarray) -> int:
    return int((~np.isnan(values)).sum())


def _ends(series: Series, step: int, size: int, split: Times | Shares) -> tuple[int, int]:
    """(steps that train, steps up to the end of validation) of a view with `size` steps of `step` seconds."""
    if isinstance(split, Shares):
        return int(size * split.train), size

    def before(end: int) -> int:  # groups whose last sample lies before `end`
        samples = -(-(end - series.start) // series.step_s)
        return int(np.clip(samples // (step // series.step_s), 0, size))

    return before(split.train_end), before(split.validate_end)


def build(
    sources: list[Source],
    steps_s: list[int],
    source_weight: dict[str, float],
    part: str,
    split: Mapping[str, Times] | Shares,
    held_out_every: int,
) -> Corpus | None:
    """The corpus of one part: `train`, `later` (same series, later time) or `unseen` (other series).

    None where the part is empty. A source weighs the square root of its points times `source_weight`, so that
    big ones do not drown the others; inside a source each step has the same share of the mass of
    its series, finer steps counting more because they have more windows. A series that fits none of `steps_s`
    keeps its own step. With few series none is held out. `split` has the times of each source by its name.
    """
    few = sum(len(source.series) for source in sources) < 2 * held_out_every
    flat, first, last, lags, source_of, series_of, mass, low, high, origins = ([] for _ in range(10))
    at = drawn = number = 0
    for index, source in enumerate(sources):
        views = []
        points = 0
        for series in source.series:
            if (not few and is_held_out(source.name, series.id, held_out_every)) != (part == "unseen"):
                continue
            times = split if isinstance(split, Shares) else split[source.name]
            # What lies beyond the part must not even move the weights.
            points += _known(series.values[: _ends(series, series.step_s, series.values.size, times)[part != "train"]])
            number += 1
            for step in [s for s in steps_s if s % series.step_s == 0] or [series.step_s]:
                view = coarsen(series.values, step // series.step_s)
                if view.size < SHORTEST:
                    continue
                train, end = _ends(series, step, view.size, times)
                begin, stop, reach = {
                    "train": (1, train - 1, train),
                    "later": (train, end - 1, end),
                    "unseen": (end // 2, end - 1, end),
                }[part]
                known = (begin + np.flatnonzero(~np.isnan(view[begin : max(begin, stop)]))).astype(np.int32)
                if known.size:
                    views.append((step, view, reach, known, number - 1))
        own = np.array([np.sqrt(_known(view[:reach])) for _, view, reach, *_ in views])
        scale = np.sqrt(points) * source_weight.get(source.name, 1.0) / max(own.sum(), 1e-9)
        for (step, view, reach, known, of), share in zip(views, own):
            flat.append(view)
            first.append(at)
            last.append(at + reach - 1)
            origins.append(known + (np.int32 if at + view.size < 1 << 31 else np.int64)(at))  # half the memory where it fits
            low.append(drawn)
            high.append(drawn + known.size)
            lags.append(contract.season_lags_steps(step))
            source_of.append(index)
            series_of.append(of)
            mass.append(share * scale)
            at += view.size
            drawn += known.size
    if not flat or not np.sum(mass) > 0:
        return None
    weight = np.array(mass) / np.sum(mass)
    return Corpus(
        np.concatenate(flat),
        *(np.array(a) for a in (first, last, lags, source_of, series_of)),
        weight,
        np.concatenate(origins),
        np.array(low),
        np.array(high),
        [s.name for s in sources],
    )


def times_of(manifest: Mapping[str, Any]) -> dict[str, Times]:
    """The split by wall time that a manifest names per source; empty where it names none for some."""
    try:
        ends = {
            entry["name"]: (datetime.fromisoformat(entry["trainEnd"]), datetime.fromisoformat(entry["validateEnd"]))
            for entry in manifest["sources"]
        }
    except KeyError:
        return {}
    return {name: Times(*(int(end.timestamp()) for end in pair)) for name, pair in ends.items()}


def facts(sources: list[Source]) -> dict[str, int]:
    """What a lineage says of the values that a run looked at. Times are seconds."""
    every = [series for source in sources for series in source.series]
    if not every:
        raise DataInvalid("data: no series")
    return {
        "series": len(every),
        "points": int(sum((~np.isnan(s.values)).sum() for s in every)),
        "first": min(s.start for s in every),
        "last": max(s.start + (s.values.size - 1) * s.step_s for s in every),
    }
