"""A real PostgreSQL server on loopback for the tests that need one: begun by them, stopped and killed by them, ended with them."""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL

from . import runs

# Of all that an address, a template or a configuration file may take for its own.
PASSWORD = "p{a}s/s:w@r%d'#? "
ROLE = "foresail"


class Postgres:
    def __init__(self, programs: Path, folder: Path, uid: int | None) -> None:
        """uid  whose the server is; None: ours"""
        self.port, self._programs, self._folder, self._uid = runs.free_port(), programs, folder, uid
        self._server: subprocess.Popen[bytes] | None = None
        self._made = 0
        (folder / "password").write_text(PASSWORD)
        for path in (folder, folder / "password"):
            if uid is not None:
                os.chown(path, uid, -1)
        made = ["--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", f"--username={ROLE}", f"--pwfile={folder}/password"]
        subprocess.run([programs / "initdb", "-D", folder / "data", *made], check=True, capture_output=True, user=uid, cwd=folder)

    def start(self) -> None:
        """Returns once it answers."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self._folder}
        settings |= {"fsync": "off", "max_connections": 60}
        command = [self._programs / "postgres", "-D", self._folder / "data", *(f"--{key}={value}" for key, value in settings.items())]
        with open(self._folder / "log", "ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, user=self._uid, cwd=self._folder, preexec_fn=_end_with_parent)
        until = time.monotonic() + 60
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                assert self._server.poll() is None and time.monotonic() < until, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT cuts all connections off in order; SIGQUIT is as if the machine had lost power, less the disk's cache."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(60)
            self._server = None

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        where = {"host": "127.0.0.1", "port": self.port, "user": ROLE, "password": PASSWORD, "dbname": database}
        with psycopg.connect(**where, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str) -> URL:
        return URL.create("postgresql+psycopg", ROLE, PASSWORD, "127.0.0.1", self.port, database)

    def database(self, encoding: str = "UTF8") -> str:
        """A new one, by name."""
        self._made += 1
        self.execute(f"CREATE DATABASE search{self._made} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        return f"search{self._made}"


@contextmanager
def running() -> Iterator[Postgres]:
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here; Debian has it in the package postgresql")
    uid = 65534 if os.geteuid() == 0 else None  # it refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="foresail-postgres-"))
    try:
        try:
            server = Postgres(programs, folder, uid)
        except PermissionError as error:
            pytest.skip(f"a PostgreSQL server cannot be started as another user here: {error}")
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder)


def _programs() -> Path | None:
    """Debian keeps those of a server off the path, by version."""
    known = [*os.environ.get("PATH", "").split(":"), *sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: float(p.split("/")[4]))]
    return next((Path(each) for each in reversed(known) if all((Path(each) / name).is_file() for name in ("initdb", "postgres"))), None)


def _end_with_parent() -> None:
    """A test that is killed takes its server with it. 1 is PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
