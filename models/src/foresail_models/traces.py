"""Reads the scoring data: a folder with a manifest, CSV traces and wide CSV panels."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Trace:
    name: str
    group: str  # "traces" or "panels"
    step_s: int
    values: np.ndarray  # float32 [N]

    @property
    def days(self) -> float:
        return self.values.size * self.step_s / 86400


def load(folder: Path) -> list[Trace]:
    """All series that the manifest names; raises ValueError that says which file is bad."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise ValueError(f"{folder}: no manifest.json, not a folder of traces")
    manifest = json.loads(path.read_text())
    traces = []
    for entry in manifest["series"]:
        columns = _columns(folder / entry["file"])
        traces.append(Trace(entry["name"], "traces", int(entry["interval_seconds"]), columns["value"]))
    for entry in manifest.get("panels", []):
        for column, values in _columns(folder / entry["file"]).items():
            traces.append(Trace(f"{entry['name']}/{column}", "panels", int(entry["interval_seconds"]), values))
    return traces


def _columns(path: Path) -> dict[str, np.ndarray]:
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    header, body = rows[0], rows[1:]
    try:
        table = np.array([[float(cell) if cell else np.nan for cell in row] for row in body], dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return {name: table[:, i].astype(np.float32) for i, name in enumerate(header) if i > 0}
