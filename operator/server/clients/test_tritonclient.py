"""The server as NVIDIA's own client sees it: HTTP with JSON and binary tensors, and gRPC."""

from __future__ import annotations

import warnings

import numpy as np
import onnxruntime as ort
import pytest

from .conftest import DATATYPES, LOADCAST, values

with warnings.catch_warnings():
    # What its dependencies deprecate is not ours to fix.
    warnings.simplefilter("ignore")
    http = pytest.importorskip("tritonclient.http")
    grpc = pytest.importorskip("tritonclient.grpc")
    from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    return {"http": http, "grpc": grpc}[request.param]


@pytest.fixture
def client(protocol, server):
    with protocol.InferenceServerClient({http: server.http, grpc: server.grpc}[protocol]) as client:
        yield client


def tensor(module, name: str, value: np.ndarray, datatype: str = "FP32", **how):
    given = module.InferInput(name, list(value.shape), datatype)
    given.set_data_from_numpy(value, **how)
    return given


@pytest.fixture(scope="module")
def windows():
    rng = np.random.default_rng(20261121)
    context = rng.gamma(3, 20, (3, 512)).astype(np.float32)
    context[0, :300] = np.nan
    seasonal = np.full((3, 4, 128), np.nan, np.float32)
    seasonal[1] = 40
    return {"context": context, "seasonal": seasonal}


@pytest.fixture(scope="module")
def expected(windows):
    return ort.InferenceSession(LOADCAST, providers=["CPUExecutionProvider"]).run(None, windows)[0]


def test_server_and_models_describe_themselves(client, protocol):
    as_json = {} if protocol is http else {"as_json": True}
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("loadcast")
    assert client.is_model_ready("loadcast", "1")
    assert not client.is_model_ready("loadcast", "7")
    assert not client.is_model_ready("nobody")
    about = client.get_server_metadata(**as_json)
    assert about["name"] == "foresail"
    assert "binary_tensor_data" in about["extensions"]
    model = client.get_model_metadata("loadcast", **as_json)
    assert model["versions"] == ["1"]
    assert model["platform"] == "onnxruntime_onnx"
    assert [int(dim) for dim in model["outputs"][0]["shape"]] == [-1, 64, 13]


FORMS = {
    "http": ("http", {}),
    "http-binary": ("http", {"binary_data": True}),
    "http-json": ("http", {"binary_data": False}),
    "grpc": ("grpc", {}),
}


@pytest.mark.parametrize(("protocol", "how"), FORMS.values(), ids=FORMS, indirect=["protocol"])
def test_box_model_answers_as_onnxruntime_does(client, protocol, windows, expected, how):
    # JSON has no NaN, and the client does not write null for it.
    given = windows if how.get("binary_data", True) else {name: np.nan_to_num(v, nan=5) for name, v in windows.items()}
    wanted = expected if given is windows else None
    inputs = [tensor(protocol, name, value, **how) for name, value in given.items()]
    outputs = [protocol.InferRequestedOutput("quantiles", **how)]
    answer = client.infer("loadcast", inputs, outputs=outputs, request_id="r-1")
    if wanted is None:
        wanted = ort.InferenceSession(LOADCAST, providers=["CPUExecutionProvider"]).run(None, given)[0]
    np.testing.assert_allclose(answer.as_numpy("quantiles"), wanted, rtol=1e-4, atol=1e-3)
    response = answer.get_response()
    head = response if isinstance(response, dict) else {"model_version": response.model_version, "id": response.id}
    assert (head["model_version"], head["id"]) == ("1", "r-1")


def test_all_outputs_come_when_none_is_named(client, protocol, windows, expected):
    inputs = [tensor(protocol, name, value) for name, value in windows.items()]
    answer = client.infer("loadcast", inputs, model_version="1")
    np.testing.assert_allclose(answer.as_numpy("quantiles"), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("how", [{"binary_data": True}, {"binary_data": False}], ids=["binary", "json"])
def test_every_datatype_passes_over_http(server, how):
    with http.InferenceServerClient(server.http) as client:
        inputs = [tensor(http, name, values(name), name, **how) for name in DATATYPES]
        outputs = [http.InferRequestedOutput(f"{name}_out", **how) for name in DATATYPES]
        compare(client.infer("identity", inputs, outputs=outputs))


def test_every_datatype_passes_over_grpc(server):
    with grpc.InferenceServerClient(server.grpc) as client:
        compare(client.infer("identity", [tensor(grpc, name, values(name), name) for name in DATATYPES]))


def compare(answer) -> None:
    for name in DATATYPES:
        got = answer.as_numpy(f"{name}_out")
        if name == "BYTES":
            got = np.array([item.decode() if isinstance(item, bytes) else item for item in got.flat]).reshape(got.shape)
        np.testing.assert_array_equal(got, values(name), err_msg=name)


def test_compressed_requests_are_read(server, windows, expected):
    with http.InferenceServerClient(server.http) as client:
        inputs = [tensor(http, name, value) for name, value in windows.items()]
        for algorithm in ("gzip", "deflate"):
            answer = client.infer("loadcast", inputs, request_compression_algorithm=algorithm)
            np.testing.assert_allclose(answer.as_numpy("quantiles"), expected, rtol=1e-4, atol=1e-3)


def test_requests_in_parallel(server, windows, expected):
    with http.InferenceServerClient(server.http, concurrency=8) as client:
        inputs = [tensor(http, name, value) for name, value in windows.items()]
        under_way = [client.async_infer("loadcast", inputs) for _ in range(64)]
        for one in under_way:
            answer = one.get_result().as_numpy("quantiles")
            np.testing.assert_allclose(answer, expected, rtol=1e-4, atol=1e-3)


def test_statistics_count_what_was_inferred(client, protocol, windows):
    as_json = {} if protocol is http else {"as_json": True}

    def rows() -> int:
        (stats,) = client.get_inference_statistics("loadcast", **as_json)["model_stats"]
        return int(stats.get("inference_count", 0))

    before = rows()
    client.infer("loadcast", [tensor(protocol, name, value) for name, value in windows.items()])
    assert rows() == before + 3


def test_repository_is_listed_and_closed_to_callers(client, protocol):
    index = client.get_model_repository_index(**({} if protocol is http else {"as_json": True}))
    models = index if protocol is http else index["models"]
    assert {(m["name"], m["version"], m["state"]) for m in models} == {
        ("identity", "3", "READY"),
        ("loadcast", "1", "READY"),
    }
    with pytest.raises(InferenceServerException, match="allow-repository-control"):
        client.unload_model("loadcast")


@pytest.mark.parametrize(
    ("model", "version", "shape", "status", "text"),
    [
        ("nobody", "", (1, 512), {"http": "404", "grpc": "NOT_FOUND"}, "no model"),
        ("loadcast", "9", (1, 512), {"http": "404", "grpc": "NOT_FOUND"}, "no version"),
        ("loadcast", "", (1, 511), {"http": "400", "grpc": "INVALID_ARGUMENT"}, "shape"),
    ],
)
def test_errors_are_the_clients_own(client, protocol, model, version, shape, status, text):
    inputs = [
        tensor(protocol, "context", np.zeros(shape, np.float32)),
        tensor(protocol, "seasonal", np.zeros((1, 4, 128), np.float32)),
    ]
    with pytest.raises(InferenceServerException, match=text) as caught:
        client.infer(model, inputs, model_version=version)
    assert status["http" if protocol is http else "grpc"] in str(caught.value.status())
