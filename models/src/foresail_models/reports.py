"""What a run tells the operator: progress now and then, an error or the result at its end.

Nothing here may stop training: progress is sent by a thread of its own, newest first, and what cannot be sent
is forgotten. The end of a run is also written as the container's termination message, which outlives operator and network.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .dataset.control import Control

# Seconds between two reports of progress.
INTERVAL_S = 5.0
TIMEOUT_S = 10.0
# How long the end of a run is repeated to an operator that does not answer.
PATIENCE_S = 600.0
MESSAGE_BYTES = 1024
TERMINATION_BYTES = 4096


class Reports:
    """Reports to `control`, or to nobody where that is None."""

    def __init__(self, control: Control | None, termination: Path | None, patience_s: float = PATIENCE_S) -> None:
        self.control, self.termination, self.patience_s = control, termination, patience_s
        # Set once the operator says that this attempt is over.
        self.over = threading.Event()
        self._latest: dict[str, Any] | None = None
        self._at_once = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @staticmethod
    def from_env(env: Mapping[str, str] = os.environ) -> Reports:
        path = Path(env.get("FORESAIL_TERMINATION_LOG", "/dev/termination-log"))
        # The kubelet makes the file; outside a pod there is none, and none is made.
        return Reports(Control.from_env(env), path if path.is_file() else None)

    def progress(self, report: dict[str, Any], at_once: bool = False) -> None:
        """Hands over the newest state and returns; one that was not sent yet is dropped."""
        if self.control is None:
            return
        with self._changed:
            self._latest, self._at_once = report, self._at_once or at_once
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_progress, daemon=True, name="progress")
            self._thread.start()

    def error(self, code: str, message: str) -> None:
        body = {"code": code, "message": message.encode(errors="replace")[:MESSAGE_BYTES].decode(errors="ignore")}
        self._terminate({"error": body})
        # The process may be about to be killed: a short try.
        self._insist("error", body, min(self.patience_s, 20.0))

    def result(self, sha256: str, size: int, lineage: dict[str, Any]) -> None:
        body = {"sha256": sha256, "sizeBytes": size, "lineage": lineage}
        self._terminate({"result": body})
        self.close()
        self._insist("result", body, self.patience_s)

    def trials(self, report: dict[str, Any]) -> None:
        """One try: the next trial tells the same and more. An operator that knows no such report is no end of the attempt."""
        if self.control is not None:
            try:
                self._post("trials", report, ends=(409,))
            except Exception as error:  # whatever it is, searching goes on
                _say(f"trials: {error}")

    def searched(self, report: dict[str, Any]) -> None:
        """The end of a search, which its file says, too: the operator is told once and left a note."""
        self._terminate({"trials": report})
        self.trials(report)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(TIMEOUT_S)

    def _terminate(self, message: dict[str, Any]) -> None:
        if self.termination is None:
            return
        result = message.get("result")
        # What does not fit is left out, largest and least needed first.
        for left_out in ((), ("config",), ("config", "scores"), None):
            if result is not None:
                lineage = None if left_out is None else {k: v for k, v in result["lineage"].items() if k not in left_out}
                message = {"result": {**result, "lineage": lineage}}
            data = json.dumps(message, separators=(",", ":")).encode()
            if len(data) <= TERMINATION_BYTES:
                break
        try:
            self.termination.write_bytes(data)
        except OSError as error:
            _say(f"termination message: {error}")

    def _send_progress(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._latest is not None or self._closed)
                if self._latest is None:
                    return
                body, self._latest, self._at_once = self._latest, None, False
            try:
                self._post("progress", body)
            except Exception as error:  # whatever it is, training goes on
                _say(f"progress: {error}")
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._at_once or self.over.is_set(), INTERVAL_S)

    def _insist(self, what: str, body: dict[str, Any], patience_s: float) -> None:
        if self.control is None:
            return
        until, pause = time.monotonic() + patience_s, 0.5
        while not self.over.is_set():
            try:
                if self._post(what, body):
                    return
            except ValueError as error:  # no address, or no JSON: as wrong the next time
                _say(f"{what}: {error}")
                return
            except Exception as error:
                _say(f"{what}: {error}")
            if time.monotonic() + pause > until:
                _say(f"{what}: given up")
                return
            time.sleep(pause)
            pause = min(2 * pause, 15.0)

    def _post(self, what: str, body: dict[str, Any], ends: tuple[int, ...] = (404, 409)) -> bool:
        """Whether the matter is settled; raises OSError where another try may help."""
        assert self.control is not None
        request = urllib.request.Request(
            f"{self.control.url}/{what}",
            json.dumps(body, allow_nan=False).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {self.control.token()}"},
            method="POST",
        )
        try:
            self.control.opener.open(request, timeout=TIMEOUT_S).close()
        except urllib.error.HTTPError as error:
            with error:
                if error.code in ends:  # the run is gone, or the attempt is over
                    self.over.set()
                elif error.code in (408, 429) or error.code >= 500:
                    raise
                _say(f"{what}: the operator answered {error.code}")
        return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def guarded(send: Callable[[], None]) -> None:
    """For the way out, which must not fail for want of a listener."""
    try:
        send()
    except Exception as error:
        _say(f"report: {error}")
