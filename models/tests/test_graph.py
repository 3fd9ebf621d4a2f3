"""Properties of the shipped graph over generated windows, and its normalisation against plain numpy."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from foresail_models import contract

from . import generated
from .reference import last_and_scale

NAN = np.float32(np.nan)


def run(session, feed):
    return session.run(["quantiles"], feed)[0]


@pytest.mark.parametrize("seed", range(8))
def test_quantiles_are_finite_and_never_cross(session, seed):
    q = run(session, generated.batch(np.random.default_rng(seed), 64))
    assert np.isfinite(q).all()
    assert (np.diff(q, axis=2) >= 0).all()


def test_a_band_has_width_on_a_moving_load(session, rng):
    context = rng.poisson(50, (8, 512)).astype(np.float32)
    q = run(session, {"context": context, "seasonal": generated.empty_seasons(8)})
    assert (q[:, :, -1] > q[:, :, 0]).all()


@pytest.mark.parametrize("seed", range(4))
def test_normalisation_equals_numpy(model_path, seed):
    proto = onnx.load(model_path)
    for name in (contract.TENSOR_LAST, contract.TENSOR_SCALE):
        proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]))
    inner = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = generated.batch(np.random.default_rng(seed), 64)
    got_last, got_scale = inner.run([contract.TENSOR_LAST, contract.TENSOR_SCALE], feed)
    for i in range(64):
        last, scale = last_and_scale(feed["context"][i], feed["seasonal"][i])
        assert got_last[i, 0] == np.float32(last)
        assert got_scale[i, 0] == pytest.approx(scale, rel=1e-4)


@pytest.mark.parametrize("factor", [1e-3, 7.0, 1e9])
def test_unit_does_not_matter(session, rng, factor):
    context = (rng.poisson(50, (8, 512)) + 100 * np.sin(np.arange(512) / 30)).astype(np.float32)
    seasonal = rng.poisson(80, (8, 4, 128)).astype(np.float32)
    q = run(session, {"context": context, "seasonal": seasonal})
    scaled = run(session, {"context": context * np.float32(factor), "seasonal": seasonal * np.float32(factor)})
    np.testing.assert_allclose(scaled / factor, q, rtol=2e-3, atol=0.05)


def test_rows_do_not_see_each_other(session, rng):
    feed = generated.batch(rng, 16)
    together = run(session, feed)
    for i in (0, 7, 15):
        alone = run(session, {k: v[i : i + 1] for k, v in feed.items()})
        largest = np.nanmax(np.abs(together[i]))
        np.testing.assert_allclose(together[i] / largest, alone[0] / largest, atol=1e-4)


def test_one_known_value_is_enough(session):
    context = np.full((1, 512), NAN)
    context[0, 200] = 42
    q = run(session, {"context": context, "seasonal": generated.empty_seasons(1)})
    assert np.isfinite(q).all()
    assert abs(q[0, 0, contract.MEDIAN] - 42) < 1


def test_nothing_known_gives_nan_not_zero(session, rng):
    context = rng.poisson(50, (2, 512)).astype(np.float32)
    context[1] = NAN
    q = run(session, {"context": context, "seasonal": generated.empty_seasons(2)})
    assert np.isfinite(q[0]).all()
    assert np.isnan(q[1]).all()


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 3e38])
def test_infinite_and_absurd_values_count_as_missing(session, rng, bad):
    context = rng.poisson(50, (1, 512)).astype(np.float32)
    context[0, 100] = NAN
    missing = run(session, {"context": context, "seasonal": generated.empty_seasons(1)})
    context[0, 100] = bad
    assert np.array_equal(run(session, {"context": context, "seasonal": generated.empty_seasons(1)}), missing)


def test_a_known_season_changes_the_forecast(session, rng):
    context = rng.poisson(50, (1, 512)).astype(np.float32)
    seasonal = rng.poisson(50, (1, 4, 128)).astype(np.float32)
    seasonal[:, :, 64 + 20 :] += 200  # the same time then: a rush from 21 steps ahead
    calm = run(session, {"context": context, "seasonal": generated.empty_seasons(1)})
    rush = run(session, {"context": context, "seasonal": seasonal})
    assert rush[0, 30:, contract.MEDIAN].mean() > calm[0, 30:, contract.MEDIAN].mean() + 20
