"""The active choice of data: what errs is drawn more often, the same by one process and by many, and over a restart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foresail_models import contract, data, sampling

from .test_training import trainer_of

HORIZON, LEVELS = contract.HORIZON, len(contract.QUANTILE_LEVELS)


def corpus_of(series):
    sources = [data.Source("web", "", "", [data.Series(name, 300, 0, v.astype(np.float32)) for name, v in series.items()])]
    corpus = data.build(sources, [300, 600], {}, "train", data.Shares(0.85), 20)
    assert corpus is not None
    return corpus


@pytest.fixture
def corpus(rng):
    return corpus_of({name: rng.random(2000) for name in "abc"})


def told(sampler, series, signals, steps=sampling.EVERY):
    """The sampler after `steps` batches of windows of `series` with these signals."""
    view = np.array([int(np.flatnonzero(sampler._series.numpy() == s)[0]) for s in series])
    for step in range(1, steps + 1):
        sampler.add(sampler.tally(view, torch.tensor([int(s * (1 << 20)) for s in signals])), step)
    return sampler


def test_a_series_that_errs_more_is_drawn_more_within_bounds(corpus):
    base = corpus.weight
    weight = told(sampling.Sampler("error", corpus), [0, 1, 2], [1.0, 2.0, 300.0]).weight
    assert weight.sum() == pytest.approx(1)
    ratio = (weight / base).reshape(3, 2)
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1], err_msg="all views of a series move together")
    assert ratio[2, 0] > 2 * ratio[1, 0]
    assert ratio.max() / ratio.min() <= sampling.MOST**2 * 1.0001


def test_a_series_that_was_not_seen_is_neither_favoured_nor_forgotten(corpus):
    weight = told(sampling.Sampler("error", corpus), [0, 0], [1.0, 1.0]).weight
    np.testing.assert_allclose(weight, corpus.weight)


def test_a_series_that_is_learned_loses_its_weight_again(corpus):
    """What was seen counts half at each change: a series that is learned loses its weight again."""
    sampler = told(sampling.Sampler("error", corpus), [0, 1, 2], [1.0, 1.0, 4.0])
    before = sampler.weight[-1]
    told(sampler, [0, 1, 2], [1.0, 1.0, 1.0], 6 * sampling.EVERY)
    assert corpus.weight[-1] < sampler.weight[-1] < before


def test_signals_say_what_they_are_called():
    squashed = torch.zeros(2, HORIZON, LEVELS)
    squashed[1] = torch.linspace(-1, 1, LEVELS)
    known = torch.ones(2, HORIZON)
    known[0, 5:] = 0
    loss = 0.5 * known.unsqueeze(-1).expand(-1, -1, LEVELS)
    one = 1 << 20
    assert sampling.signal("error", squashed, loss, known).tolist() == [one // 2, one // 2], "an unknown step is no success"
    width = sampling.signal("uncertainty", squashed, loss, known)
    assert width[0] == 0 and width[1] > one
    assert sampling.signal("error", squashed, 0 * loss, 0 * known).tolist() == [0, 0]


@pytest.mark.parametrize("mode", ["error", "uncertainty"])
def test_a_restart_and_another_way_to_deal_shards_change_no_batch(folder, mode, monkeypatch):
    monkeypatch.setattr(sampling, "EVERY", 2)

    def trainer():
        return trainer_of(folder, sampling=mode)

    whole, torn, apart = trainer(), trainer(), trainer()
    losses = [whole.step() for _ in range(6)]
    assert not np.allclose(whole.sampler.weight, whole.corpus.weight), "what was seen moved the weights"
    for _ in range(3):
        torn.step()
    again = trainer()
    again.restore(torn.state())
    assert [again.step() for _ in range(3)] == losses[3:]
    apart.groups = apart.groups[::-1]  # sums of whole numbers do not depend on their order
    for _ in range(2):
        apart.step()
    two = trainer()
    for _ in range(2):
        two.step()
    np.testing.assert_array_equal(apart.sampler.weight, two.sampler.weight)


def test_uniform_draws_as_ever(folder):
    trainer = trainer_of(folder)
    trainer.step()
    assert trainer.sampler.weight is not None and trainer.state()["sampler"] == {}
    np.testing.assert_array_equal(trainer.sampler.weight, trainer.corpus.weight)
