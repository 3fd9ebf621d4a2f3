"""A file at an https:// address, onto the disk of the run."""

from __future__ import annotations

import email.message
import ssl
import urllib.error
from collections.abc import Callable
from pathlib import Path

from . import http
from .credentials import FIELD, Secret
from .errors import DataInvalid


class Download:
    """One file. A try that is cut off is followed by one for the rest, where the server hands out ranges and says by which
    mark the file is still the same one."""

    def __init__(self, url: str, target: Path, secret: Secret, most: int, heard: Callable[[int], None]) -> None:
        """`heard` is told how many bytes more there are than ever before."""
        self._url, self._target, self._most, self._heard = url, target, most, heard
        self._opener, self._headers = http.outside(secret.tls()), secret.authorization()
        self._have, self._mark = 0, ""
        self._reached = 0

    def run(self, waiting: http.Waiting) -> None:
        """Patience is for a server that sends nothing: a slow file may take as long as it comes.

        Raises DataInvalid for what is refused, not trusted or too large, Unavailable when patience ends.
        """
        where = http.bare(self._url)
        try:
            http.again(self._once, where, waiting, lambda: self._reached)
        except http.Refused as refused:
            who = f"with the credentials of {FIELD}" if self._headers else f"without credentials: {FIELD} names none for https://"
            raise DataInvalid(f"data.uri: {where}: {refused}" + (f"; it was asked {who}" if refused.status in (401, 403) else "")) from refused

    def _once(self) -> None:
        have = self._have if self._mark else 0
        try:
            response = http.opened(self._opener, self._url, self._headers | ({"Range": f"bytes={have}-", "If-Range": self._mark} if have else {}))
        except urllib.error.HTTPError as error:
            if error.code == 416:  # there is no such rest
                self._mark = ""
                raise EOFError("the file is shorter than what was sent of it") from error
            raise
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                why = error.reason.verify_message
                raise DataInvalid(f"data.uri: {http.bare(self._url)}: its certificate is not trusted ({why}); ca.crt of {FIELD} may hold its authority") from error
            raise
        with response:
            if response.status != 206:
                have = 0
            elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                self._mark = ""
                raise EOFError("another part was sent than the one that was asked for")
            self._have, self._mark = have, _mark(response.headers)
            with self._target.open("r+b" if have else "wb") as out:
                out.seek(have)
                for piece in http.body(response, self._url, self._most, have):
                    out.write(piece)
                    self._have += len(piece)
                    if (more := self._have - self._reached) > 0:
                        self._reached = self._have
                        self._heard(more)


def _mark(headers: email.message.Message) -> str:
    """What tells one state of the file from another, byte by byte; empty where nothing does."""
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return ""
    tag = str(headers.get("ETag", ""))
    return tag if tag.startswith('"') else str(headers.get("Last-Modified", ""))
