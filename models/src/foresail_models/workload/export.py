"""The multivariate model as one ONNX file: raw signals in, quantiles and attention out."""

from __future__ import annotations

import json

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from .. import contract, golden
from ..export import IR_VERSION, OPSET, finish
from .model import WorkloadModel
from .signals import CHANNELS, LEADS, TARGETS, WINDOW

INPUT, QUANTILES, ATTENTION = "signals", "quantiles", "attention"
TOLERANCE = golden.TOLERANCE

__all__ = ["ATTENTION", "INPUT", "IR_VERSION", "QUANTILES", "TOLERANCE", "difference", "metadata", "to_onnx"]


class _Border(nn.Module):
    def __init__(self, model: WorkloadModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, signals: Tensor) -> tuple[Tensor, Tensor]:
        forecast = self.model(signals)
        return forecast.quantiles, forecast.attention


def metadata(name: str, version: str) -> dict[str, str]:
    """Flat strings, lists as JSON. The task is its own: this is no file for the load forecaster."""
    return {
        "foresail.task": "workload-forecast",
        "foresail.name": name,
        "foresail.version": version,
        "foresail.channels": json.dumps(CHANNELS),
        "foresail.window_minutes": str(WINDOW),
        "foresail.targets": json.dumps(TARGETS),
        "foresail.lead_minutes": json.dumps(LEADS),
        "foresail.quantile_levels": json.dumps(contract.QUANTILE_LEVELS),
    }


def to_onnx(model: WorkloadModel, name: str, version: str) -> onnx.ModelProto:
    sample = torch.rand(3, WINDOW, len(CHANNELS), generator=torch.Generator().manual_seed(0))
    program = torch.onnx.export(
        _Border(model).eval(),
        (sample,),
        input_names=[INPUT],
        output_names=[QUANTILES, ATTENTION],
        opset_version=OPSET,
        dynamic_shapes={"signals": {0: torch.export.Dim("batch", min=1, max=1 << 20)}},
        dynamo=True,
        verbose=False,
    )
    return finish(program.model_proto, metadata(name, version), (QUANTILES, ATTENTION))


def difference(model: WorkloadModel, proto: onnx.ModelProto, window: np.ndarray) -> float:
    """Largest |ONNX - PyTorch| on windows [B, WINDOW, CHANNELS], each target relative to its largest value."""
    (got,) = golden.session(proto.SerializeToString()).run([QUANTILES], {INPUT: window})
    with torch.no_grad():
        expected = model.eval()(torch.from_numpy(window)).quantiles.numpy()
    if not np.array_equal(np.isnan(got), np.isnan(expected)):
        return float("inf")
    largest = np.maximum(np.nanmax(np.abs(expected), axis=(0, 2, 3), keepdims=True), 1e-9)
    return float(np.nanmax(np.abs(got - expected) / largest))
