"""What an error of the database means: wait and try again, or a configuration that no waiting mends."""

from __future__ import annotations

import psycopg
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..errors import ConfigError, RunError
from .address import Address

# SQLSTATE 42 is what we may not say or what the server does not understand; 0A what it cannot do. The table that is there
# already was made by another program at the same moment.
_NEVER, _RACE = ("42", "0A"), "42P07"
TIMED_OUT_WAITING = "55P03"


class Away(RunError):
    """The database cannot be reached, and was waited for; another start may have more luck. No trial is lost by that."""

    exit_code = 69
    code = "STORAGE_AWAY"


class TurnLost(Exception):
    """The connection that held the lock is gone, and the lock with it: nothing may be written by what was decided."""


def sqlstate(error: BaseException) -> str | None:
    """Five characters; None where the server said none, as when it cannot be reached."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return origin.sqlstate if isinstance(origin, psycopg.Error) else None


def reason(error: Exception, address: Address) -> str | None:
    """Why the database is away, without any secret; None for an error that is not the database's. Raises ConfigError."""
    if isinstance(error, StorageInternalError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    if isinstance(error, TurnLost):
        return "the connection that held the lock of the search is gone"
    if not isinstance(error, SQLAlchemyError | psycopg.Error):
        return None
    state = sqlstate(error)
    said = address.without_secrets(str(error.orig if isinstance(error, DBAPIError) else error)) or type(error).__name__
    if state is not None and state.startswith(_NEVER) and state != _RACE:
        raise ConfigError(f"search.storage: the database refuses ({state}): {said}") from None
    return said
