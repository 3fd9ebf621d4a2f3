"""The forecast calls beside the trainer's own windows and onnxruntime's answer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import onnxruntime as ort
import pytest

from foresail_models import contract, windows

from .conftest import LOADCAST, Server


def post(server: Server, body: dict) -> dict:
    request = urllib.request.Request(f"http://{server.http}/v1/timeseries/forecast", json.dumps(body).encode())
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def one_series(values: list, frequency: str = "hour", **options) -> dict:
    return {
        "model": "loadcast",
        "inputs": [
            {
                "type": "univariate_time_series",
                "name": "web",
                "series": values,
                "frequency": frequency,
                "start_timestamp": "2026-10-01T00:00:00Z",
            }
        ],
        "options": {"horizon": 4, **options},
    }


def test_forecast_models_are_listed(server):
    with urllib.request.urlopen(f"http://{server.http}/v1/timeseries/models") as response:
        assert json.load(response) == ["loadcast"]


@pytest.mark.parametrize(("frequency", "steps_a_day"), [("hour", 24), ("H", 24), ("5T", 288)])
def test_quantiles_are_those_of_the_trainers_window(server, frequency, steps_a_day):
    rng = np.random.default_rng(7)
    t = np.arange(900)
    series = (50 + 40 * np.sin(2 * np.pi * t / steps_a_day) + rng.normal(0, 3, t.size)).astype(np.float32)
    series[100:130] = np.nan
    levels = [0.05, 0.5, 0.9]
    body = one_series([None if np.isnan(v) else float(v) for v in series], frequency, quantiles=levels)
    answer = post(server, body)

    last = np.array([series.size - 1])
    lags = np.array([[max(1, round(days * steps_a_day)) for days in contract.SEASON_LAGS_DAYS]])
    inputs = windows.cut(series, np.array([0]), last, last, lags).inputs()
    (expected,) = ort.InferenceSession(LOADCAST, providers=["CPUExecutionProvider"]).run(None, inputs)
    (output,) = answer["outputs"]
    (content,) = output["content"]
    for level in levels:
        column = list(contract.QUANTILE_LEVELS).index(level)
        np.testing.assert_allclose(content["quantiles"][str(level)], expected[0, :4, column], rtol=1e-4, atol=1e-3)
    assert (answer["status"], answer["model"], answer["model_version"]) == ("completed", "loadcast", "1")
    start = {"5T": "2026-10-04T03:00:00Z"}.get(frequency, "2026-11-07T12:00:00Z")
    assert content["start_timestamp"] == start
    assert len(content["mean_forecast"]) == 4


@pytest.mark.parametrize(
    ("body", "status", "param", "text"),
    [
        (one_series([1, 2], horizon=65), 400, "options.horizon", "reaches 64 steps"),
        (one_series([1, 2], quantiles=[0.999]), 400, "options.quantiles", "0.99"),
        (one_series([None, None]), 400, "inputs[0].series", "no known value"),
        (one_series([1, 2], frequency="fortnight"), 400, "inputs[0].frequency", "frequency"),
        (one_series([1, 2]) | {"model": "nobody"}, 404, "nobody", "no model"),
        (one_series([1, 2]) | {"model": "identity"}, 501, None, "does not forecast"),
    ],
)
def test_errors_have_kserves_form(server, body, status, param, text):
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, body)
    error = json.load(caught.value)["error"]
    assert (caught.value.code, error["code"], error["param"]) == (status, str(status), param)
    assert text in error["message"]
    assert error["type"]
