"""Scores against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from foresail_models import baselines, contract, metrics


def test_pinball():
    y, q = np.array([10.0, 10.0]), np.array([8.0, 14.0])
    # 0.9 * 2 = 1.8 when 2 too low, 0.1 * 4 = 0.4 when 4 too high
    assert metrics.pinball(y, q, 0.9) == pytest.approx((1.8 + 0.4) / 2)


def test_wql_of_a_point_is_its_wape():
    y, point = np.array([10.0, 20.0, 30.0]), np.array([12.0, 15.0, 30.0])
    everywhere = np.repeat(point[:, None], len(contract.QUANTILE_LEVELS), axis=1)
    assert metrics.wape(y, point) == pytest.approx(7 / 60)
    assert metrics.wql(y, everywhere, contract.QUANTILE_LEVELS) == pytest.approx(7 / 60)


def test_wql_by_hand():
    # One value 10, every level right but 0.9, which says 15: 2 * 0.1 * 5 / 9 levels / 10
    quantiles = np.full((1, len(contract.QUANTILE_LEVELS)), 10.0)
    quantiles[0, contract.QUANTILE_LEVELS.index(0.9)] = 15
    assert metrics.wql(np.array([10.0]), quantiles, contract.QUANTILE_LEVELS) == pytest.approx(1 / 9 / 10)


def test_mase():
    training = np.array([1.0, 2.0, 4.0, 8.0])
    assert metrics.seasonal_scale(training, 2) == pytest.approx((3 + 6) / 2)
    assert metrics.mase(np.array([10.0, 10.0]), np.array([1.0, 10.0]), 4.5) == pytest.approx(1.0)


def test_coverage_and_geometric_mean():
    assert metrics.coverage(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 5.0, 5.0])) == 0.75
    assert metrics.geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert np.isnan(metrics.geometric_mean([]))


def test_zero_load():
    zero = np.zeros(3)
    assert metrics.wape(zero, zero) == 0
    assert metrics.wape(zero, zero + 1) == float("inf")


def test_persistence_and_seasonal_naive():
    values = np.arange(100.0)
    targets = np.array([50, 60])
    assert baselines.Baseline("p", None).forecast(values, targets, 3).tolist() == [47, 57]
    season = baselines.Baseline("s", 10)
    assert season.forecast(values, targets, 3).tolist() == [40, 50]
    # A lead longer than the season needs two seasons: one would look ahead.
    assert season.forecast(values, targets, 11).tolist() == [30, 40]
    assert season.error_quantiles(values, 11, (0.1, 0.9)) == pytest.approx([20, 20])


def test_best_season_is_chosen_on_the_training_part():
    week = np.tile([1.0, 1, 1, 1, 1, 9, 9], 5)
    assert baselines.best_season(week, 1) == ("week", 7)
    assert baselines.best_season(week[:14], 1) == ("day", 1), "two weeks are not enough to judge"
    assert baselines.best_season(np.arange(40.0), 1) == ("day", 1)
