"""The graph that is written for speed computes what the PyTorch model computes."""

from __future__ import annotations

import numpy as np
import pytest

from . import generated

SMALL = {"width": 8, "token_hidden": 6, "channel_hidden": 10, "head_hidden": 12}


def tensors(feed):
    import torch

    return tuple(torch.from_numpy(feed[k]) for k in ("context", "seasonal"))


@pytest.mark.parametrize("options", [{"patch": 16, "blocks": 1}, {"patch": 32, "blocks": 3}, {"patch": 64, "blocks": 2}])
def test_any_shape_of_the_patch_mixer_equals_pytorch(options):
    import torch

    from foresail_models import export, golden, models

    torch.manual_seed(1)
    model = models.build("patch-mixer", SMALL | options).eval()
    with torch.no_grad():  # norms, biases and heads start at values that hide a mistake
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    session = golden.session(export.to_onnx(model, "test", "0", []).SerializeToString())
    for seed in range(4):
        feed = generated.batch(np.random.default_rng(seed), 32)
        (got,) = session.run(["quantiles"], feed)
        with torch.no_grad():
            expected = model(*tensors(feed)).quantiles.numpy()
        largest = np.abs(expected).max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(got / largest, expected / largest, atol=golden.TOLERANCE)
        assert (np.diff(got, axis=2) >= 0).all(), "the sums of steps must not cross"


@pytest.mark.parametrize("seed", range(4))
def test_every_feature_finds_its_way_back(seed):
    from foresail_models import contract, golden, graph, graph_window, normalise

    g = graph.Graph()
    names = graph_window.normalise(g)
    outputs = {names.features: [graph_window.FEATURE_MAP.shape[1]], names.u: [graph_window.ROW]}
    proto = g.proto({"context": [contract.CONTEXT_LENGTH], "seasonal": [graph_window.LAGS, graph_window.SEASON]}, outputs)
    feed = generated.batch(np.random.default_rng(seed), 48)
    feed["context"][0] = np.nan
    features, row = golden.session(proto.SerializeToString()).run(list(outputs), feed)
    window = normalise.normalise(*tensors(feed))
    got = features @ graph_window.FEATURE_MAP.T + graph_window.FEATURE_OFFSET
    np.testing.assert_allclose(got, window.features.numpy(), atol=2e-4, rtol=2e-4)
    values = np.concatenate([window.seasonal.flatten(1).numpy(), window.context.numpy()], axis=1)
    np.testing.assert_allclose(row, values, rtol=1e-3, atol=1e-3)
