"""What a search found, as a training run takes it up. Reads no PyTorch, and Optuna only where the search was in a database."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config import Run

FOLDER, BEST = "search", "best.json"


def steps_of(run: Run) -> int:
    """Updates of one trial."""
    assert run.search is not None
    return run.search.steps or max(1, run.recipe.steps // 4)


def name_of(run: Run) -> str:
    """Of the run among all that use a database: the same over its attempts, and no other's."""
    return os.environ.get("FORESAIL_RUN") or run.recipe.name


def fingerprint(run: Run) -> str:
    """Of what is searched: another recipe, space or source of data is another search. A budget may be raised."""
    assert run.search is not None
    parts = [
        run.recipe.fingerprint(),
        {key: dataclasses.asdict(dimension) for key, dimension in run.search.space.items()},
        run.search.steps,
        [run.resolved.get("data"), run.resolved.get("split")],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def applied(run: Run, work: Path) -> Run:
    """`run` with the best hyperparameters of its search, which stand in its lineage, too; unchanged where it has none.

    Raises ConfigError where the search has not ended, or was another one; Away where it is in a database that cannot be reached.
    """
    from ..config import with_hyperparameters

    if run.search is None:
        return run
    best = _from_database(run) if run.search.storage == "rdb" else _from_file(run, work / FOLDER / BEST)
    recipe = with_hyperparameters(run.recipe, dict(best["params"]))
    told = {key: best[key] for key in ("trial", "params", "score", "finished", "pruned", "failed", "study")}
    searched = {**run.resolved["search"], "found": told}
    return dataclasses.replace(run, recipe=recipe, resolved={**run.resolved, **dataclasses.asdict(recipe), "search": searched})


def _from_file(run: Run, path: Path) -> dict[str, Any]:
    try:
        best: dict[str, Any] = json.loads(path.read_text())
        dict(best["params"])
        config = best["config"]
    except FileNotFoundError:
        raise ConfigError(f"search: {path} is missing; foresail-search writes it with the same configuration") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"search: {path}: {error}") from error
    if config != fingerprint(run):
        raise ConfigError(f"search: {path} was found with another configuration")
    return best


def _from_database(run: Run) -> dict[str, Any]:
    from .address import Address
    from .database import read_result

    return read_result(Address.from_env(), name_of(run), fingerprint(run))
