"""Writes a trained model as one ONNX file that keeps the contract with the operator."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import torch
from onnx import helper
from torch import Tensor, nn

from . import contract
from .files import write_atomic

OPSET = 18
# The newest IR version that the operator's runtime reads is above this one.
IR_VERSION = 10


class _Border(nn.Module):
    """Only tensors pass the exporter; scale and last value keep a name for the tests."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, context: Tensor, seasonal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        forecast = self.model(context, seasonal)
        return forecast.quantiles, forecast.window.last, forecast.window.scale


def to_onnx(model: nn.Module, name: str, version: str, training_sources: list[str]) -> onnx.ModelProto:
    """The model as a checked ONNX graph: float32, dynamic batch, metadata as in `contract`."""
    lags = len(contract.SEASON_LAGS_DAYS)
    batch = 3  # 0 and 1 would be specialised by the tracer
    generator = torch.Generator().manual_seed(0)
    inputs = (
        torch.rand(batch, contract.CONTEXT_LENGTH, generator=generator),
        torch.rand(batch, lags, 2 * contract.SEASON_WINDOW, generator=generator),
    )
    dynamic = {0: torch.export.Dim("batch", min=1, max=1 << 20)}
    program = torch.onnx.export(
        _Border(model).eval(),
        inputs,
        input_names=[contract.INPUT_CONTEXT, contract.INPUT_SEASONAL],
        output_names=[contract.OUTPUT_QUANTILES, contract.TENSOR_LAST, contract.TENSOR_SCALE],
        opset_version=OPSET,
        dynamic_shapes={"context": dynamic, "seasonal": dynamic},
        dynamo=True,
    )
    proto: onnx.ModelProto = program.model_proto
    return _finish(proto, contract.metadata(name, version, training_sources))


def _finish(proto: onnx.ModelProto, metadata: dict[str, str]) -> onnx.ModelProto:
    outputs = [o for o in proto.graph.output if o.name == contract.OUTPUT_QUANTILES]
    del proto.graph.output[:]
    proto.graph.output.extend(outputs)
    # What the tracer noted about the trainer's source lines helps nobody in the operator.
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*proto.graph.value_info, *proto.graph.input, *proto.graph.output]:
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.graph.value_info[:]
    proto.ir_version = min(proto.ir_version, IR_VERSION)
    proto.producer_name, proto.producer_version = "foresail_models", metadata["foresail.version"]
    helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto, full_check=True)
    return proto


def save(proto: onnx.ModelProto, path: Path) -> str:
    """Writes the file in one step (temp, fsync, rename); returns its sha256."""
    data = proto.SerializeToString(deterministic=True)
    if len(data) > contract.MAX_FILE_BYTES:
        raise ValueError(f"{path.name}: {len(data)} bytes, more than the {contract.MAX_FILE_BYTES} allowed")
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()
