"""The patch mixer as a graph made for speed, with the weights of a trained one.

Tokens come first and the batch second: so a token mixer is one matrix product for the whole
batch, with its bias and its residual inside of it, and no transposition lies between blocks.
Weights of the features and of the band are put in the order in which the graph uses them.
Publishing refuses the file when it answers unlike the PyTorch model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx

from .. import contract
from ..graph import Graph
from ..graph_window import (
    FEATURE_MAP,
    FEATURE_OFFSET,
    FIRST,
    LAGS,
    LENGTH,
    NOW,
    ROW,
    SEASON,
    SUMS,
    WindowTensors,
    denormalise,
    normalise,
    parts,
    squash,
)
from ..normalise import PERIODS

if TYPE_CHECKING:
    from .patch_mixer import PatchMixer

HORIZON, LEVELS, MEDIAN = contract.HORIZON, len(contract.QUANTILE_LEVELS), contract.MEDIAN
Weights = dict[str, np.ndarray]


def build(model: PatchMixer) -> onnx.ModelProto:
    """The graph; its only output are the quantiles."""
    w = {name: value.detach().double().numpy() for name, value in model.state_dict().items()}
    g = Graph()
    window = normalise(g)
    hidden = _encode(g, w, window, model.patch, len(model.blocks))
    median = squash(g, _blend(g, w, window, hidden))
    denormalise(g, _spread(g, w, hidden, median), window)
    return g.proto(
        {contract.INPUT_CONTEXT: [LENGTH], contract.INPUT_SEASONAL: [LAGS, SEASON]},
        {contract.OUTPUT_QUANTILES: [HORIZON, LEVELS]},
    )


def _linear(g: Graph, w: Weights, name: str, x: str) -> str:
    return g.op("Gemm", x, w[f"{name}.weight"].T, w[f"{name}.bias"])


def _from_features(g: Graph, w: Weights, name: str, features: str, more: np.ndarray | float = 0.0) -> str:
    """The linear map `name` of the features as `normalise` orders them, plus a constant."""
    weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    return g.op("Gemm", features, (weight @ FEATURE_MAP).T, bias + weight @ FEATURE_OFFSET + more)


def _norm(g: Graph, w: Weights, name: str, x: str) -> str:
    return g.op("LayerNormalization", x, w[f"{name}.weight"], w[f"{name}.bias"], axis=-1, epsilon=1e-5)


def _encode(g: Graph, w: Weights, window: WindowTensors, patch: int, blocks: int) -> str:
    """[B, head_hidden]"""
    x = _embed(g, w, window, patch)  # [tokens, B, width]
    tokens, width = w["position"].shape
    for i in range(blocks):
        x = _block(g, {k.removeprefix(f"blocks.{i}."): v for k, v in w.items()}, x, tokens, width)
    flat = g.reshape(g.op("Transpose", x, perm=[1, 0, 2]), 0, tokens * width)
    features = _from_features(g, w, "head_features", window.features, w["head_in.bias"])
    return g.op("Relu", g.op("Gemm", _norm(g, w, "head_norm", flat), w["head_in.weight"].T, features))


def _embed(g: Graph, w: Weights, window: WindowTensors, patch: int) -> str:
    """Patches of the context, then of the seasons, values beside their masks: see `tokens`."""
    tokens, width = w["position"].shape
    both = g.join(g.reshape(squash(g, window.u), 0, 1, ROW), g.reshape(window.mask, 0, 1, ROW))

    def part(start: int, end: int, shape: list[int], perm: list[int]) -> str:
        x = g.reshape(g.cut(both, [2], [start], [end]), 0, 2, *shape, patch)
        return g.op("Transpose", x, perm=perm)

    context = g.reshape(part(FIRST, ROW, [LENGTH // patch], [2, 0, 1, 3]), -1, 2 * patch)
    seasons = g.reshape(part(0, FIRST, [LAGS, SEASON // patch], [3, 0, 1, 2, 4]), -1, 2 * LAGS * patch)
    embedded = [_linear(g, w, "embed_context", context), _linear(g, w, "embed_season", seasons)]
    x = g.reshape(g.join(*embedded, axis=0), tokens, -1, width)
    everywhere = _from_features(g, w, "embed_features", window.features)
    return g.op("Add", g.op("Add", x, w["position"][:, None]), everywhere)


def _block(g: Graph, w: Weights, x: str, tokens: int, width: int) -> str:
    normed = g.reshape(_norm(g, w, "token_norm", x), tokens, -1)
    mixed = g.op("Relu", g.op("Gemm", w["token_in"], normed, w["token_bias"]))
    x = g.op("Gemm", w["token_out"], mixed, g.reshape(x, tokens, -1))  # the residual is its third input
    x = g.reshape(x, -1, width)
    mixed = g.op("Relu", _linear(g, w, "channel_in", _norm(g, w, "channel_norm", x)))
    return g.reshape(g.op("Add", _linear(g, w, "channel_out", mixed), x), tokens, -1, width)


def _blend(g: Graph, w: Weights, window: WindowTensors, hidden: str) -> str:
    """[B, HORIZON] convex combination of simple forecasts, normalised but not squashed: see `base`."""

    def level(x: str) -> str:  # the last value (0), the short mean, the long mean
        return g.op("Expand", g.reshape(g.columns(x, 0, SUMS["long"] + 1), 0, 3, 1), [1, 3, HORIZON])

    def again(x: str) -> str:
        pieces = []
        for period in PERIODS:
            whole, rest = divmod(HORIZON, period)
            pieces += [g.columns(x, ROW - period, ROW)] * whole
            pieces += [g.columns(x, ROW - period, ROW - period + rest)] * (rest > 0)
        return g.reshape(g.join(*pieces), 0, len(PERIODS), HORIZON)

    def ahead(x: str) -> str:
        return g.cut(parts(g, x), [1, 2], [0, NOW], [LAGS, SEASON])

    def per_lag(x: str) -> str:
        return g.reshape(x, 0, LAGS, 1)

    first, end = SUMS["then0"], SUMS["then0"] + LAGS
    short = g.columns(window.means, SUMS["short"], SUMS["short"] + 1)
    rise = per_lag(g.op("Sub", short, g.columns(window.means, first, end)))
    counted = per_lag(g.op("Greater", g.columns(window.counts, first, end), 0.0))
    then, then_known = ahead(window.u), ahead(window.known)
    candidates = g.join(level(window.means), again(window.u), then, g.op("Add", then, rise))
    always = level(g.op("GreaterOrEqual", window.counts, 0.0))
    usable = g.join(always, again(window.known), then_known, g.op("And", then_known, counted))

    logits = g.reshape(_linear(g, w, "gate", hidden), 0, -1, HORIZON)
    logits = g.op("Where", usable, logits, -1e4)
    share = g.op("Exp", g.op("Sub", logits, g.op("ReduceMax", logits, [1])))
    total = g.op("ReduceSum", share, [1], keepdims=0)
    return g.op("Div", g.op("ReduceSum", g.op("Mul", share, candidates), [1], keepdims=0), total)


def _spread(g: Graph, w: Weights, hidden: str, median: str) -> str:
    """[B * HORIZON, LEVELS]: median plus cumulated positive steps to either side.

    The sums are one matrix product. A level adds its steps from the median outwards, so each
    sum goes on where its neighbour's ends and rounding cannot make them cross.
    """
    # Steps in the order of their distance: below from the median down, then above.
    order = [*range(MEDIAN - 1, -1, -1), *range(MEDIAN + 1, LEVELS)]
    weight, bias = (w[f"head.{part}"].reshape(HORIZON, LEVELS, -1) for part in ("weight", "bias"))

    def offsets(levels: list[int]) -> str:
        size = HORIZON * len(levels)
        return g.op("Gemm", hidden, weight[:, levels].reshape(size, -1).T, bias[:, levels].reshape(size))

    median = g.op("Add", offsets([MEDIAN]), median)
    steps = g.reshape(_softplus(g, offsets(order)), -1, LEVELS - 1)
    sums = np.zeros((LEVELS - 1, LEVELS))
    for row, step in enumerate(order):
        if step < MEDIAN:
            sums[row, : step + 1] = -1
        else:
            sums[row, step:] = 1
    return g.op("Gemm", steps, sums, g.reshape(median, -1, 1))


def _softplus(g: Graph, x: str) -> str:
    """log(1 + exp(x)) from operations that runtimes vectorise; far beyond the clip of `denormalise` it stays flat."""
    return g.op("Log", g.op("Add", g.op("Exp", g.op("Min", x, 80.0)), 1.0))
