"""The address of the database where a search meets. It holds a password, so nothing here prints it: not the address, not
what others say of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy
from sqlalchemy.engine import URL, Engine, make_url

from ..errors import ConfigError

VARIABLE = "FORESAIL_SEARCH_STORAGE"
FORM = "postgresql+psycopg://user:password@host:5432/database"

# A peer that is gone, and a server that does not answer, are noticed in seconds; a trial lasts minutes.
CONNECTION: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "foresail-search",
    # A database made in the locale C has the encoding SQL_ASCII, of which psycopg makes bytes, and SQLAlchemy wants text.
    "client_encoding": "utf8",
}

_SECRETS = ("password", "sslpassword", "passfile")


@dataclass(frozen=True, repr=False)
class Address:
    url: URL

    @staticmethod
    def from_env(env: Mapping[str, str] = os.environ) -> Address:
        """Raises ConfigError that names what is wrong, and nothing of what stands there."""
        text = env.get(VARIABLE, "").strip()
        if not text:
            raise ConfigError(f"search.storage: is rdb, but ${VARIABLE} is not set; it has the form {FORM}")
        try:
            url = make_url(text)
        except Exception:  # whatever it says, it may say the password
            raise ConfigError(f"search.storage: ${VARIABLE} is not an address of the form {FORM}") from None
        if url.drivername not in ("postgresql+psycopg", "postgresql"):
            raise ConfigError(f"search.storage: ${VARIABLE} names another database or driver; known is {FORM}")
        if not (url.host or url.query.get("host")):
            raise ConfigError(f"search.storage: ${VARIABLE} names no host; it has the form {FORM}")
        if not (url.database or url.query.get("dbname")):
            raise ConfigError(f"search.storage: ${VARIABLE} names no database; it has the form {FORM}")
        return Address(url.set(drivername="postgresql+psycopg"))

    def __repr__(self) -> str:
        return "Address(…)"

    def text(self) -> str:
        """All of it, in a form that Optuna, to which braces are a template, takes as it is."""
        return self.url.render_as_string(hide_password=False).replace("{", "%7B").replace("}", "%7D")

    def options(self, spare: int) -> dict[str, Any]:
        """How connections are made: one is kept, `spare` more live as long as they are used."""
        own = {key: value for key, value in CONNECTION.items() if key not in self.url.query}
        return {"pool_size": 1, "max_overflow": spare, "pool_pre_ping": True, "hide_parameters": True, "connect_args": own}

    def engine(self) -> Engine:
        return sqlalchemy.create_engine(self.url, **self.options(0))

    def without_secrets(self, text: str) -> str:
        """`text` on one line, with stars where it says a password."""
        for secret in filter(None, [self.url.password, *(self.url.query.get(key) for key in _SECRETS)]):
            # As it is, and as addresses write it.
            forms = {str(secret), quote_plus(str(secret)), *(quote(str(secret), safe=kept) for kept in ("", "/", " +"))}
            text = re.sub("|".join(map(re.escape, sorted(forms, key=len, reverse=True))), "***", text)
        return " ".join(text.split())[:400]
