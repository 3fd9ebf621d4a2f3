"""A training folder on disk: written beside its place, renamed when whole, known again by digests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..files import write_atomic
from .bounds import Bounds, iso
from .errors import DataInvalid
from .grid import Gridded
from .series import Listed, SourceInfo

SCHEMA = pa.schema(
    [
        ("series", pa.dictionary(pa.int32(), pa.string())),
        ("t", pa.int64()),
        # What the operator keeps; seven digits are more than any metric source measures.
        ("v", pa.float32()),
        ("flag", pa.uint8()),
    ]
)
FLAG_OUTLIER = 1
# There was a value, but it was negative or infinite; v is NaN.
FLAG_INVALID = 2


class SourceWriter:
    """One Parquet file, a row group per series, steps in order of time and none left out."""

    def __init__(self, folder: Path, info: SourceInfo, bounds: Bounds) -> None:
        self._info, self._bounds = info, bounds
        self._path = folder / f"{hashlib.sha256(info.name.encode()).hexdigest()[:12]}.parquet"
        # Statistics would tell of values beyond the rows that a reader asks for.
        self._writer = pq.ParquetWriter(
            self._path,
            SCHEMA,
            compression="snappy",
            use_dictionary=["series", "flag"],
            column_encoding={"t": "DELTA_BINARY_PACKED"},
            write_statistics=False,
        )
        self._series: list[dict[str, Any]] = []

    def add(self, listed: Listed, grid: Gridded, flags: np.ndarray, end: int) -> int:
        """Writes the steps that start before `end`; returns the number of known values."""
        size = grid.position(end)
        values = grid.values[:size]
        known = int((~np.isnan(values)).sum())
        columns = [
            pa.DictionaryArray.from_arrays(np.zeros(size, np.int32), [listed.name]),
            grid.t0 + grid.step * np.arange(size, dtype=np.int64),
            values,
            flags[:size],
        ]
        self._writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=max(size, 1))
        entry = {"name": listed.name, "t0": grid.t0, "stepSeconds": grid.step, "steps": size, "known": known}
        self._series.append(entry | ({"label": listed.label} if listed.label else {}))
        return known

    def close(self) -> dict[str, Any] | None:
        """The entry of the manifest; None, and no file, when nothing was added."""
        self._writer.close()
        if not self._series:
            self._path.unlink()
            return None
        sync(self._path)
        return {
            "name": self._info.name,
            "file": self._path.name,
            "sha256": digest(self._path),
            "licence": self._info.licence,
            "citation": self._info.citation,
            "firstTime": iso(self._bounds.first),
            "trainEnd": iso(self._bounds.train_end),
            "validateEnd": iso(self._bounds.validate_end),
            "series": self._series,
        }


def read_series(path: Path) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """(name, t0, step, values float32) of each series of a file, in its order; two rows at least.

    Reads a row group at a time, so that what is held is little more than what is handed out. Rows of a series lie
    together, in order of time; raises DataInvalid for one that does not keep one step.
    """
    with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
        name, t0, step, rows, parts = "", 0, 0, 0, list[np.ndarray]()
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=["series", "t", "v"], use_threads=False)
            if not table.num_rows:
                continue
            ids = table["series"].unify_dictionaries().combine_chunks()
            ids = ids if pa.types.is_dictionary(ids.type) else ids.dictionary_encode()
            codes, names = ids.indices.to_numpy(), ids.dictionary.to_pylist()
            t, v = table["t"].to_numpy(), table["v"].to_numpy().astype(np.float32, copy=False)
            edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), codes.size]
            for a, b in zip(edges, edges[1:]):
                if names[codes[a]] != name or not parts:
                    if rows > 1:
                        yield name, t0, step, np.concatenate(parts)
                    name, t0, step, rows, parts = names[codes[a]], int(t[a]), 0, 0, []
                step = step or int(t[a + 1] - t[a] if b - a > 1 else t[a] - t0)
                if (np.diff(t[a:b]) != step).any() or t[a] != t0 + rows * step or (step < 1 and rows + b - a > 1):
                    raise DataInvalid(f"{path}: series {name!r} does not keep one step; missing values are rows with NaN")
                rows += b - a
                parts.append(v[a:b].copy())
        if rows > 1:
            yield name, t0, step, np.concatenate(parts)


def write_json(path: Path, value: dict[str, Any]) -> str:
    """Writes `value`; returns the SHA-256 of the file."""
    body = (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
    write_atomic(path, body)
    return hashlib.sha256(body).hexdigest()


def is_whole(folder: Path, sha256: str) -> bool:
    """Whether the manifest and all that it names are what they were when `sha256` was taken."""
    try:
        if digest(folder / "manifest.json") != sha256:
            return False
        manifest = json.loads((folder / "manifest.json").read_text())
        files = {s["file"]: s["sha256"] for s in manifest["sources"]} | {"quality.json": manifest["quality"]}
        return all(digest(folder / name) == wanted for name, wanted in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put(staged: Path, target: Path) -> None:
    """Moves a finished folder to its place; what was there goes."""
    shutil.rmtree(target, ignore_errors=True)
    staged.rename(target)
    sync(target.parent)
