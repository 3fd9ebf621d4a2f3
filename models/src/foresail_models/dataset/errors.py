"""The errors of a run, and the one that only its data can meet."""

from __future__ import annotations

from ..errors import ConfigError, DataInvalid, Fenced, RunError


class Unavailable(RunError):
    """The source did not answer for as long as is worth waiting. A new attempt may have more luck."""

    code = "DATA_UNAVAILABLE"


__all__ = ["ConfigError", "DataInvalid", "Fenced", "RunError", "Unavailable"]
