"""The model in use, scored on the same validation windows: a number beside the new one's, no verdict. That is the gate's."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from . import contract, golden
from .errors import ConfigError, DataInvalid
from .models import Forecast
from .normalise import normalise, squash
from .validate import Validation


class Incumbent(nn.Module):
    """An ONNX forecaster that answers as a family does. Raises ConfigError when the file is none."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            self._session = golden.session(path)
        except Exception as error:  # the runtime has no class of its own for it
            raise ConfigError(f"incumbent.path: {path}: {error}") from error
        if {i.name for i in self._session.get_inputs()} != {contract.INPUT_CONTEXT, contract.INPUT_SEASONAL}:
            raise ConfigError(f"incumbent.path: {path} is no forecaster")

    def forward(self, context: Tensor, seasonal: Tensor) -> Forecast:
        feed = {contract.INPUT_CONTEXT: context.numpy(), contract.INPUT_SEASONAL: seasonal.numpy()}
        quantiles = torch.from_numpy(self._session.run([contract.OUTPUT_QUANTILES], feed)[0])
        window = normalise(context, seasonal)
        return Forecast(quantiles, squash((quantiles - window.last.unsqueeze(-1)) / window.scale.unsqueeze(-1)), window)


def beside(path: Path | None, validation: Validation) -> dict[str, dict[str, float]]:
    """Its scores, for the card. Taken before training: a file that cannot be compared with is no discovery for its end.

    Raises ConfigError for such a file.
    """
    if path is None:
        return {}
    model = Incumbent(path)
    try:
        scores = validation.score(model)
    except DataInvalid:
        raise
    except Exception as error:  # other shapes or levels than ours
        raise ConfigError(f"incumbent.path: {path} cannot be scored: {error}") from error
    if not all(map(math.isfinite, scores.values())):
        raise ConfigError(f"incumbent.path: {path} answers with what is no number")
    return {"incumbent": scores}
