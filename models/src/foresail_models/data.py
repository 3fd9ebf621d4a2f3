"""The training corpus: Parquet sources, coarser copies of each series, splits, sampling."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from . import contract, windows
from .windows import Windows

# A series shorter than this after resampling has no window worth learning from.
SHORTEST = 96


@dataclass(frozen=True)
class Source:
    """One file of the training folder."""

    name: str
    licence: str
    citation: str
    series: list[tuple[str, int, np.ndarray]]  # id, step in seconds, values


def load_sources(folder: Path, excluded: list[str]) -> list[Source]:
    """Reads the sources that the folder's manifest lists; raises ValueError on a bad folder."""
    manifest_path = folder / "manifest.json"
    if not manifest_path.is_file():
        raise ValueError(f"{folder}: no manifest.json, not a training folder")
    manifest = json.loads(manifest_path.read_text())
    names = [entry["name"] for entry in manifest["sources"]]
    unknown = set(excluded) - set(names)
    if unknown:
        raise ValueError(f"exclude: {sorted(unknown)} not in {manifest_path}, which has {names}")
    return [
        Source(
            entry["name"],
            entry["licence"],
            entry.get("citation", ""),
            _read_series(folder / entry["file"]),
        )
        for entry in manifest["sources"]
        if entry["name"] not in excluded
    ]


def _read_series(path: Path) -> list[tuple[str, int, np.ndarray]]:
    table = pq.read_table(path, columns=["series", "t", "v"]).unify_dictionaries()
    ids = table["series"].combine_chunks()
    codes = ids.indices.to_numpy() if hasattr(ids, "indices") else ids.dictionary_encode().indices.to_numpy()
    names = (ids if hasattr(ids, "dictionary") else ids.dictionary_encode()).dictionary.to_pylist()
    t, v = table["t"].to_numpy(), table["v"].to_numpy()
    bounds = np.flatnonzero(np.diff(codes)) + 1
    edges = [0, *bounds.tolist(), codes.size]
    return [
        (names[codes[a]], int(t[a + 1] - t[a]), v[a:b].astype(np.float32)) for a, b in zip(edges, edges[1:])
    ]


def coarsen(values: np.ndarray, factor: int) -> np.ndarray:
    """Means of `factor` neighbouring steps; a torn last group is dropped."""
    whole = values.size // factor * factor
    return values[:whole].reshape(-1, factor).mean(axis=1, dtype=np.float64).astype(np.float32)


@dataclass(frozen=True)
class Corpus:
    """Views (series at one step) behind each other in `flat`, with sampling weights."""

    flat: np.ndarray
    first: np.ndarray  # [V]
    last: np.ndarray  # [V]
    lags: np.ndarray  # [V, 4]
    source: np.ndarray  # [V] index into names
    weight: np.ndarray  # [V] sums to 1
    low: np.ndarray  # [V] origins are drawn from low..high
    high: np.ndarray
    names: list[str]

    def sample(self, rng: np.random.Generator, size: int, history: np.ndarray | None = None) -> tuple[Windows, np.ndarray]:
        """Random windows and the source of each."""
        view = rng.choice(self.weight.size, size=size, p=self.weight)
        origin = self.low[view] + (rng.random(size) * (self.high[view] - self.low[view] + 1)).astype(np.int64)
        cut = windows.cut(self.flat, self.first[view], self.last[view], origin, self.lags[view], history)
        return cut, self.source[view]


def is_held_out(source: str, series: str, every: int) -> bool:
    """Whole series kept for validation, chosen by a stable hash of their names."""
    return zlib.crc32(f"{source}/{series}".encode()) % every == 0


def build(
    sources: list[Source],
    steps_s: list[int],
    source_weight: dict[str, float],
    part: str,
    train_share: float,
    held_out_every: int,
) -> Corpus:
    """The corpus of one part: `train`, `later` (same series, later time) or `unseen` (other series).

    A source weighs the square root of its points times `source_weight`, so that big ones
    do not drown the others; inside a source each step has the same share of the mass of
    its series, finer steps counting more because they have more windows.
    """
    flat, first, last, lags, source_of, mass, low, high = [], [], [], [], [], [], [], []
    at = 0
    for index, source in enumerate(sources):
        views = []
        points = 0
        for name, step, values in source.series:
            if is_held_out(source.name, name, held_out_every) != (part == "unseen"):
                continue
            points += values.size
            for target_step in steps_s:
                if target_step % step:
                    continue
                view = coarsen(values, target_step // step)
                if view.size >= SHORTEST:
                    views.append((target_step, view))
        own = np.array([np.sqrt(view.size) for _, view in views])
        scale = np.sqrt(points) * source_weight.get(source.name, 1.0) / max(own.sum(), 1e-9)
        for (step, view), share in zip(views, own):
            split = int(view.size * train_share)
            begin, end = {
                "train": (1, split - 2),
                "later": (split, view.size - 2),
                "unseen": (view.size // 2, view.size - 2),
            }[part]
            flat.append(view)
            first.append(at)
            last.append(at + (split - 1 if part == "train" else view.size - 1))
            low.append(at + begin)
            high.append(at + end)
            lags.append(contract.season_lags_steps(step))
            source_of.append(index)
            mass.append(share * scale)
            at += view.size
    weight = np.array(mass) / np.sum(mass)
    return Corpus(
        np.concatenate(flat),
        *(np.array(a) for a in (first, last, lags, source_of)),
        weight,
        np.array(low),
        np.array(high),
        [s.name for s in sources],
    )
