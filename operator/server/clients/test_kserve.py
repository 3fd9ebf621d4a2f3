"""
The server as KServe's client and KServe's own forecast types see it. The package brings 300 MB (a model server, pandas,
the Kubernetes client), so the tests' environment does not have it: `pip install kserve==0.21.0` beside it runs these.
"""

from __future__ import annotations

import asyncio
import warnings

import numpy as np
import pytest

from .test_forecast import one_series, post

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    kserve = pytest.importorskip("kserve")
    from kserve.protocol.rest.timeseries.types import ForecastRequest, ForecastResponse

pytestmark = pytest.mark.filterwarnings("default")


def inputs(binary: bool):
    rng = np.random.default_rng(3)
    tensors = {
        "context": rng.gamma(3, 20, (2, 512)).astype(np.float32),
        "seasonal": rng.gamma(3, 20, (2, 4, 128)).astype(np.float32),
    }
    given = []
    for name, value in tensors.items():
        one = kserve.InferInput(name, list(value.shape), "FP32")
        one.set_data_from_numpy(value, binary_data=binary)
        given.append(one)
    return given


@pytest.mark.parametrize("binary", [True, False])
def test_rest_client(server, binary):
    async def talk():
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2"))
        base = f"http://{server.http}"
        assert await client.is_server_live(base)
        assert await client.is_server_ready(base)
        assert await client.is_model_ready(base, "loadcast")
        request = kserve.InferRequest("loadcast", inputs(binary), request_id="k-1")
        answer = await client.infer(base, request, model_name="loadcast")
        await client.close()
        return answer

    check(asyncio.run(talk()))


def test_grpc_client(server):
    async def talk():
        client = kserve.InferenceGRPCClient(server.grpc)
        assert await client.is_server_ready()
        assert await client.is_model_ready("loadcast")
        answer = await client.infer(kserve.InferRequest("loadcast", inputs(True), request_id="k-1"))
        await client.close()
        return answer

    check(asyncio.run(talk()))


def check(answer) -> None:
    # Its REST half does not read the version that it was sent.
    assert (answer.id, answer.model_version or "1") == ("k-1", "1")
    quantiles = answer.outputs[0].as_numpy()
    assert quantiles.shape == (2, 64, 13)
    assert np.isfinite(quantiles).all()


def test_forecast_types(server):
    body = one_series([1.0, 2.0, 3.0] * 50, quantiles=[0.1, 0.9])
    answer = ForecastResponse.model_validate(post(server, ForecastRequest.model_validate(body).model_dump(mode="json")))
    content = answer.outputs[0].content[0]
    assert answer.status == "completed"
    assert set(content.quantiles) == {"0.1", "0.9"}
