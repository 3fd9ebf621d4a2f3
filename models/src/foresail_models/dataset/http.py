"""HTTP GET with limits: bounded size, bounded patience, and nothing sent to an address that was not named.

Of the standard library alone. A proxy of the environment is used for addresses outside, never for the operator.
"""

from __future__ import annotations

import email.message
import http.client
import random
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from ..files import is_full
from .errors import ConfigError, DataInvalid, Unavailable

T = TypeVar("T")

CHUNK = 1 << 20
TIMEOUT_S = 60.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
# A leader that fails over, a node that reboots: worth waiting for. Longer is for the next attempt.
PATIENCE_S = 600.0
# Told to come again, or never reached the program behind the address.
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class Refused(Exception):
    """An answer that trying again cannot change."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


@dataclass(frozen=True)
class Waiting:
    """Clock, sleep and chance of the retries, so that a test need not wait."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    patience_s: float = PATIENCE_S


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same scheme, host and port only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urllib.parse.urlsplit(req.full_url), urllib.parse.urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            fp.close()
            raise Refused(code, f"{bare(req.full_url)} sends to another host, {new.netloc}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to the operator and nowhere else."""

    def redirect_request(self, *_: Any) -> urllib.request.Request | None:
        return None


def direct(ca_file: Path | None) -> urllib.request.OpenerDirector:
    """For the operator, known by the authorities in `ca_file` alone, or by those of the system. Raises ConfigError."""
    try:
        tls = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise ConfigError(f"FORESAIL_CA_FILE: {ca_file}: {error}") from error
    return urllib.request.build_opener(_NoRedirect(), urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))


def outside(tls: ssl.SSLContext) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_SameHost(), urllib.request.HTTPSHandler(context=tls))


def get(
    opener: urllib.request.OpenerDirector,
    url: str,
    headers: Callable[[], dict[str, str]],
    limit: int,
    waiting: Waiting,
) -> bytes:
    """The whole body, unpacked, at most `limit` bytes. `headers` is asked before each try: a token may be renewed.

    Raises Refused, DataInvalid for a body that is too large or broken, Unavailable when patience ends.
    """
    return again(lambda: b"".join(stream(opener, url, headers(), limit)), bare(url), waiting)


def again(attempt: Callable[[], T], what: str, waiting: Waiting, achieved: Callable[[], int] = lambda: 0) -> T:
    """Repeats `attempt` with growing, scattered pauses while it fails in a way that passes.

    Patience begins anew with whatever was `achieved`, a number that grows.
    """
    since, most = waiting.clock(), achieved()
    wait = FIRST_WAIT_S
    while True:
        try:
            return attempt()
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in RETRIED:
                    raise Refused(error.code, _said(error)) from error
                reason, asked = f"HTTP {error.code}: {_said(error)}", _retry_after(error.headers)
        except (OSError, http.client.HTTPException, zlib.error, EOFError) as error:
            if is_full(error):
                raise
            reason, asked = f"{type(error).__name__}: {error}", 0.0
        if achieved() > most:
            since, most, wait = waiting.clock(), achieved(), FIRST_WAIT_S
        pause = max(wait * (0.5 + waiting.chance() / 2), min(asked, LONGEST_WAIT_S))
        if waiting.clock() - since + pause > waiting.patience_s:
            raise Unavailable(f"{what} did not answer for {waiting.clock() - since:.0f} s; last: {reason}")
        waiting.sleep(pause)
        wait = min(2 * wait, LONGEST_WAIT_S)


def opened(opener: urllib.request.OpenerDirector, url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "foresail-train"} | headers)
    response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT_S)
    return response


def stream(opener: urllib.request.OpenerDirector, url: str, headers: dict[str, str], limit: int) -> Iterator[bytes]:
    """The whole body in pieces, as `body`."""
    with opened(opener, url, headers) as response:
        yield from body(response, url, limit)


def body(response: http.client.HTTPResponse, url: str, limit: int, before: int = 0) -> Iterator[bytes]:
    """In pieces, gzip unpacked as it comes, so that a small body cannot become a large one unseen. It goes on behind `before` bytes."""
    packed = response.headers.get("Content-Encoding", "identity").lower()
    if packed not in ("identity", "gzip"):
        raise DataInvalid(f"{bare(url)}: content encoding {packed}, which was not asked for")
    unpack = zlib.decompressobj(wbits=31) if packed == "gzip" else None
    expected = response.headers.get("Content-Length")
    read, total = 0, before
    while piece := response.read(CHUNK):
        read += len(piece)
        while piece:
            out = unpack.decompress(piece, CHUNK) if unpack else piece
            piece = unpack.unconsumed_tail if unpack else b""
            total += len(out)
            if total > limit:
                raise DataInvalid(f"{bare(url)}: more than {limit} bytes")
            yield out
    if (unpack and not unpack.eof) or (expected is not None and read != int(expected)):
        raise EOFError("the body ended early")


def bare(url: str) -> str:
    """The address without what may be secret in it: user, password and query."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _said(error: urllib.error.HTTPError) -> str:
    try:
        text = error.read(1024).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException):
        text = ""
    return text or str(error.reason)


def _retry_after(headers: email.message.Message) -> float:
    try:
        return max(0.0, float(headers.get("Retry-After", "0")))
    except ValueError:
        return 0.0
