"""Whether locks of files hold on the volume where workers meet. Where they do not, a journal would be torn by two that
write at once, and nobody would know of it until much later; so it is found out before the first trial.

What one node can find out: that `flock` is refused, that it is granted to two at once, and that the mount keeps it on
this node. A server that drops locks between nodes in silence is not found.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

from ..errors import ConfigError

# What `flock` says where there are no locks at all.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)

MOUNTS = Path("/proc/self/mountinfo")

_REFUSED = 75
_OTHER = f"""
import fcntl, sys
try:
    fcntl.flock(open(sys.argv[1], "r+"), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit({_REFUSED})
"""


def keeps_locks(path: Path) -> bool:
    """Whether a second one is refused the lock on `path` that this process holds."""
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Some volumes give a lock to a process rather than to an open file: then only another process can tell. Asked
        # before the file is closed, with which such a lock would end.
        return subprocess.run([sys.executable, "-I", "-c", _OTHER, str(path)], check=False).returncode == _REFUSED
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def check(folder: Path, nodes: int, mounts: Path = MOUNTS) -> None:
    """Raises ConfigError where workers on `nodes` nodes could not rely on locks, by the mount's own word."""
    try:
        option = _kept_on_node(mounts.read_text(), folder.resolve())
    except OSError:
        return
    if option is None:
        return
    what = f"{folder}: mounted from NFS with {option}, so that file locks end at the node"
    if nodes > 1:
        raise ConfigError(f"search: {what}, and {nodes} workers would write over each other; mount it with locks (NFS 4), or search with one worker")
    print(f"search: {what}; one worker is safe, two are not", file=sys.stderr, flush=True)


def _kept_on_node(mountinfo: str, folder: Path) -> str | None:
    """The mount option by which locks below `folder` are not told to the server; None where they are, or there is no server.

    The format is that of proc_pid_mountinfo(5): mount point in the fifth field, type and options of the file system behind " - ".
    """
    best, found = -1, None
    for line in mountinfo.splitlines():
        head, _, tail = line.partition(" - ")
        fields, rest = head.split(" "), tail.split(" ")
        if len(fields) < 6 or len(rest) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4]))
        if not folder.is_relative_to(point) or len(point.parts) < best:
            continue
        # Of two at one place the later covers the earlier.
        best = len(point.parts)
        options = {*fields[5].split(","), *rest[2].split(",")}
        local = sorted(options & {"nolock", "local_lock=all", "local_lock=flock"})
        found = local[0] if rest[0].startswith("nfs") and local else None
    return found
