"""The training configuration, read from TOML. Unknown keys are errors, not silence."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .augment import Rates


@dataclass(frozen=True)
class Config:
    name: str
    version: str
    family: str
    seed: int
    steps: int
    batch: int
    # Shards of a batch, computed in parallel. Part of the result, unlike the speed of a core.
    shards: int
    learning_rate: float
    weight_decay: float
    # Updates with a rising rate; then it stays; it falls over the last `decay` of all steps.
    warmup: int
    decay: float
    ema: float
    clip: float
    upper_weight: float
    horizon_power: float
    validate_every: int
    validation_windows: int
    patience: int
    train_share: float
    held_out_every: int
    exclude: list[str]
    steps_s: list[int]
    source_weight: dict[str, float] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    augment: Rates = field(default_factory=Rates)

    def fingerprint(self) -> str:
        """Changes with anything that changes the result, but for `steps`: see `Trainer.learning_rate`."""
        text = json.dumps(dataclasses.asdict(self) | {"steps": None}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _checked(kind: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    fields = {f.name: f for f in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(fields))
    required = [n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
    missing = sorted(set(required) - set(values))
    if unknown or missing:
        raise ValueError(f"{where}: unknown keys {unknown}, missing keys {missing}")
    return values


def load(path: Path, **overrides: Any) -> Config:
    """Reads `path`; raises ValueError that names the key at fault."""
    values = tomllib.loads(path.read_text()) | overrides
    values["augment"] = Rates(**_checked(Rates, values.get("augment", {}), f"{path}: augment"))
    return Config(**_checked(Config, values, str(path)))
