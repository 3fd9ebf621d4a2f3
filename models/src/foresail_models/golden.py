"""A few inputs with the outputs of the shipped file, so that any runtime in any language
can check that it feeds the model as the trainer did. Missing values are `null`.

`python -m foresail_models.golden --into loadcast` puts some of them into the metadata of a published file that has none,
and changes nothing else of it: its graph, its weights and each bit of its answers stay. Cards follow its new digest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from . import contract, windows
from .files import write_atomic

STEP_S = 300
TOLERANCE = 1e-4
# Cases that travel inside the model file: the common one, the ragged one, the least there can be.
EMBEDDED = ("two weeks of history", "holes, newest value four steps old", "one value")


def _load(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Requests per minute of an imagined service: a daily shape, noise, a flash crowd."""
    hours = np.arange(steps) * STEP_S / 3600
    rate = 120 + 80 * np.sin(2 * np.pi * (hours - 9) / 24) + 15 * np.sin(2 * np.pi * hours / 168)
    rate[steps - 200 : steps - 190] += 150
    return rng.poisson(np.maximum(rate, 1)).astype(np.float32)


def cases() -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, context [512], seasonal [4, 128]) of each case."""
    rng = np.random.default_rng(7)
    day = 86400 // STEP_S
    series = _load(rng, 15 * day + contract.CONTEXT_LENGTH)
    origin = series.size - 1 - contract.HORIZON

    def at(values: np.ndarray, history: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        known = None if history is None else np.array([history])
        cut = windows.cut(
            values,
            np.array([0]),
            np.array([values.size - 1]),
            np.array([origin]),
            np.array([contract.season_lags_steps(STEP_S)]),
            known,
        )
        return cut.context[0], cut.seasonal[0]

    holes = series.copy()
    holes[rng.random(series.size) < 0.2] = np.nan
    holes[origin - 3 : origin + 1] = np.nan
    one_value = (np.full(contract.CONTEXT_LENGTH, np.nan, np.float32), np.full((4, 128), np.nan, np.float32))
    one_value[0][-1] = 42
    return [
        ("two weeks of history", *at(series)),
        ("three days of history", *at(series, 3 * day)),
        ("twenty steps of history, no season", *at(series, 20)),
        ("holes, newest value four steps old", *at(holes)),
        ("bytes, five billion times larger", *at((series * np.float32(5e9)).astype(np.float32))),
        ("a service that sleeps", *at(np.zeros_like(series))),
        ("one value", *one_value),
    ]


def session(model: Path | bytes, threads: int = 1) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _numbers(values: np.ndarray) -> Any:
    if values.ndim:
        return [_numbers(v) for v in values]
    # nine digits bring back the same float32
    return None if math.isnan(values) else float(f"{float(values):.9g}")


def from_json(values: Any) -> np.ndarray:
    """Nested lists of numbers and nulls as float32 with NaN."""
    return np.array(values, dtype=np.float32)


def build(model: Path, sha256: str) -> str:
    """The golden file of `model` as JSON text."""
    return _text(session(model), cases(), {"modelSha256": sha256}).replace('{"name"', '\n{"name"') + "\n"


def embedded(model: bytes) -> str:
    """Golden vectors for the file's own metadata: few, since a reader takes 64 KiB at most; no digest, the file would change by it."""
    return _text(session(model), [case for case in cases() if case[0] in EMBEDDED], {})


def carrying(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, its metadata telling how it must answer: a server checks a file that travels alone."""
    kept = [entry for entry in proto.metadata_props if entry.key != contract.GOLDEN_KEY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    entry = proto.metadata_props.add()
    entry.key, entry.value = contract.GOLDEN_KEY, embedded(proto.SerializeToString(deterministic=True))
    return proto


def publish(folder: Path) -> str:
    """Makes the published file in `folder` carry golden vectors; returns its digest. Raises ValueError where it would answer otherwise."""
    card: dict[str, Any] = json.loads((folder / "model-card.json").read_text())
    path = folder / card["file"]
    before = path.read_bytes()
    old = hashlib.sha256(before).hexdigest()
    if old != card["sha256"]:
        raise ValueError(f"{path} is not the file that {folder / 'model-card.json'} describes")
    after = carrying(onnx.load_from_string(before)).SerializeToString(deterministic=True)
    if any(a.tobytes() != b.tobytes() for a, b in zip(_answers(before), _answers(after), strict=True)):
        raise ValueError(f"{path}: the file with golden vectors answers otherwise")
    new = hashlib.sha256(after).hexdigest()
    told = {name: (folder / name).read_text().replace(old, new) for name in ("model-card.json", "model-card.md")}
    write_atomic(path, after)
    write_atomic(folder / "golden.json", build(path, new).encode())
    for name, text in told.items():
        write_atomic(folder / name, text.encode())
    return new


def _answers(model: bytes) -> list[np.ndarray]:
    """To every case, and to random windows, alone and together."""
    run = session(model)
    rng = np.random.default_rng(11)
    contexts = np.concatenate([np.stack([c for _, c, _ in cases()]), rng.gamma(2, 50, (64, contract.CONTEXT_LENGTH)).astype(np.float32)])
    seasons = np.stack([s for *_, s in cases()])
    seasons = np.concatenate([seasons, rng.gamma(2, 50, (64, *seasons.shape[1:])).astype(np.float32)])
    feeds = [np.s_[i : i + 1] for i in range(len(contexts))] + [np.s_[:]]
    return [
        run.run([contract.OUTPUT_QUANTILES], {contract.INPUT_CONTEXT: contexts[at], contract.INPUT_SEASONAL: seasons[at]})[0]
        for at in feeds
    ]


def _text(run: ort.InferenceSession, chosen: list[tuple[str, np.ndarray, np.ndarray]], head: dict[str, Any]) -> str:
    entries = []
    for name, context, seasonal in chosen:
        feed = {contract.INPUT_CONTEXT: context[None], contract.INPUT_SEASONAL: seasonal[None]}
        (quantiles,) = run.run([contract.OUTPUT_QUANTILES], feed)
        entries.append(
            {
                "name": name,
                "context": _numbers(context),
                "seasonal": _numbers(seasonal),
                # every eighth step ahead is enough to notice any difference
                "steps": list(range(0, contract.HORIZON, 8)),
                "quantiles": _numbers(quantiles[0, ::8]),
            }
        )
    head = head | {
        "tolerance": TOLERANCE,
        "toleranceMeaning": "|got - expected| <= tolerance * max(1e-9, largest |value| among inputs and expected)",
        "cases": entries,
    }
    return json.dumps(head, separators=(",", ":"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True, help="folder of a published model")
    arguments = parser.parse_args()
    try:
        print(publish(arguments.into))
    except (ValueError, OSError) as error:
        sys.exit(f"golden: {error}")


if __name__ == "__main__":
    main()
