"""A line per step and attempt, so that steps done twice after a kill can be counted."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


class StepLog:
    """Appends to `path`. A full disk costs lines, not the run."""

    def __init__(self, path: Path, attempt: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._attempt, self._warned = attempt, False
        torn = _is_torn(path)
        self._file = open(path, "a", buffering=1)
        if torn:  # by a process killed in the middle of a line
            self._write("\n")

    def add(self, step: int, loss: float) -> None:
        self._write(json.dumps({"step": step, "loss": loss, "attempt": self._attempt}) + "\n")

    def close(self) -> None:
        try:
            self._file.close()
        except OSError:
            pass

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            if not self._warned:
                print(f"step log: {error}; lines are missing from here on", file=sys.stderr, flush=True)
            self._warned = True


def _is_torn(path: Path) -> bool:
    """Whether its last line has no end."""
    try:
        with open(path, "rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except FileNotFoundError:
        return False


def read(path: Path) -> list[dict[str, Any]]:
    """The whole lines."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def repeated(rows: list[dict[str, Any]]) -> int:
    """Steps that were done more than once."""
    return len(rows) - len({row["step"] for row in rows})
