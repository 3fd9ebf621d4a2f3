"""The file systems that data lie in: how object stores are opened, what their errors mean, and copies that go on where
they were cut off."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import fs as arrow_fs

from . import http
from .credentials import FIELD, Secret
from .errors import DataInvalid, Unavailable

T = TypeVar("T")

# A piece is a request.
PIECE = 8 << 20
GCS_PATIENCE_S = 60
# Answers that only other credentials, another region or another address would change, in the words of the S3 client. One
# about a single header or object has no body, and so no name but its status.
_REFUSED = re.compile(
    r"ACCESS_DENIED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN_ID|UNRECOGNIZED_CLIENT|SIGNATURE_DOES_NOT_MATCH|INVALID_SIGNATURE"
    r"|MISSING_AUTHENTICATION_TOKEN|INCOMPLETE_SIGNATURE|HTTP status (?:3\d\d|4(?!08|29)\d\d)"
)
# Of the client below it: a certificate that is not trusted, or trust that cannot be read.
_UNTRUSTED = re.compile(r"curlCode: (?:51|60|77)\b")
_BOILERPLATE = re.compile(r"^.*The underlying error message was: ", re.DOTALL)


@dataclass(frozen=True)
class Store:
    """Raises DataInvalid where other credentials are needed, Unavailable where nothing answers for long."""

    files: arrow_fs.FileSystem
    # As whom it is asked, for errors.
    who: str = ""
    # Where copies go; None: the files lie on this machine, and are read where they lie.
    scratch: Path | None = None
    waiting: http.Waiting = http.Waiting()
    # Told how many bytes more were copied.
    heard: Callable[[int], None] = lambda more: None

    def info(self, path: str, where: str) -> arrow_fs.FileInfo:
        return self._ask(lambda: self.files.get_file_info(path), where)

    def inside(self, path: str, where: str) -> list[arrow_fs.FileInfo]:
        """The files of a folder, not of those in it."""
        return [f for f in self._ask(lambda: self.files.get_file_info(arrow_fs.FileSelector(path)), where) if f.is_file]

    def read(self, file: arrow_fs.FileInfo, where: str) -> bytes:
        def once() -> bytes:
            with self.files.open_input_stream(file.path) as body:
                data: bytes = body.read()
                return data

        return self._ask(once, where)

    def local(self, file: arrow_fs.FileInfo, where: str) -> Path:
        """The file itself, or its copy."""
        if self.scratch is None:
            return Path(file.path)
        target, have = self.scratch / file.base_name, 0
        # A list may give its time in other digits than the file itself does.
        before = self.info(file.path, where)
        with target.open("wb") as out:

            def once() -> None:
                nonlocal have
                with self.files.open_input_file(file.path) as body:
                    body.seek(have)
                    out.seek(have)
                    while piece := body.read(PIECE):
                        out.write(piece)
                        have += len(piece)
                        self.heard(len(piece))

            self._ask(once, where, lambda: have)
        now = self.info(file.path, where)
        if have != now.size or (now.size, now.mtime_ns) != (before.size, before.mtime_ns):
            raise Unavailable(f"{where}: changed while it was copied")
        return target

    def _ask(self, what: Callable[[], T], where: str, achieved: Callable[[], int] = lambda: 0) -> T:
        def once() -> T:
            try:
                return what()
            except (pa.ArrowException, OSError) as error:
                said = _BOILERPLATE.sub("", str(error))
                if _UNTRUSTED.search(said):
                    raise DataInvalid(f"data.uri: {where}: its certificate is not trusted; ca.crt of {FIELD} may hold its authority: {said:.500}") from error
                if isinstance(error, (PermissionError, pa.ArrowInvalid)) or _REFUSED.search(said):
                    raise DataInvalid(f"data.uri: {where}: refused to {self.who}: {said:.500}") from error
                if isinstance(error, OSError):
                    raise
                raise OSError(said) from error

        if self.scratch is None:
            return what()
        return http.again(once, where, self.waiting, achieved)


def s3(secret: Secret) -> tuple[arrow_fs.FileSystem, str]:
    """And as whom it asks: without keys in the Secret as the pod's own identity."""
    endpoint = secret.read("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
    keys = secret.pair("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    options: dict[str, Any] = {"request_timeout": http.TIMEOUT_S, "connect_timeout": 10, "region": secret.read("AWS_REGION", "AWS_DEFAULT_REGION")}
    if keys:
        options |= {"access_key": keys[0], "secret_key": keys[1], "session_token": secret.read("AWS_SESSION_TOKEN")}
    if endpoint:
        options |= {"endpoint_override": endpoint, "force_virtual_addressing": secret.read("S3_USE_VIRTUAL_BUCKET") == "true"}
    if ca := secret.ca_file():
        options["tls_ca_file_path"] = str(ca)
    who = f"AWS_ACCESS_KEY_ID of {FIELD} (with its AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION)" if keys else _own("AWS_ACCESS_KEY_ID")
    return arrow_fs.S3FileSystem(**{name: value for name, value in options.items() if value is not None}), who


def gs(secret: Secret) -> tuple[arrow_fs.FileSystem, str]:
    """And as whom it asks."""
    # By itself the client tries for a quarter of an hour where nothing answers, and nothing can stop it.
    patience = timedelta(seconds=GCS_PATIENCE_S)
    where: dict[str, Any] = {"retry_time_limit": patience}
    if emulator := secret.read("STORAGE_EMULATOR_HOST"):
        scheme, _, host = emulator.rpartition("://")
        where |= {"endpoint_override": host, "scheme": scheme or "http"}
    if token := secret.read("token"):
        expires = datetime.now(UTC) + timedelta(hours=1)
        return arrow_fs.GcsFileSystem(access_token=token, credential_token_expiration=expires, **where), f"token of {FIELD}"
    if emulator:
        return arrow_fs.GcsFileSystem(anonymous=True, **where), "anonymous requests"
    file = secret.google_file()
    if file is not None:
        # The only way to hand a key file to this client.
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(file)
    return arrow_fs.GcsFileSystem(**where), f"{file.name} of {FIELD}" if file else _own("gcloud-application-credentials.json")


def _own(key: str) -> str:
    return f"the pod's own service account ({FIELD} has no {key})"
