"""Augmentation invents loads, not nonsense."""

from __future__ import annotations

import dataclasses

import numpy as np

from foresail_models import augment
from foresail_models.windows import Windows

from . import generated

OFF = augment.Rates(**{f.name: 0.0 for f in dataclasses.fields(augment.Rates)})


def window_batch(rng, size=64):
    feed = generated.batch(rng, size)
    return Windows(feed["context"], feed["seasonal"], rng.standard_normal((size, 64)).astype(np.float32))


def test_same_seed_same_batch(rng):
    cut = window_batch(rng)
    a, b = (augment.augment(np.random.default_rng(3), cut, augment.Rates()) for _ in range(2))
    for name in ("context", "seasonal", "target"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_every_change_at_once_leaves_a_usable_window(rng):
    everything = dataclasses.replace(OFF, **{f.name: 1.0 for f in dataclasses.fields(augment.Rates) if f.name != "mix"})
    for _ in range(10):
        cut = augment.augment(rng, window_batch(rng), everything)
        assert np.isfinite(cut.context).any(axis=1).all(), "a window without any value teaches nothing"
        assert not np.isinf(cut.context).any() and not np.isinf(cut.target).any()
        assert np.isfinite(cut.target).all()


def test_unknown_stays_unknown(rng):
    cut = window_batch(rng)
    cut.context[0] = np.nan
    cut.context[0, -1] = 5
    again = augment.augment(rng, cut, dataclasses.replace(OFF, counts=1.0, spikes=1.0, noise=1.0))
    np.testing.assert_array_equal(np.isnan(again.context), np.isnan(cut.context))
    np.testing.assert_array_equal(np.isnan(again.seasonal), np.isnan(cut.seasonal))


def test_without_changes_only_the_unit_changes(rng):
    cut = window_batch(rng)
    same = augment.augment(rng, cut, OFF)
    for i in range(8):
        known = np.isfinite(cut.context[i])
        ratio = same.context[i][known] / cut.context[i][known]
        np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-2)


def test_short_histories_reach_one_step():
    h = augment.histories(np.random.default_rng(0), 20000, augment.Rates(short_history=0.5))
    assert h.min() == 1
    assert 0.45 < (h <= 20160).mean() < 0.55
