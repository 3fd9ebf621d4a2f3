"""Validation on fixed windows: later times of known series, and series never trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from . import augment, contract, data, losses
from .errors import DataInvalid
from .gang import Gang, Place
from .normalise import squash

CHUNK = 128


@dataclass(frozen=True)
class Validation:
    """Windows per part, with the source of each."""

    parts: dict[str, tuple[data.Windows, np.ndarray]]

    @staticmethod
    def draw(corpora: dict[str, data.Corpus | None], seed: int, windows: int) -> Validation:
        """The same windows in every run of one seed. A fifth has a short history. Raises DataInvalid without any."""
        parts = {}
        for index, (name, corpus) in enumerate(corpora.items()):
            if corpus is None:
                continue
            rng = np.random.default_rng((seed, 1 << 30, index))
            history = augment.histories(rng, windows, augment.Rates(short_history=0.2))
            parts[name] = corpus.sample(rng, windows, history)
        if not parts:
            raise DataInvalid("validate: no series has known values between trainEnd and validateEnd")
        return Validation(parts)

    def score(self, model: nn.Module, gang: Gang | None = None) -> dict[str, float]:
        """WQL relative to seasonal naive per part (both behind asinh), geometric mean over sources.

        `score` is the mean over the parts: what training selects by. Lower is better. The processes of a
        gang share the work, and all get the numbers that one alone would.
        """
        gang = gang or Gang(Place(), torch.device("cpu"))
        result = {name: _relative(model, cut, source, gang) for name, (cut, source) in self.parts.items()}
        return result | {"score": float(np.mean(list(result.values())))}


def _relative(model: nn.Module, cut: data.Windows, source: np.ndarray, gang: Gang) -> float:
    levels = torch.tensor(contract.QUANTILE_LEVELS, device=gang.device)
    inner = [i for i, q in enumerate(contract.QUANTILE_LEVELS) if 0.1 <= q <= 0.9]
    ours, naive = np.zeros(source.size), np.zeros(source.size)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for at in range(gang.rank * CHUNK, source.size, gang.world * CHUNK):
            part = slice(at, at + CHUNK)
            context, seasonal, target = (
                torch.from_numpy(a[part]).to(gang.device) for a in (cut.context, cut.seasonal, cut.target)
            )
            forecast = model(context, seasonal)
            y, known = losses.squashed_target(target, forecast.window)
            loss = 2 * losses.pinball(forecast.squashed, y, levels)[:, :, inner].mean(2) * known
            # Seasonal naive: one day ago, else the last value.
            window = forecast.window
            ahead = window.seasonal[:, 0, contract.SEASON_WINDOW :]
            error = (y - squash(ahead)).abs() * known
            ours[part], naive[part] = loss.sum(1).cpu().numpy(), error.sum(1).cpu().numpy()
    model.train(was_training)
    ours, naive = gang.sum(torch.tensor(np.stack([ours, naive]), device=gang.device)).cpu().numpy()
    ratios = [
        ours[source == s].sum() / naive[source == s].sum() for s in np.unique(source) if naive[source == s].sum() > 0
    ]
    if not ratios:
        raise DataInvalid("validate: every load is constant, seasonal naive makes no error to compare with")
    return float(np.exp(np.mean(np.log(np.maximum(ratios, 1e-12)))))
