"""Writes ONNX graphs node by node, for families whose traced graph is slower than need be.

A tracer writes down what PyTorch did, step by step. Here a node is an operation that runtimes
have a fast kernel for, and equal constants are stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 18
# The newest IR version that the operator's runtime reads is above this one.
IR_VERSION = 10

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class Graph:
    """Names are strings, as in ONNX; arrays and numbers among inputs become constants."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[onnx.TensorProto] = []

    def constant(self, value: np.ndarray | float | Sequence[int]) -> str:
        """float32 for numbers and float arrays, int64 for lists of integers."""
        array = np.asarray(value)
        array = np.ascontiguousarray(array, np.int64 if array.dtype.kind in "iu" and array.ndim else np.float32)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"c{len(self._constants)}"
            self._initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def op(self, kind: str, *inputs: str | np.ndarray | float | Sequence[int], name: str | None = None, **attributes: Any) -> str:
        """Adds a node; returns its output, called `name` if that is given."""
        output = name or f"n{len(self._nodes)}"
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self._nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def reshape(self, x: str, *shape: int, name: str | None = None) -> str:
        """0 keeps a dimension, -1 is what remains."""
        return self.op("Reshape", x, list(shape), name=name)

    def cut(self, x: str, axes: Sequence[int], starts: Sequence[int], ends: Sequence[int]) -> str:
        return self.op("Slice", x, list(starts), list(ends), list(axes))

    def columns(self, x: str, start: int, end: int) -> str:
        """[B, n] -> [B, end - start]"""
        return self.cut(x, [1], [start], [end])

    def join(self, *parts: str, axis: int = 1) -> str:
        return self.op("Concat", *parts, axis=axis)

    def total(self, x: str, axis: int) -> str:
        """Sum over one axis, which stays as 1."""
        return self.op("ReduceSum", x, [axis])

    def proto(self, inputs: dict[str, Sequence[int]], outputs: dict[str, Sequence[int]]) -> onnx.ModelProto:
        """Float32 inputs and outputs by name, with their dimensions after the batch."""

        def tensors(shapes: dict[str, Sequence[int]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", *dims]) for n, dims in shapes.items()]

        graph = helper.make_graph(self._nodes, "main_graph", tensors(inputs), tensors(outputs), self._initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
