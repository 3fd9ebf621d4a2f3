"""Writes a trained model as one ONNX file that keeps the contract with the operator."""

from __future__ import annotations

import hashlib
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor, nn

from . import contract, golden
from .files import write_atomic
from .graph import IR_VERSION, OPSET
from .models import Family


class _Border(nn.Module):
    """Only tensors pass the exporter; inner ones keep a name so that a reader can ask for them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, context: Tensor, seasonal: Tensor) -> tuple[Tensor, ...]:
        forecast = self.model(context, seasonal)
        inner = (forecast.window.last, forecast.window.scale)
        return (forecast.quantiles, *inner) if forecast.attention is None else (forecast.quantiles, *inner, forecast.attention)


def to_onnx(model: Family, name: str, version: str, training_sources: list[str]) -> onnx.ModelProto:
    """The model as a checked ONNX graph: float32, dynamic batch, metadata as in `contract`."""
    proto = model.inference_graph() or traced(model)
    return finish(proto, contract.metadata(name, version, training_sources), (contract.OUTPUT_QUANTILES,))


def traced(model: Family) -> onnx.ModelProto:
    """The graph as PyTorch's exporter finds it by running the model once."""
    lags = len(contract.SEASON_LAGS_DAYS)
    batch = 3  # 0 and 1 would be specialised by the tracer
    generator = torch.Generator().manual_seed(0)
    inputs = (
        torch.rand(batch, contract.CONTEXT_LENGTH, generator=generator),
        torch.rand(batch, lags, 2 * contract.SEASON_WINDOW, generator=generator),
    )
    border = _Border(model).eval()
    names = [contract.OUTPUT_QUANTILES, contract.TENSOR_LAST, contract.TENSOR_SCALE, contract.TENSOR_ATTENTION]
    with torch.no_grad():
        outputs = len(border(*inputs))
    dynamic = {0: torch.export.Dim("batch", min=1, max=1 << 20)}
    # The exporter tells of its own future and of libraries that it could use; whoever reads a run's log can do nothing about it.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            border,
            inputs,
            input_names=[contract.INPUT_CONTEXT, contract.INPUT_SEASONAL],
            output_names=names[:outputs],
            opset_version=OPSET,
            dynamic_shapes={"context": dynamic, "seasonal": dynamic},
            dynamo=True,
            verbose=False,
        )
    proto: onnx.ModelProto = program.model_proto
    return proto


def finish(proto: onnx.ModelProto, metadata: dict[str, str], kept: tuple[str, ...]) -> onnx.ModelProto:
    """Keeps the outputs `kept`, drops what only the tracer needs, adds the metadata and checks the graph."""
    outputs = [o for o in proto.graph.output if o.name in kept]
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


def difference(model: nn.Module, proto: onnx.ModelProto) -> float:
    """Largest |ONNX - PyTorch| over the golden cases, each relative to its largest magnitude."""
    session = golden.session(proto.SerializeToString())
    worst = 0.0
    for _, context, seasonal in golden.cases():
        feed = {contract.INPUT_CONTEXT: context[None], contract.INPUT_SEASONAL: seasonal[None]}
        (got,) = session.run([contract.OUTPUT_QUANTILES], feed)
        with torch.no_grad():
            expected = model.eval()(*(torch.from_numpy(a) for a in feed.values())).quantiles.numpy()
        largest = max(1e-9, *(float(np.nanmax(np.abs(a), initial=0)) for a in (context, seasonal, expected)))
        worst = max(worst, float(np.abs(got - expected).max()) / largest)
    return worst


def save(proto: onnx.ModelProto, path: Path) -> str:
    """Writes the file in one step (temp, fsync, rename); returns its sha256."""
    data = proto.SerializeToString(deterministic=True)
    if len(data) > contract.MAX_FILE_BYTES:
        raise ValueError(f"{path.name}: {len(data)} bytes, more than the {contract.MAX_FILE_BYTES} allowed")
    write_atomic(path, data)
    return hashlib.sha256(data).hexdigest()
