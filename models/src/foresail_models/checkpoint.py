"""Checkpoints that neither a crash, nor a full disk, nor a returning zombie can spoil.

One folder each, `step-<n>/`, made beside its place and renamed into it: `state.pt`, then `manifest.json` with
its digest, each synced. The newest one that is whole and unaltered is resumed; no code is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .config import Recipe
from .errors import ConfigError
from .files import sync_folder, write_synced

STATE, MANIFEST = "state.pt", "manifest.json"


def pack(state: dict[str, Any]) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, Any]:
    """On the CPU, whatever device it was written from."""
    import torch

    state: dict[str, Any] = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    return state


class Checkpoints:
    """The checkpoints of one run in `folder`, of which the newest `keep` stay."""

    def __init__(self, folder: Path, keep: int = 3, warn: Callable[[str], None] | None = None) -> None:
        self.folder, self.keep = folder, keep
        self.warn = warn or (lambda text: print(text, file=sys.stderr, flush=True))

    def save(self, step: int, data: bytes, attempt: int, before_rename: Callable[[], None] = lambda: None) -> None:
        """Raises OSError, for example on a full disk; then what was there is still there.

        data           as of `pack`
        before_rename  may raise: the last moment to find out that someone else has taken over
        """
        if not self.folder.is_dir():
            self.folder.mkdir(parents=True, exist_ok=True)
            sync_folder(self.folder.parent)
        target, making = self.folder / f"step-{step}", self.folder / f".making-{step}-{attempt}"
        shutil.rmtree(making, ignore_errors=True)
        manifest = {"schema": 1, "step": step, "attempt": attempt, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        try:
            making.mkdir()
            write_synced(making / STATE, data)
            write_synced(making / MANIFEST, (json.dumps(manifest) + "\n").encode())
            sync_folder(making)
            before_rename()
            # There is one already only where it was found torn, or a later one was.
            shutil.rmtree(target, ignore_errors=True)
            os.rename(making, target)
            sync_folder(self.folder)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        self._prune(step, attempt)

    def newest(self) -> bytes | None:
        """The bytes of the newest whole checkpoint; a torn or altered one is passed over with a warning."""
        for step in self.steps():
            try:
                return self._read(step)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.warn(f"checkpoint step-{step} passed over: {error}")
        return None

    def steps(self) -> list[int]:
        """Newest first; whole or not."""
        if not self.folder.is_dir():
            return []
        return sorted((int(p.name[5:]) for p in self.folder.glob("step-*") if p.name[5:].isdecimal()), reverse=True)

    def _read(self, step: int) -> bytes:
        folder = self.folder / f"step-{step}"
        manifest = json.loads((folder / MANIFEST).read_text())
        data = (folder / STATE).read_bytes()
        if hashlib.sha256(data).hexdigest() != manifest["sha256"] or manifest["step"] != step:
            raise ValueError("its state is not the one that its manifest describes")
        return data

    def _prune(self, newest: int, attempt: int) -> None:
        """Also what a killed process was making. Steps beyond `newest` are such as were passed over, or those of an heir: whoever
        prunes may have been frozen since it last looked whether it may."""
        kept = [step for step in self.steps() if step <= newest][: self.keep]
        for path in [*self.folder.glob("step-*"), *self.folder.glob(".making-*")]:
            if path.name not in {f"step-{step}" for step in kept} and _attempt_of(path) <= attempt:
                shutil.rmtree(path, ignore_errors=True)


def _attempt_of(path: Path) -> int:
    """Whose a folder of `Checkpoints` is; 0 where it is torn and nobody can tell."""
    try:
        return int(path.name.rpartition("-")[2] if path.name.startswith(".") else json.loads((path / MANIFEST).read_text())["attempt"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def fingerprint(recipe: Recipe, data_sha256: str) -> str:
    """What a checkpoint belongs to: the recipe and the manifest of the data."""
    return hashlib.sha256(f"{recipe.fingerprint()} {data_sha256}".encode()).hexdigest()


def restored(data: bytes | None, fingerprint: str) -> dict[str, Any] | None:
    """The state in `data`, or None without. Raises ConfigError when another configuration wrote it."""
    if data is None:
        return None
    state = unpack(data)
    if state["fingerprint"] != fingerprint:
        raise ConfigError("the checkpoints here were written with another configuration or other data; use another folder or remove them")
    return state
