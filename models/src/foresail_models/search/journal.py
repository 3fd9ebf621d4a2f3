"""The file that is the search: Optuna's journal, made to survive what happens to files on shared volumes.

Two things differ from the backend that Optuna has. Its locks are files that a killed holder leaves behind; all others wait
for them half a minute and then take them by force, two at a time if it so happens. Here the kernel holds the lock
(`flock`), which ends with its holder; NFS since version 4 and CephFS know it across nodes. And a record that was torn in
the middle is cut off before the next is written: nobody was told that it had been written, and behind it no reader could go on.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import BaseJournalFileLock

from ..errors import ConfigError, RunError
from ..files import sync_folder
from . import volume

# Of a lock that is a file.
TOUCH_S = 5.0


class KernelLock(BaseJournalFileLock):
    """Exclusive among processes and, where the volume has locks, among nodes. Not for threads of one process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except BaseException:  # a signal may end the wait
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class FileLock(JournalFileOpenLock):
    """A file that must not be there, for volumes without locks. The others take it by force when its time does not change
    for half a minute, so it is touched for as long as it is held: fetching data takes longer than that."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._over = threading.Event()

    def acquire(self) -> bool:
        super().acquire()
        self._over = threading.Event()
        threading.Thread(target=self._touch, args=(self._over,), daemon=True, name="lock").start()
        return True

    def release(self) -> None:
        self._over.set()
        super().release()

    def _touch(self, over: threading.Event) -> None:
        while not over.wait(TOUCH_S):
            try:
                os.utime(self._lock_file)
            except OSError:
                pass  # the next one may succeed


@contextmanager
def held(lock: BaseJournalFileLock) -> Iterator[None]:
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def lock_for(path: Path) -> BaseJournalFileLock:
    """The kernel's, or on a volume without locks a file, which stalls for half a minute when its holder is killed.

    Raises ConfigError on a volume that grants a lock to two at once.
    """
    lock = KernelLock(path)
    try:
        with held(lock):
            if not volume.keeps_locks(path):
                raise ConfigError(f"search: {path.parent}: this volume grants a file lock (flock) to two at once; use one that keeps locks")
            return lock
    except OSError as error:
        if error.errno not in volume.NO_LOCKS:
            raise
        print(f"search: {path.parent}: this volume has no file locks ({error.strerror}); lock files take their place", file=sys.stderr, flush=True)
        return FileLock(path)


class Harmed(RunError):
    """A record in the middle of the journal cannot be read. Nothing is thrown away for that, and trying again helps nobody."""

    exit_code = 78
    code = "JOURNAL_HARMED"


class Backend(JournalFileBackend):
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.lock = path, lock_for(path.with_name(path.name + ".lock"))
        with held(self.lock):
            fresh = not path.exists()
            super().__init__(str(path), self.lock)
            if fresh:
                sync_folder(path.parent)
            self._mend(whole=True)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        data = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with held(self.lock):
            self._mend(whole=False)
            with open(self.path, "ab", buffering=0) as file:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, "journal: a record was written only in part", str(self.path))
                os.fsync(file.fileno())

    def _mend(self, whole: bool) -> None:
        """Cuts a torn end off. `whole` looks at every record, else only whether the last one has an end."""
        with open(self.path, "rb+") as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                return
            file.seek(size - 1)
            if not whole and file.read(1) == b"\n":
                return
            file.seek(0)
            keep = _readable(file.read(), self.path)
            if keep < size:
                file.truncate(keep)
                os.fsync(file.fileno())


def _readable(data: bytes, path: Path) -> int:
    """The length of the records that are whole. Raises Harmed when one behind them is."""
    keep, torn = 0, False
    for line in data.splitlines(keepends=True):
        good = line.endswith(b"\n") and _is_record(line)
        if good and torn:
            raise Harmed(f"{path}: the record at byte {keep} is harmed, with whole ones behind it")
        torn = torn or not good
        keep += 0 if torn else len(line)
    return keep


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
