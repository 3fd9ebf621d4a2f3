"""Writes that a crash cannot tear."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def is_full(error: Exception) -> bool:
    """Whether the disk, or what its owner may have of it, is used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def write_synced(path: Path, data: bytes) -> None:
    """Writes `path` in place and waits for the disk; leaves nothing behind when that fails."""
    try:
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.filename is None:  # what a write raises does not say where
            error.filename = str(path)
        raise


def sync_folder(path: Path) -> None:
    """A rename outlives a power cut once its folder is on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomic(path: Path, data: bytes) -> None:
    """Replaces `path` in one step: temp file beside it, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    write_synced(temporary, data)
    os.replace(temporary, path)
    sync_folder(path.parent)
