"""The border between a forecasting model and the operator.

Everything both sides must agree on stands here once; `export` writes it into the
file's metadata and the operator reads it from there.
"""

from __future__ import annotations

import json

CONTEXT_LENGTH = 512
HORIZON = 64
SEASON_LAGS_DAYS = (1, 2, 7, 14)
# Steps of "the same time then" given on either side of the origin minus the lag.
SEASON_WINDOW = 64
QUANTILE_LEVELS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
MEDIAN = QUANTILE_LEVELS.index(0.5)

INPUT_CONTEXT = "context"
INPUT_SEASONAL = "seasonal"
OUTPUT_QUANTILES = "quantiles"
# Inner tensors that keep their name in the graph, so that a test can look at them.
TENSOR_LAST = "last_value"
TENSOR_SCALE = "window_scale"
# Only in families that have it: the share of attention per token.
TENSOR_ATTENTION = "attention"

# A magnitude from which a sample counts as missing: its square would leave float32.
MAGNITUDE_LIMIT = 1e18

# Metadata entry with golden vectors.
GOLDEN_KEY = "foresail.golden"

MAX_FILE_BYTES = 8 * 1000 * 1000


def season_lags_steps(step_s: float) -> tuple[int, ...]:
    """The season lags in steps of `step_s` seconds (at least one step each)."""
    return tuple(max(1, round(days * 86400 / step_s)) for days in SEASON_LAGS_DAYS)


def metadata(name: str, version: str, training_sources: list[str]) -> dict[str, str]:
    """ONNX `metadata_props`: flat strings, lists as JSON."""
    return {
        "foresail.task": "forecast",
        "foresail.name": name,
        "foresail.version": version,
        "foresail.context_length": str(CONTEXT_LENGTH),
        "foresail.horizon": str(HORIZON),
        "foresail.quantile_levels": json.dumps(list(QUANTILE_LEVELS)),
        "foresail.season_lags_days": json.dumps(list(SEASON_LAGS_DAYS)),
        "foresail.season_window": str(SEASON_WINDOW),
        "foresail.training_sources": json.dumps(training_sources),
    }
