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
