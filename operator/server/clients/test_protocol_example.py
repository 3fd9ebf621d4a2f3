"""The request that the protocol's own pages show, to a model of that shape."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from onnx import TensorProto, helper

from .conftest import put, serving

ROWS = [1.0, 1.1, 2.0, 2.1, 3.0, 3.1]
# The published text gives its BOOL tensor of three elements only one.
PUBLISHED = {
    "id": "42",
    "inputs": [
        {"name": "input0", "shape": [2, 2], "datatype": "UINT32", "data": [1, 2, 3, 4]},
        {"name": "input1", "shape": [3], "datatype": "BOOL", "data": [True]},
    ],
    "outputs": [{"name": "output0"}],
}


def model() -> bytes:
    constant = helper.make_tensor("rows", TensorProto.FLOAT, [3, 2], ROWS)
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["output0"], value=constant)],
        "mymodel",
        [
            helper.make_tensor_value_info("input0", TensorProto.UINT32, [2, 2]),
            helper.make_tensor_value_info("input1", TensorProto.BOOL, [3]),
        ],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [3, 2])],
    )
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


def test_published_example(tmp_path):
    put(tmp_path, "mymodel", "1", model())
    with serving(tmp_path, "--no-grpc") as server:

        def call(path: str, body: dict | None = None) -> dict:
            data = None if body is None else json.dumps(body).encode()
            with urllib.request.urlopen(f"http://{server.http}{path}", data) as response:
                return json.load(response)

        assert set(call("/v2/")) == {"name", "version", "extensions"}
        assert {"name", "platform"} <= set(call("/v2/models/mymodel/versions/1"))
        with pytest.raises(urllib.error.HTTPError) as caught:
            call("/v2/models/mymodel/infer", PUBLISHED)
        assert caught.value.code == 400
        assert "inputs[1].data has 1 elements" in json.load(caught.value)["error"]

        whole = PUBLISHED | {"inputs": [PUBLISHED["inputs"][0], PUBLISHED["inputs"][1] | {"data": [True] * 3}]}
        for path in ("/v2/models/mymodel/infer", "/v2/models/mymodel/versions/1/infer"):
            answer = call(path, whole)
            (output,) = answer.pop("outputs")
            assert answer == {"model_name": "mymodel", "model_version": "1", "id": "42"}
            assert output.pop("data") == pytest.approx(ROWS)
            assert output == {"name": "output0", "shape": [3, 2], "datatype": "FP32"}
