"""A few inputs with the outputs of the shipped file, so that any runtime in any language
can check that it feeds the model as the trainer did. Missing values are `null`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from . import contract, windows

STEP_S = 300
TOLERANCE = 1e-4


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
    run = session(model)
    entries = []
    for name, context, seasonal in cases():
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
    head = {
        "modelSha256": sha256,
        "tolerance": TOLERANCE,
        "toleranceMeaning": "|got - expected| <= tolerance * max(1e-9, largest |value| among inputs and expected)",
        "cases": entries,
    }
    return json.dumps(head, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n"
