"""Validation on fixed windows: later times of known series, and series never trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from . import augment, contract, data, losses
from .normalise import squash

CHUNK = 128


@dataclass(frozen=True)
class Validation:
    """Windows per part, with the source of each."""

    parts: dict[str, tuple[data.Windows, np.ndarray]]

    @staticmethod
    def draw(corpora: dict[str, data.Corpus], seed: int, windows: int) -> Validation:
        """The same windows in every run of one seed. A fifth has a short history."""
        parts = {}
        for index, (name, corpus) in enumerate(corpora.items()):
            rng = np.random.default_rng((seed, 1 << 30, index))
            history = augment.histories(rng, windows, augment.Rates(short_history=0.2))
            parts[name] = corpus.sample(rng, windows, history)
        return Validation(parts)

    def score(self, model: nn.Module) -> dict[str, float]:
        """WQL relative to seasonal naive per part (both behind asinh), geometric mean over sources.

        `score` is the mean over the parts: what training selects by. Lower is better.
        """
        result = {name: _relative(model, cut, source) for name, (cut, source) in self.parts.items()}
        return result | {"score": float(np.mean(list(result.values())))}


def _relative(model: nn.Module, cut: data.Windows, source: np.ndarray) -> float:
    levels = torch.tensor(contract.QUANTILE_LEVELS)
    inner = [i for i, q in enumerate(contract.QUANTILE_LEVELS) if 0.1 <= q <= 0.9]
    ours, naive = np.zeros(source.size), np.zeros(source.size)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for at in range(0, source.size, CHUNK):
            part = slice(at, at + CHUNK)
            context, seasonal, target = (
                torch.from_numpy(a[part]) for a in (cut.context, cut.seasonal, cut.target)
            )
            forecast = model(context, seasonal)
            y, known = losses.squashed_target(target, forecast.window)
            loss = 2 * losses.pinball(forecast.squashed, y, levels)[:, :, inner].mean(2) * known
            # Seasonal naive: one day ago, else the last value.
            window = forecast.window
            ahead = window.seasonal[:, 0, contract.SEASON_WINDOW :]
            error = (y - squash(ahead)).abs() * known
            ours[part], naive[part] = loss.sum(1).numpy(), error.sum(1).numpy()
    model.train(was_training)
    ratios = [
        ours[source == s].sum() / naive[source == s].sum() for s in np.unique(source) if naive[source == s].sum() > 0
    ]
    return float(np.exp(np.mean(np.log(ratios))))
