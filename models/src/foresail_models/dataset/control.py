"""The operator's side of a run: where it is, how it is known, and how a pod proves that it is the live attempt."""

from __future__ import annotations

import functools
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import http


@dataclass(frozen=True)
class Control:
    """`url` is the base of the attempt; the token is read anew for each request, so it is never kept in memory or a log."""

    url: str
    token_file: Path
    # Authorities of an operator that speaks HTTPS; None: those of the system.
    ca_file: Path | None = None

    @staticmethod
    def from_env(env: Mapping[str, str] = os.environ) -> Control | None:
        """None outside a cluster."""
        url = env.get("FORESAIL_CONTROL_URL")
        if not url:
            return None
        token, ca = env.get("FORESAIL_TOKEN_FILE", "/var/run/foresail/token"), env.get("FORESAIL_CA_FILE")
        return Control(url.rstrip("/"), Path(token), Path(ca) if ca else None)

    def token(self) -> str:
        return self.token_file.read_text().strip()

    @functools.cached_property
    def opener(self) -> urllib.request.OpenerDirector:
        """Takes the token to the operator and nowhere else. Raises ConfigError."""
        return http.direct(self.ca_file)
