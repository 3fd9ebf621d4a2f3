"""Reads series out of Parquet and CSV files.

Three layouts are known by their columns:
- long: `series` (text), `t` (whole seconds since the epoch, or a timestamp with a time zone), `v` (number or null);
  without `series` the file is one series, named after the file; `timestamp,value` are taken for `t,v`.
- runs, as the operator keeps its history: `series`, `start` (timestamp), `step` (ms), `values` (list of number).
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from .errors import DataInvalid
from .series import Raw

SUFFIXES = (".parquet", ".csv", ".csv.gz")
BATCH_ROWS = 1 << 18
_SYNONYMS = {"timestamp": "t", "value": "v"}


class Gathered:
    """Pieces of series from any number of files; a later row of a stamp replaces an earlier one."""

    def __init__(self, max_series: int, max_points: int) -> None:
        self._max_series, self._max_points = max_series, max_points
        self._pieces: dict[str, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
        self._steps: dict[str, int] = {}
        self.points = 0

    def names(self) -> list[str]:
        return sorted(self._pieces)

    def stamps(self, name: str) -> Iterator[np.ndarray]:
        return (t for t, _ in self._pieces[name])

    def take(self, name: str) -> Raw:
        """Hands a series over and forgets it, so that memory falls while the series are worked on."""
        pieces = self._pieces.pop(name)
        return Raw(np.concatenate([t for t, _ in pieces]), np.concatenate([v for _, v in pieces]), self._steps.get(name))

    def read(self, path: Path, where: str) -> None:
        """Adds a file; `where` is what errors call it."""
        self._where = where
        try:
            if path.name.endswith(".parquet"):
                self._parquet(path)
            else:
                self._csv(path)
        except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
            if isinstance(error, PermissionError):
                raise DataInvalid(f"{where}: user {os.getuid()} of the pod may not read it") from error
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DataInvalid(f"{where}: {str(error).splitlines()[0]}") from error

    def _parquet(self, path: Path) -> None:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            names = file.schema_arrow.names
            runs = {"series", "start", "step", "values"} <= set(names)
            if not runs and self.points + file.metadata.num_rows > self._max_points:
                raise self._too_many()
            if not runs:
                self._check_names(names)
            wanted = ["series", "start", "step", "values"] if runs else [n for n in names if _SYNONYMS.get(n, n) in ("series", "t", "v")]
            for batch in file.iter_batches(1024 if runs else BATCH_ROWS, columns=wanted):
                if runs:
                    self._runs(batch)
                else:
                    self._long(batch, path)

    def _csv(self, path: Path) -> None:
        with path.open("rb") as raw:
            body: IO[bytes] = gzip.GzipFile(fileobj=raw) if path.name.endswith(".gz") else raw  # type: ignore[assignment]
            # All as text: a type that is guessed from the first block breaks on the second.
            header = body.readline(65_536).decode("utf-8-sig", errors="replace").strip()
            names = [name.strip().strip('"') for name in header.split(",")]
            self._check_names(names)
            text = csv.ConvertOptions(column_types={n: pa.string() for n in names}, strings_can_be_null=True, null_values=["", "null", "NaN", "nan"])
            reader = csv.open_csv(body, csv.ReadOptions(column_names=names, block_size=8 << 20), convert_options=text)
            for batch in reader:
                self._long(batch, path)

    def _check_names(self, names: list[str]) -> None:
        meant = [_SYNONYMS.get(n, n) for n in names]
        for wanted in ("t", "v"):
            if meant.count(wanted) != 1:
                raise DataInvalid(f"{self._where}: {'no' if wanted not in meant else 'more than one'} column {wanted}; it has {', '.join(names)}; known are series, t, v")

    def _long(self, batch: pa.RecordBatch, path: Path) -> None:
        batch = batch.rename_columns([_SYNONYMS.get(n, n) for n in batch.schema.names])
        if not batch.num_rows:
            return
        t, v = self._seconds(batch["t"]), self._numbers(batch["v"])
        if "series" not in batch.schema.names:
            self._add(path.name.partition(".")[0], t, v)
            return
        series = batch["series"]
        if series.null_count:
            raise DataInvalid(f"{self._where}: column series: a row without a name")
        codes_of = series if pa.types.is_dictionary(series.type) else series.dictionary_encode()
        codes = codes_of.indices.to_numpy()
        if codes_of.dictionary.null_count:
            raise DataInvalid(f"{self._where}: column series: a row without a name")
        names = codes_of.dictionary.cast(pa.string()).to_pylist()
        if (np.diff(codes) < 0).any():
            order = np.argsort(codes, kind="stable")
            codes, t, v = codes[order], t[order], v[order]
        edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), codes.size]
        for a, b in zip(edges, edges[1:]):
            # Copies: a slice would keep the whole batch alive.
            self._add(names[codes[a]], t[a:b].copy(), v[a:b].copy())

    def _runs(self, batch: pa.RecordBatch) -> None:
        for column in ("series", "start", "step", "values"):
            if batch[column].null_count:
                raise DataInvalid(f"{self._where}: column {column}: a row without a {'name' if column == 'series' else 'value'}")
        if not pa.types.is_list(kind := batch["values"].type) and not pa.types.is_large_list(kind):
            raise DataInvalid(f"{self._where}: column values: {kind}; a list of numbers is read")
        starts = self._cast(batch, "start", pa.timestamp("ms", "UTC")).cast(pa.int64()).to_numpy()
        steps = self._cast(batch, "step", pa.int64()).to_numpy()
        for i, name in enumerate(self._cast(batch, "series", pa.string()).to_pylist()):
            if steps[i] < 1000 or steps[i] % 1000 or starts[i] % 1000:
                raise DataInvalid(f"{self._where}: series {name}: start {starts[i]} ms, step {steps[i]} ms are not whole seconds")
            step = int(steps[i]) // 1000
            if self._steps.setdefault(name, step) != step:
                # The step was changed along the way: let the stamps speak.
                self._steps[name] = 0
            v = self._numbers(batch["values"][i].values)
            self._add(name, int(starts[i]) // 1000 + step * np.arange(v.size, dtype=np.int64), v)

    def _cast(self, batch: pa.RecordBatch, column: str, kind: pa.DataType) -> pa.Array:
        try:
            return pc.cast(batch[column], kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataInvalid(f"{self._where}: column {column}: {str(error).splitlines()[0]}") from error

    def _add(self, name: str, t: np.ndarray, v: np.ndarray) -> None:
        if not 0 < len(name.encode()) <= 512:
            raise DataInvalid(f"{self._where}: column series: a name of {len(name.encode())} bytes; 1 to 512 are allowed")
        self.points += t.size
        if self.points > self._max_points:
            raise self._too_many()
        if name not in self._pieces and len(self._pieces) >= self._max_series:
            raise DataInvalid(f"{self._where}: more than {self._max_series} series (data.maxSeries)")
        if t.size:
            self._pieces[name].append((t, v))

    def _too_many(self) -> DataInvalid:
        return DataInvalid(f"{self._where}: more than {self._max_points} points (data.maxPoints); take fewer series or a coarser step")

    def _seconds(self, column: pa.Array) -> np.ndarray:
        kind = column.type
        if column.null_count:
            raise DataInvalid(f"{self._where}: column t: {column.null_count} rows without a time")
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            column = self._text_times(column)
            kind = column.type
        if pa.types.is_timestamp(kind):
            if kind.tz is None:
                raise DataInvalid(f"{self._where}: column t: times without a zone, an hour of which occurs twice a year; write seconds or UTC")
            return _floor_seconds(column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy())
        if pa.types.is_integer(kind):
            return column.cast(pa.int64()).to_numpy()
        if pa.types.is_floating(kind):
            t = column.to_numpy(zero_copy_only=False)
            if not np.isfinite(t).all():
                raise DataInvalid(f"{self._where}: column t: a time that is not finite")
            return np.floor(t).astype(np.int64)
        raise DataInvalid(f"{self._where}: column t: {kind}; seconds or timestamps are read")

    def _text_times(self, column: pa.Array) -> pa.Array:
        try:
            return pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            pass
        try:
            return pc.cast(column, pa.timestamp("ns", "UTC"))
        except pa.ArrowInvalid as error:
            raise DataInvalid(f"{self._where}: column t: {str(error).splitlines()[0]}; seconds or ISO 8601 with a zone are read") from error

    def _numbers(self, column: pa.Array) -> np.ndarray:
        try:
            numbers = pc.cast(column, pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataInvalid(f"{self._where}: column v: {str(error).splitlines()[0]}") from error
        with np.errstate(over="ignore"):
            return numbers.to_numpy(zero_copy_only=False).astype(np.float32)


def _floor_seconds(ns: np.ndarray) -> np.ndarray:
    return ns // 1_000_000_000
