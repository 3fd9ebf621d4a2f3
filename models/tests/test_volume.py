"""Volumes on which file locks do not hold are found before the first trial."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from types import SimpleNamespace

import pytest

from foresail_models.errors import ConfigError
from foresail_models.search import journal, volume

MOUNTS = """\
22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 22 0:45 / /work rw,relatime shared:9 master:3 - nfs 10.0.0.9:/runs rw,vers=3,nolock,proto=tcp,local_lock=all,addr=10.0.0.9
41 22 0:46 / /work/kept rw,relatime - nfs4 10.0.0.9:/kept rw,vers=4.2,local_lock=none
42 22 0:47 / /mine\\040too rw - nfs 10.0.0.9:/x rw,vers=3,local_lock=flock
43 22 0:48 / /worker rw - nfs 10.0.0.9:/y rw,vers=3,local_lock=none
44 22 0:49 / /over rw - nfs 10.0.0.9:/z rw,vers=3,nolock
45 44 0:50 / /over rw - ext4 /dev/vdb rw
"""


@pytest.mark.parametrize(
    "folder, option",
    [
        ("work/search", "local_lock=all"),
        ("mine too", "local_lock=flock"),
        ("work/kept/search", None),
        ("worker/search", None),
        ("over/search", None),
        ("home", None),
    ],
)
def test_the_mount_says_whether_its_locks_end_at_the_node(tmp_path, folder, option, capfd):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.replace(" /", f" {tmp_path}/").replace(f" {tmp_path}/ {tmp_path}/ ", f" {tmp_path}/ / "))
    volume.check(tmp_path / folder, 1, mounts)
    assert (f"with {option}" in capfd.readouterr().err) == (option is not None)
    if option is None:
        volume.check(tmp_path / folder, 3, mounts)
    else:
        with pytest.raises(ConfigError, match=f"^search: .*with {option}.* and 3 workers would write over each other"):
            volume.check(tmp_path / folder, 3, mounts)


def test_where_no_mounts_are_told_nothing_is_claimed(tmp_path):
    volume.check(tmp_path, 3, tmp_path / "none")


def test_a_volume_that_keeps_locks_is_used_with_them(tmp_path):
    assert isinstance(journal.lock_for(tmp_path / "lock"), journal.KernelLock)


def test_a_lock_that_is_granted_to_two_at_once_is_found(tmp_path, monkeypatch):
    """The volume's part is played by a `flock` that does nothing; the other process is real."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(ConfigError, match="grants a file lock .* to two at once"):
        journal.lock_for(tmp_path / "lock")


def test_locks_of_a_process_rather_than_of_a_file_are_locks(tmp_path, monkeypatch):
    """As some network file systems make of `flock`: this process may take it twice, another may not take it once."""
    first, flock = [], fcntl.flock

    def once(handle, how):
        if not first:
            first.append(handle)
            flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", once)
    assert isinstance(journal.lock_for(tmp_path / "lock"), journal.KernelLock)


def test_without_locks_files_take_their_place_and_people_are_told(tmp_path, monkeypatch, capfd):
    def refuses(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuses)
    assert isinstance(journal.lock_for(tmp_path / "lock"), journal.FileLock)
    assert "has no file locks (No locks available)" in capfd.readouterr().err


def test_a_lock_file_is_not_taken_from_one_that_holds_it_for_long(tmp_path, monkeypatch):
    """As while data are fetched. Its holder says now and then that it is there."""
    monkeypatch.setattr(journal, "TOUCH_S", 0.05)
    mine, other = journal.FileLock(tmp_path / "lock"), journal.FileLock(tmp_path / "lock")
    other.grace_period = 1
    now = [0.0]

    def touched():
        try:
            return os.stat(mine._lock_file).st_mtime_ns
        except FileNotFoundError:
            return None

    def sleep(seconds):
        """Until the next touch, however long that takes on a busy machine; one that never comes is seen to be missing."""
        before, end = touched(), time.monotonic() + 10
        while before and touched() == before and time.monotonic() < end:
            time.sleep(0.01)
        now[0] += seconds if time.monotonic() < end else 10

    # Only those who wait for a lock look at this clock.
    monkeypatch.setattr("optuna.storages.journal._file.time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    got = threading.Event()
    waiter = threading.Thread(target=lambda: (other.acquire(), got.set(), other.release()), daemon=True)
    with journal.held(mine):
        waiter.start()
        while now[0] < 5 and not got.wait(0.01):
            pass
        assert not got.is_set()
    assert got.wait(10)
    waiter.join()
