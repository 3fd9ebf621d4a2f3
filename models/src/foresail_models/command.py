"""What the commands of a run share: their options, and how they end."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from .errors import ConfigError, PeerLost, RunError, VolumeFull
from .files import is_full
from .interrupt import Interrupt
from .reports import Reports, guarded

# Kubernetes judges a gang by the pod that it sees fail first, so those that only lost a peer let the one that knows why
# go before them: a kubelet looks at its containers once a second.
PEER_GRACE_S = 5.0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Not argparse's own end, whose exit code would be tried again."""
        raise ConfigError(f"{message}; see {self.prog} --help")


def options(program: str, description: str, config: str) -> argparse.ArgumentParser:
    """The options of every command; `config` says what the file is."""
    parser = _Parser(prog=program, description=description)
    parser.add_argument("--config", type=Path, required=True, help=config)
    parser.add_argument("--data", type=Path, help="a training folder (manifest.json and Parquet), in place of what the configuration says")
    parser.add_argument(
        "--work", type=Path, default=Path(os.environ.get("FORESAIL_WORK", "work")), help="folder of the run (default: $FORESAIL_WORK, else ./work)"
    )
    return parser


def ended(program: str, run: Callable[[], int], reports: Reports, interrupt: Interrupt) -> int:
    """The exit code of `run`; an error is told to people, to the operator, and by the code."""
    try:
        return run()
    except Exception as error:
        # Whoever takes the pod away from here on must not turn its reason into a stop.
        interrupt.watched = True
        known = _known(error)
        if known is None:
            traceback.print_exc()
        message = str(known or error) or type(error).__name__
        print(f"{program}: {message}", file=sys.stderr, flush=True)
        if known is None or known.reported:
            guarded(lambda: reports.error(known.code if known else RunError.code, message))
        if isinstance(known, PeerLost):
            until = time.monotonic() + PEER_GRACE_S
            while not interrupt and time.monotonic() < until:
                time.sleep(0.1)
        return known.exit_code if known else RunError.exit_code
    finally:
        reports.close()


def _known(error: Exception) -> RunError | None:
    if isinstance(error, RunError):
        return error
    return VolumeFull(f"no room is left for the run: {error}; make the claim of its checkpoints larger") if is_full(error) else None
