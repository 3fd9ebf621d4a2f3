"""Fixtures. Tests that need PyTorch are skipped, and counted as such, where it is absent."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from foresail_models import golden

LOADCAST = Path(__file__).parents[1] / "loadcast"

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed (models/requirements.lock has it)"
)


@pytest.fixture(scope="session")
def model_path() -> Path:
    return LOADCAST / "loadcast.onnx"


@pytest.fixture(scope="session")
def session(model_path: Path) -> ort.InferenceSession:
    return golden.session(model_path)


@pytest.fixture(scope="session")
def card() -> dict:
    return json.loads((LOADCAST / "model-card.json").read_text())


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261121)


@pytest.fixture
def folder(tmp_path, rng):
    """A training folder with two generated sources."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    entries = []
    for source in ("web", "batch"):
        names, t, v = [], [], []
        for i in range(30):
            day = np.arange(1500) * 300
            names += [f"s{i}"] * 1500
            t += day.tolist()
            v += rng.poisson(50 + 40 * np.sin(2 * np.pi * day / 86400)).tolist()
        table = pa.table(
            {
                "series": pa.array(names).dictionary_encode(),
                "t": pa.array(t, pa.int64()),
                "v": pa.array(v, pa.float32()),
            }
        )
        pq.write_table(table, tmp_path / f"{source}.parquet")
        entries.append({"name": source, "file": f"{source}.parquet", "licence": "MIT", "citation": "none"})
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": entries}))
    return tmp_path
