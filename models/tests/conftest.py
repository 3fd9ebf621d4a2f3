"""Fixtures."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from foresail_models import golden

LOADCAST = Path(__file__).parents[1] / "loadcast"


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Of 127.0.0.1, signed by itself: certificate and key in one file."""
    path = tmp_path_factory.mktemp("tls") / "pair.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", path, "-out", path.with_suffix(".crt")], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path
