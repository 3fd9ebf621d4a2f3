"""How a run ends, as the one who started it reads it: by the exit code of the process.

An error that trying again cannot mend says so by its code, so that no one tries again.
"""

from __future__ import annotations


class RunError(Exception):
    """A run that ends early; `exit_code` tells how, `code` names the reason for programs."""

    exit_code = 1
    code = "FAILED"
    # Whether the operator is told the message: not where another process, or the operator itself, knows more of the cause.
    reported = True


class ConfigError(RunError, ValueError):
    """The configuration is wrong; the message begins with the key at fault. Never tried again."""

    exit_code = 78
    code = "CONFIG_INVALID"


class DataInvalid(RunError, ValueError):
    """The data cannot be trained on; the message names the file or series. Never tried again."""

    exit_code = 78
    code = "DATA_INVALID"


class Stopped(RunError):
    """Asked to stop, and a checkpoint is written."""

    exit_code = 75
    code = "STOPPED"
    reported = False


class Fenced(RunError):
    """A newer attempt has taken over; this one must not write any more."""

    exit_code = 79
    code = "FENCED"
    reported = False


class CheckpointFailed(RunError):
    """Asked to stop, and no checkpoint could be written."""

    code = "CHECKPOINT_FAILED"


class PeerLost(RunError):
    """Another process of the gang ended, or was silent for longer than the timeout."""

    code = "PEER_LOST"
    reported = False


class VolumeFull(RunError):
    """A disk takes no more. Whoever makes it larger need not start the run anew."""

    exit_code = 74
    code = "VOLUME_FULL"
