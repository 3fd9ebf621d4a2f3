"""From raw history to a training folder: fetch, check, put on a grid, split by time."""

from .control import Control
from .errors import DataInvalid, Fenced, Unavailable
from .prepare import Prepared, prepare
from .settings import DataConfig, Split

__all__ = ["Control", "DataConfig", "DataInvalid", "Fenced", "Prepared", "Split", "Unavailable", "prepare"]
