"""What enters a window, and above all what does not."""

from __future__ import annotations

import numpy as np
import pytest

from foresail_models import contract, windows


def cut(values, origin, step_s=3600, first=0, last=None, history=None):
    return windows.cut(
        values.astype(np.float32),
        np.array([first]),
        np.array([values.size - 1 if last is None else last]),
        np.array([origin]),
        np.array([contract.season_lags_steps(step_s)]),
        None if history is None else np.array([history]),
    )


def test_positions():
    w = cut(np.arange(3000.0), 2000)
    assert w.context[0, -1] == 2000 and w.context[0, 0] == 2000 - 511
    assert w.target[0].tolist() == list(range(2001, 2065))
    for row, lag in enumerate((24, 48, 168, 336)):
        assert w.seasonal[0, row, 63] == 2000 - lag, "column 63 is the origin minus the lag"
        assert w.seasonal[0, row, 0] == 2000 - 63 - lag


def test_nothing_after_the_origin_is_seen():
    values = np.arange(3000.0)
    changed = values.copy()
    changed[2001:] = -1
    a, b = cut(values, 2000), cut(changed, 2000)
    np.testing.assert_array_equal(a.context, b.context)
    np.testing.assert_array_equal(a.seasonal, b.seasonal)
    # Hourly: a day ago plus 25 steps would be tomorrow.
    assert np.isnan(a.seasonal[0, 0, 63 + 25 :]).all() and a.seasonal[0, 0, 63 + 24] == 2000


def test_neighbours_in_the_flat_array_stay_out():
    w = cut(np.arange(3000.0), 1100, first=1000, last=1120)
    assert np.isnan(w.context[0, : 512 - 101]).all() and w.context[0, 512 - 101] == 1000
    assert np.isnan(w.target[0, 20:]).all() and w.target[0, 19] == 1120
    assert np.nanmin(w.seasonal) >= 1000


def test_short_history_hides_seasons_too():
    w = cut(np.arange(3000.0), 2000, history=30)
    assert np.isfinite(w.context).sum() == 30
    assert np.nanmin(w.seasonal[0, 0]) == 1971
    assert np.isnan(w.seasonal[0, 2]).all()


@pytest.mark.parametrize(("step_s", "lags"), [(60, (1440, 2880, 10080, 20160)), (300, (288, 576, 2016, 4032))])
def test_lags(step_s, lags):
    assert contract.season_lags_steps(step_s) == lags
