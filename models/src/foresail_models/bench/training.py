"""What training costs: `python -m foresail_models.bench.training` (`make bench-train`; SHORT=1: a quick look).

The recipe is the box model's. Where two things are compared, both are measured in the same run. Loads are generated.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import config
from ..dataset.bench import write
from . import gangs, sizes

Row = tuple[str, ...]
CORES = 2


def recipe(path: Path) -> dict[str, Any]:
    """The hyperparameters of a shipped configuration, as a TrainingJob would give them."""
    import tomllib

    values = tomllib.loads(path.read_text())
    # Sources of the shipped data, which generated ones are not.
    return {k: v for k, v in values.items() if k not in ("name", "family", "version", "seed", "exclude", "source_weight", "data")}


def show(rows: list[Row]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))) for row in rows]
    print("\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]]) + "\n", flush=True)


def main() -> None:
    short = bool(os.environ.get("SHORT"))
    shipped = Path(__file__).parents[3] / "configs" / "loadcast.toml"
    hyper = recipe(shipped)
    full_steps, full_every = hyper["steps"], hyper["validate_every"]
    base = {"name": "bench", "family": "patch-mixer", "seed": 1, "hyperparameters": hyper}
    load = "/".join(f"{x:.1f}" for x in os.getloadavg())
    print(f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {os.cpu_count()} cores, load average {load} before, numpy {np.__version__}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "few.parquet", 4, 20, 60)
        data = {"data": {"from": "uri", "uri": f"file://{folder}/few.parquet"}}
        # Steps alone: a single validation at the end, small enough not to be seen.
        steps = 12 if short else 40
        few = {"steps": steps, "warmup": 5, "validate_every": 10**6, "validation_windows": 16}
        run = base | data | {"hyperparameters": hyper | few}
        config.parse(run, "bench")
        say("one process against two")
        show(gangs.scaling(run, folder, 1 if short else 2))
        say("a kill")
        show(gangs.resume(run, folder))
        say("sizes")
        made = sizes.measure(base, folder, [2, 10] if short else [10, 50, 100], 3 if short else 10)
        show(sizes.checkpoints(made, config.Checkpointing().everySeconds))
        show(sizes.table(made))
        show(sizes.extrapolate(made, full_steps, full_every, CORES))
        print(json.dumps({"sizes": made}), file=sys.stderr)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
