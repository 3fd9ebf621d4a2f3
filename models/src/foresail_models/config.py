"""What a run is told: TOML or JSON, the gaps filled from defaults.toml. Unknown keys are errors, not silence.

A file has the keys of `Recipe` at the top or in the block `hyperparameters` (a name with dots reaches
into a block: `model.width`), and the blocks of `Run`. Numbers may be given as text, as an object store or
a form would. Reads no PyTorch: a wrong key is told at once.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .augment import Rates
from .dataset.settings import DataConfig, Split
from .errors import ConfigError
from .search import settings as searching
from .tracking import Tracking


def _within(least: float, most: float) -> Any:
    return field(metadata={"least": least, "most": most})


@dataclass(frozen=True)
class Recipe:
    """All that shapes the trained weights, but for the data."""

    name: str
    version: str
    family: str
    seed: int = _within(0, 2**63 - 1)
    steps: int = _within(1, 10**7)
    batch: int = _within(1, 2**16)
    # Shards of a batch, computed in parallel and dealt to processes. Part of the result, unlike the number of processes.
    shards: int = _within(1, 1024)
    learning_rate: float = _within(1e-8, 10)
    weight_decay: float = _within(0, 10)
    # Updates with a rising rate; then it stays; it falls over the last `decay` of all steps.
    warmup: int = _within(0, 10**6)
    decay: float = _within(0, 1)
    ema: float = _within(0, 0.999999)
    # Largest norm of a gradient.
    clip: float = _within(1e-6, 1e6)
    # "auto": bfloat16 products on CUDA, float32 elsewhere; or "float32", "bfloat16".
    precision: str
    upper_weight: float = _within(0, 100)
    horizon_power: float = _within(0, 10)
    validate_every: int = _within(1, 10**6)
    validation_windows: int = _within(1, 10**6)
    # Validations without a gain after which a run ends.
    patience: int = _within(1, 10**6)
    train_share: float = _within(0.1, 0.99)
    held_out_every: int = _within(2, 10**6)
    # How series are chosen: by their size ("uniform"), or more often where the forecast errs ("error") or is wide ("uncertainty").
    sampling: str
    exclude: list[str]
    steps_s: list[int]
    source_weight: dict[str, float] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    augment: Rates = field(default_factory=Rates)

    def fingerprint(self) -> str:
        """Changes with anything that changes the result, but for `steps`: see `Trainer.learning_rate`."""
        text = json.dumps(dataclasses.asdict(self) | {"steps": None}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Checkpointing:
    everySeconds: float = field(default=300.0, metadata={"least": 0, "most": 86400})
    keep: int = field(default=3, metadata={"least": 1, "most": 100})


@dataclass(frozen=True)
class Distributed:
    # How long a peer may be silent in the middle of a step before it counts as lost.
    peerTimeoutSeconds: float = field(default=300.0, metadata={"least": 1, "most": 86400})
    # How long the processes wait for each other at the start: images are pulled, nodes are added.
    rendezvousTimeoutSeconds: float = field(default=600.0, metadata={"least": 1, "most": 86400})


@dataclass(frozen=True)
class Folder:
    """A training folder as it lies: manifest.json and Parquet. Split by share of each series, not by wall time."""

    path: Path


@dataclass(frozen=True)
class Run:
    """One file, whole."""

    recipe: Recipe
    data: DataConfig | Folder
    split: Split
    checkpoint: Checkpointing
    distributed: Distributed
    accelerator: str
    # An ONNX forecaster scored on the same validation windows, for the report.
    incumbent: Path | None
    # The file as resolved, for the lineage.
    resolved: Mapping[str, Any]
    # Options of the command line that changed the recipe, for the card.
    overrides: tuple[str, ...] = ()
    # The MLflow server that is told of the run.
    tracking: Tracking | None = None
    # What `foresail-search` is to search before this is trained.
    search: searching.Search | None = None


BLOCKS = ("hyperparameters", "data", "split", "checkpoint", "distributed", "accelerator", "incumbent", "search", "tracking")
_CHOICES = {"precision": ("auto", "float32", "bfloat16"), "sampling": ("uniform", "error", "uncertainty"), "accelerator": ("auto", "cpu", "cuda")}
_MODEL_BOUNDS = MappingProxyType({"least": 1, "most": 4096})


@functools.cache
def defaults() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads(Path(__file__).with_name("defaults.toml").read_text())
    return loaded


def families() -> list[str]:
    """Those that can be trained; an ensemble is joined from finished runs."""
    return sorted(defaults()["families"])


def load(path: Path, **overrides: Any) -> Run:
    """Reads `path`; `overrides` are keys of the top level. Raises ConfigError that names the key at fault."""
    try:
        text = path.read_text()
        values = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: not a table of keys")
    return parse(values | overrides, path.stem)


def parse(values: dict[str, Any], name: str) -> Run:
    """As `load`; `name` is the model's where the values have none."""
    given = {key: value for key, value in values.items() if key not in BLOCKS}
    for key, value in _table(values.get("hyperparameters"), "hyperparameters").items():
        _put(given, key, value)
    data: DataConfig | Folder
    block = dict(_table(values.get("data"), "data"))
    if "sampling" in block:  # about data, but like the recipe it changes the weights and not what is fetched
        given["sampling"] = block.pop("sampling")
    recipe = _recipe({"name": name} | given)
    if block.get("from") == "folder":
        _only(block, {"from", "path"}, "data")
        data = Folder(Path(_typed(block.get("path"), "str", {}, "data.path")))
    elif block:
        data = DataConfig.parse(block)
    else:
        raise ConfigError("data: missing; say where the data come from")
    accelerator = _typed(values.get("accelerator", "auto"), "str", {}, "accelerator")
    incumbent = _table(values.get("incumbent"), "incumbent")
    _only(incumbent, {"path"}, "incumbent")
    search = _table(values.get("search"), "search")
    tracking = _table(values.get("tracking"), "tracking")
    return Run(
        recipe,
        data,
        Split.parse(_table(values.get("split"), "split")),
        _block(Checkpointing, values.get("checkpoint"), "checkpoint"),
        _block(Distributed, values.get("distributed"), "distributed"),
        accelerator,
        Path(_typed(incumbent.get("path"), "str", {}, "incumbent.path")) if incumbent else None,
        {key: values[key] for key in BLOCKS if key in values and key != "hyperparameters"} | dataclasses.asdict(recipe),
        tracking=Tracking.parse(tracking) if tracking else None,
        search=_search(search, recipe, _leaves(given)) if search else None,
    )


def _search(block: dict[str, Any], recipe: Recipe, fixed: list[str]) -> searching.Search:
    search = searching.parse(block, recipe.family, fixed)
    for key, dimension in search.space.items():
        for value in dimension.ends():
            try:
                with_hyperparameters(recipe, {key: value})
            except ConfigError as error:
                raise ConfigError(f"search.space.{key}: {error}") from error
    return search


def with_hyperparameters(recipe: Recipe, params: Mapping[str, Any]) -> Recipe:
    """`recipe` with some of its keys changed, named as in a file. Raises ConfigError that names the key at fault."""
    values = dataclasses.asdict(recipe)
    for key, value in params.items():
        _put(values, key, value)
    return _recipe(values)


def hyperparameter(recipe: Recipe, key: str) -> Any:
    """What `recipe` has at `key`, named as in a file; None where it has no such key."""
    value: Any = dataclasses.asdict(recipe)
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys of a nested table, as `model.width`."""
    return [
        leaf
        for key, value in values.items()
        for leaf in (_leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"])
    ]


def _recipe(given: dict[str, Any]) -> Recipe:
    shared = {key: value for key, value in defaults().items() if key != "families"}
    values = shared | given
    if values.get("family") not in families():
        raise ConfigError(f"family: {values.get('family')!r} is not one of {', '.join(families())}")
    values["model"] = _model(values["family"], _table(values.get("model"), "model"))
    values["source_weight"] = {
        key: _typed(value, "float", {"least": 0, "most": 1e6}, f"source_weight.{key}")
        for key, value in _table(values.get("source_weight"), "source_weight").items()
    }
    rates = _table(values.get("augment"), "augment")
    _only(rates, {f.name for f in dataclasses.fields(Rates)}, "augment")
    values["augment"] = Rates(**{key: _typed(value, "float", {"least": 0, "most": 1}, f"augment.{key}") for key, value in rates.items()})
    recipe = _block(Recipe, values, "")
    if recipe.batch % recipe.shards:
        raise ConfigError(f"batch: {recipe.batch} is not a multiple of shards, {recipe.shards}")
    if any(step < 1 for step in recipe.steps_s) or not recipe.steps_s:
        raise ConfigError(f"steps_s: {recipe.steps_s} are not whole seconds from 1 on")
    return recipe


def _model(family: str, given: dict[str, Any]) -> dict[str, Any]:
    known = defaults()["families"][family]
    _only(given, set(known), f"model (family {family})")
    return known | {key: _typed(value, "int", _MODEL_BOUNDS, f"model.{key}") for key, value in given.items()}


def _block(kind: type, values: Any, where: str) -> Any:
    """A dataclass of plain fields from a table."""
    fields = {f.name: f for f in dataclasses.fields(kind)}
    values = _table(values, where)
    _only(values, set(fields), where)
    required = {n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING}
    if missing := sorted(required - set(values)):
        raise ConfigError(f"{_at(where, missing[0])}: missing")
    return kind(**{key: _typed(value, fields[key].type, fields[key].metadata, _at(where, key)) for key, value in values.items()})


def _typed(value: Any, kind: Any, bounds: Mapping[str, float], where: str) -> Any:
    """`value` as `kind` (the text of an annotation) within its bounds; text is read as a number where one is wanted."""
    if kind in ("int", "float"):
        try:
            number = float(value) if kind == "float" or not isinstance(value, str) else int(value)
        except (TypeError, ValueError):
            number = float("nan")
        if isinstance(value, bool) or number != number or (kind == "int" and number != int(number)):
            raise ConfigError(f"{where}: {value!r} is not {'a whole number' if kind == 'int' else 'a number'}")
        if not bounds.get("least", number) <= number <= bounds.get("most", number):
            raise ConfigError(f"{where}: {value} is not within {bounds['least']:g} and {bounds['most']:g}")
        return int(value) if kind == "int" else number
    if kind == "str":
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{where}: {value!r} is not a text")
        if value not in _CHOICES.get(where, (value,)):
            raise ConfigError(f"{where}: {value!r} is not one of {', '.join(_CHOICES[where])}")
        return value
    if kind in ("list[str]", "list[int]"):
        if not isinstance(value, list):
            raise ConfigError(f"{where}: {value!r} is not a list")
        return [_typed(item, kind[5:-1], {}, where) for item in value]
    return value


def _table(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {value!r} is not a table of keys")
    return value


def _only(values: dict[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(values) - known):
        raise ConfigError(f"{_at(where, unknown[0])}: unknown key; known are {', '.join(sorted(known)) or 'none'}")


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    """values["a"]["b"] = value for the key `a.b`; a table is merged, not replaced."""
    head, _, rest = key.partition(".")
    if rest or isinstance(value, dict):
        inner = dict(_table(values.get(head), head))
        for name, each in ({rest: value} if rest else value).items():
            _put(inner, name, each)
        values[head] = inner
    else:
        values[head] = value
