"""Workers that share no volume: their study is in a PostgreSQL database, in Optuna's own tables.

**One decision at a time**: an advisory lock, which belongs to a connection and ends with it. All that a decision reads and
writes goes through that very connection. So a decision cannot outlive its lock: where the connection breaks, what is still to
be written fails, and the decision is made anew.

**Signs of life** stand in Optuna's table of heartbeats, written and judged by the clock of the database. Optuna's own judgement
is not used: a trial without a first beat is never stale to it, it compares local times, and after an outage it takes all
workers for dead at once. Here the first beat is part of the decision that makes the trial, and nobody judges whose own
connection is younger than the silence.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from ..errors import ConfigError
from .address import Address
from .lease import pulse
from .outage import TIMED_OUT_WAITING, Away, TurnLost, reason, sqlstate

T = TypeVar("T")

# Attributes of a study.
CONFIG, RESULT = "foresail:config", "foresail:result"

OLDEST = 140_000
PAUSE_S = 5.0

# Of the session that decides. A worker that is frozen, or whose node is gone, holds the others up no longer than this.
_SESSION = text(
    """SELECT set_config('lock_timeout', '5s', false), set_config('idle_session_timeout', '60s', false),
              set_config('idle_in_transaction_session_timeout', '60s', false), set_config('tcp_keepalives_idle', '10', false),
              set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)"""
)
_LOCK = text("SELECT pg_advisory_lock(:key)")
_TRY = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key), set_config('idle_session_timeout', '0', false)")
_BEAT = text(
    """INSERT INTO trial_heartbeats (trial_id, heartbeat) VALUES (:trial, clock_timestamp() AT TIME ZONE 'UTC')
       ON CONFLICT (trial_id) DO UPDATE SET heartbeat = excluded.heartbeat"""
)
_BEATS = text(
    """SELECT trial_id, EXTRACT(EPOCH FROM heartbeat AT TIME ZONE 'UTC')::float8 FROM trial_heartbeats WHERE trial_id = ANY(:trials)"""
)
_CLOCK = text(
    """SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8, EXTRACT(EPOCH FROM backend_start)::float8
       FROM pg_stat_activity WHERE pid = pg_backend_pid()"""
)
_FOUND = text(
    """SELECT config.value_json, result.value_json FROM studies
       JOIN study_user_attributes config ON config.study_id = studies.study_id AND config.key = :config
       LEFT JOIN study_user_attributes result ON result.study_id = studies.study_id AND result.key = :result
       WHERE starts_with(study_name, :prefix) ORDER BY studies.study_id DESC"""
)


@dataclass(frozen=True)
class Patience:
    """Seconds for which a database that is away is waited for."""

    # Before anything was heard of it: whoever starts this worker again waits, too.
    first_s: float = 60.0
    # Later on a trial is at stake.
    later_s: float = 300.0


def prefix_of(run: str) -> str:
    """What the names of all studies of a run begin with: two runs in one database never meet."""
    return f"foresail/{run}/"


def key_of(name: str) -> int:
    """The number by which PostgreSQL knows the lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


class _Tables(RDBStorage):
    """Leaves no connection behind where it cannot be made."""

    def __init__(self, address: Address) -> None:
        try:
            # Looking at the version of the tables takes a second connection.
            super().__init__(address.text(), address.options(1))
        except BaseException:
            if hasattr(self, "engine"):
                self.engine.dispose()
            raise


class Waiting:
    """Tries again while the database is away, and says so."""

    def __init__(self, address: Address, look: Callable[[], None], patience: Patience) -> None:
        """`look` is called while waiting; what it raises ends the wait."""
        self._address, self._look, self._patience = address, look, patience
        self._reached = False

    def until(self, act: Callable[[], T]) -> T:
        """Raises Away, or ConfigError where waiting cannot help."""
        begun: float | None = None
        pause = 0.25
        while True:
            try:
                result = act()
            except Exception as error:
                why = reason(error, self._address)
                if why is None:
                    raise
            else:
                self._reached = True
                if begun is not None:
                    _say("the database is back")
                return result
            patience_s = self._patience.later_s if self._reached else self._patience.first_s
            if begun is None:
                begun = time.monotonic()
                _say(f"the database is away, it is waited for up to {patience_s:g} s: {why}")
            if time.monotonic() - begun + pause > patience_s:
                raise Away(f"search.storage: the database was away for {patience_s:g} s: {why}") from None
            self._rest(pause)
            pause = min(2 * pause, PAUSE_S)

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._look()
            time.sleep(min(left, 0.25))


class Database:
    """A `Store`."""

    storage: BaseStorage

    def __init__(
        self, address: Address, study: str, config: str, stale_s: float, look: Callable[[], None], patience: Patience | None = None
    ) -> None:
        """
        study   its name, see `prefix_of`
        config  of what is searched, for those who look for the result
        look    called between tries; what it raises ends this worker

        Raises Away, and ConfigError for a database that cannot be used.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._address, self.study, self._stale_s, self._look = address, study, stale_s, look
        self._waiting = Waiting(address, look, patience or Patience())
        self._key = key_of(study)
        self._beats = address.engine()
        # The connection that holds the lock.
        self._holder: object | None = None
        self._tables: _Tables | None = None
        try:
            self.patiently(self._open)
            self._id: int = self.decide(lambda: self._begin(config))
        except BaseException:
            self.close()
            raise

    def decide(self, decision: Callable[[], T]) -> T:
        def once() -> T:
            with self._turn():
                return decision()

        return self._waiting.until(once)

    def patiently(self, act: Callable[[], T]) -> T:
        return self._waiting.until(act)

    def begun(self, trial_id: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(_BEAT, {"trial": trial_id})

    def alive(self, trial: Trial | FrozenTrial, worker: str) -> AbstractContextManager[None]:
        def beat(count: int) -> None:
            with self._beats.begin() as connection:
                connection.execute(_BEAT, {"trial": trial._trial_id})

        return pulse(beat, self._stale_s, SQLAlchemyError)

    def silent(self, running: Iterable[FrozenTrial]) -> list[tuple[FrozenTrial, float | None]]:
        by_id = {trial._trial_id: trial for trial in running}
        if not by_id:
            return []
        with self._engine.begin() as connection:
            last: dict[int, float] = {row[0]: row[1] for row in connection.execute(_BEATS, {"trials": list(by_id)})}
            now, since = connection.execute(_CLOCK).one()
        # Without a first beat the decision that made it was never finished, and nobody runs it.
        return [
            (trial, last.get(number))
            for number, trial in by_id.items()
            if number not in last or now - max(last[number], since) >= self._stale_s
        ]

    def lost(self, trial: Trial | FrozenTrial) -> None:
        """Its beat stays: a trial that has ended is not asked for."""

    def publish(self, document: dict[str, Any]) -> None:
        self.storage.set_study_user_attr(self._id, RESULT, document)

    def agree(self, key: str, value: T) -> T:
        """What the first worker said of `key`: every later one hears that, and not its own."""

        def first() -> T:
            known = self.storage.get_study_user_attrs(self._id)
            if key in known:
                agreed: T = known[key]
                return agreed
            self.storage.set_study_user_attr(self._id, key, value)
            return value

        return self.decide(first)

    def close(self) -> None:
        self._beats.dispose()
        if self._tables is not None:
            self._tables.engine.dispose()

    @property
    def _engine(self) -> Engine:
        assert self._tables is not None
        engine: Engine = self._tables.engine
        return engine

    def _open(self) -> None:
        """With Optuna's tables, made by one worker at a time."""
        with self._beats.connect() as connection:
            version: int = connection.scalar(text("SELECT current_setting('server_version_num')::int")) or 0
            if version < OLDEST:
                raise ConfigError(f"search.storage: PostgreSQL {version // 10_000} is too old, 14 is the oldest that is known to do")
            connection.execute(_SESSION)
            connection.execute(_LOCK, {"key": key_of("foresail tables")})
            connection.commit()
            try:
                tables = _Tables(self._address)
            except RuntimeError as error:  # tables of another version
                raise ConfigError(f"search.storage: {self._address.without_secrets(str(error))}") from None
            finally:
                connection.invalidate()
        event.listen(tables.engine, "checkout", self._checked_out)
        self.storage, self._tables = get_storage(tables), tables

    def _begin(self, config: str) -> int:
        try:
            number = self.storage.create_new_study([StudyDirection.MINIMIZE], self.study)
        except DuplicatedStudyError:
            number = self.storage.get_study_id_from_name(self.study)
        self.storage.set_study_user_attr(number, CONFIG, config)
        with self._beats.connect() as another:
            if another.scalar(_TRY, {"key": self._key}):
                another.invalidate()
                with self._engine.connect():
                    pass  # or the lock is gone with its connection: TurnLost
                raise ConfigError(
                    "search.storage: this database grants a lock to two at once; connect to PostgreSQL itself, or to a pooler that pools sessions"
                )
        return number

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._engine.connect() as connection:
            try:
                self._acquire(connection)
                self._holder = connection.connection.dbapi_connection
            except BaseException:  # the lock may be held, and must not be found so by the next turn
                connection.invalidate()
                raise
        try:
            yield
        finally:
            self._release()

    def _acquire(self, connection: Connection) -> None:
        connection.execute(_SESSION)
        connection.commit()
        while True:
            try:
                connection.execute(_LOCK, {"key": self._key})
                connection.commit()
                return
            except SQLAlchemyError as error:
                if sqlstate(error) != TIMED_OUT_WAITING:
                    raise
                connection.rollback()
            self._look()

    def _release(self) -> None:
        holder, self._holder = self._holder, None
        try:
            with self._engine.connect() as connection:
                if connection.connection.dbapi_connection is not holder:
                    return  # it ended with its connection
                held = connection.execute(_UNLOCK, {"key": self._key}).one()[0]
                connection.commit()
        except SQLAlchemyError:
            self._engine.dispose()
            return
        if not held:
            raise ConfigError("search.storage: the lock was not kept by its connection; a pooler in between must pool sessions, not transactions")

    def _checked_out(self, connection: object, record: object, proxy: object) -> None:
        if self._holder is not None and connection is not self._holder:
            raise TurnLost


def read_result(address: Address, run: str, config: str, patience: Patience | None = None) -> dict[str, Any]:
    """What a search of `run` with this configuration found. Raises ConfigError where none has ended, and Away."""
    engine = address.engine()

    def read() -> list[tuple[str, str | None]]:
        with engine.connect() as connection:
            if not connection.scalar(text("SELECT to_regclass('studies') IS NOT NULL")):
                return []
            named = {"config": CONFIG, "result": RESULT, "prefix": prefix_of(run)}
            return [(row[0], row[1]) for row in connection.execute(_FOUND, named)]

    try:
        studies = Waiting(address, lambda: None, patience or Patience()).until(read)
    finally:
        engine.dispose()
    if not studies:
        raise ConfigError("search: the database has no search of this run; foresail-search makes one with the same configuration")
    own = [result for of, result in studies if json.loads(of) == config]
    if not own:
        raise ConfigError("search: what the database has of this run was searched with another configuration")
    for result in own:
        if result is not None:
            document: dict[str, Any] = json.loads(result)
            return document
    raise ConfigError("search: the search of this run has not ended")


def _say(what: str) -> None:
    print(f"search: {what}", file=sys.stderr, flush=True)
