"""The Secret of a run's data as kubelet mounts it: a folder with a file per key.

Its keys are those that a Secret for model files has, so one Secret serves both. What a key holds never stands in an error.
"""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path

from .errors import DataInvalid

FOLDER_ENV = "FORESAIL_DATA_CREDENTIALS"
# What names the Secret, in errors.
FIELD = "data.credentialsSecretRef"
# The file of a service account or of a user, for gs://.
GOOGLE_KEYS = ("gcloud-application-credentials.json", "GOOGLE_APPLICATION_CREDENTIALS")


@dataclass(frozen=True)
class Secret:
    # None: there is none, and every key is absent.
    folder: Path | None = None

    def read(self, *keys: str) -> str | None:
        """The first of `keys` that is there, without the newline that editors leave."""
        for key in keys:
            if self.folder is not None and (text := self._text(key)):
                return text
        return None

    def pair(self, a: str, b: str) -> tuple[str, str] | None:
        """Both keys or neither."""
        one, two = self.read(a), self.read(b)
        if one and two:
            return one, two
        if one or two:
            raise DataInvalid(f"{FIELD}: {b if one else a} is missing, and {a if one else b} is there")
        return None

    def google_file(self) -> Path | None:
        return next((self.folder / key for key in GOOGLE_KEYS if self.read(key)), None) if self.folder else None

    def ca_file(self) -> Path | None:
        return self.folder / "ca.crt" if self.folder and self.read("ca.crt") else None

    def authorization(self) -> dict[str, str]:
        """The header for https://, empty without credentials."""
        if token := self.read("token"):
            return {"Authorization": f"Bearer {token}"}
        if both := self.pair("username", "password"):
            return {"Authorization": "Basic " + base64.b64encode(":".join(both).encode()).decode()}
        return {}

    def tls(self) -> ssl.SSLContext:
        """Trusts the authorities of the system, or the one of the Secret."""
        try:
            return ssl.create_default_context(cafile=self.ca_file())
        except (ssl.SSLError, ValueError) as error:
            raise DataInvalid(f"{FIELD}: ca.crt is no certificate in PEM") from error

    def _text(self, key: str) -> str | None:
        assert self.folder is not None
        try:
            return (self.folder / key).read_text().strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise DataInvalid(f"{FIELD}: {key} cannot be read: {type(error).__name__}") from error
