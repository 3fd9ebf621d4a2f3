"""Where a model file comes from, for whoever has to trust it: code, configuration, data, scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import __version__


def code_sha256(package: Path = Path(__file__).parent) -> str:
    """Of the names and contents of the package's sources: any edit changes it, wherever it is installed."""
    digest = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in (".py", ".toml", ".md")):
        for part in (str(path.relative_to(package)).encode(), path.read_bytes()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def lineage(
    name: str,
    family: str,
    seed: int,
    config: Mapping[str, Any],
    sha256: str,
    data: Mapping[str, Any],
    scores: Mapping[str, Any],
    attempts: list[int],
    created: float,
) -> dict[str, Any]:
    """The document `lineage.json`. `created` is the time of the end of training, seconds."""
    return {
        "schema": 1,
        "name": name,
        "family": family,
        "sha256": sha256,
        "seed": seed,
        "code": {"package": __version__, "sha256": code_sha256()},
        "config": json.loads(json.dumps(config, default=str)),
        "data": dict(data),
        "scores": dict(scores),
        "attempts": attempts,
        "createdAt": iso(int(created)),
    }
