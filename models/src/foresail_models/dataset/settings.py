"""What a run says about its data: the blocks `data` and `split` of its configuration."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError


@dataclass(frozen=True)
class Split:
    """Shares of the wall time of a run's data, oldest first. They sum to 1."""

    train: float = 0.7
    validate: float = 0.15
    test: float = 0.15

    @staticmethod
    def parse(values: dict[str, Any], where: str = "split") -> Split:
        """Raises ConfigError that names the key at fault."""
        _known(Split, values, where)
        split = Split(**values)
        for name, share in dataclasses.asdict(split).items():
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
                raise ConfigError(f"{where}.{name}: {share!r} is not a share between 0 and 1")
        if not math.isclose(split.train + split.validate + split.test, 1, abs_tol=1e-9):
            raise ConfigError(f"{where}: train + validate + test must be 1")
        return split


@dataclass(frozen=True)
class DataConfig:
    """Where the data come from and how much of them is taken."""

    # "operator": the history of the run's namespace, over HTTP. "uri": `uri` below.
    origin: str
    uri: str | None = None
    # Data older than this before the newest are left out.
    window_hours: float = 1440
    # Known points before `trainEnd` without which a series is dropped.
    min_points: int = 96
    max_series: int = 10_000
    # 16 bytes of memory each while they are prepared.
    max_points: int = 100_000_000

    @staticmethod
    def parse(values: dict[str, Any], where: str = "data") -> DataConfig:
        """Reads the block `data`; raises ConfigError that names the key at fault."""
        names = {"from": "origin", "uri": "uri", "windowHours": "window_hours", "minPoints": "min_points"}
        names |= {"maxSeries": "max_series", "maxPoints": "max_points"}
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise ConfigError(f"{where}: unknown keys {unknown}, known are {sorted(names)}")
        if "from" not in values:
            raise ConfigError(f"{where}.from: missing, it is 'operator' or 'uri'")
        config = DataConfig(**{names[key]: value for key, value in values.items()})
        if config.origin not in ("operator", "uri"):
            raise ConfigError(f"{where}.from: {config.origin!r} is neither 'operator' nor 'uri'")
        if (config.origin == "uri") != isinstance(config.uri, str) or config.uri == "":
            raise ConfigError(f"{where}.uri: needed with from 'uri' and only there")
        for key, name in names.items():
            value = getattr(config, name)
            whole = key in ("minPoints", "maxSeries", "maxPoints")
            if key in ("from", "uri"):
                continue
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not 0 < value < math.inf:
                raise ConfigError(f"{where}.{key}: {value!r} is not a positive {'whole ' if whole else ''}number")
        return config


def fingerprint(config: DataConfig, split: Split) -> str:
    """Changes with anything that changes what is prepared."""
    text = json.dumps([dataclasses.asdict(config), dataclasses.asdict(split)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _known(kind: type, values: dict[str, Any], where: str) -> None:
    names = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - names)
    if unknown:
        raise ConfigError(f"{where}: unknown keys {unknown}, known are {sorted(names)}")
