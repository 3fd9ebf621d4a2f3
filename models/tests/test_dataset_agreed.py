"""Workers without a common folder get the same data from an operator whose history moves on between them."""

from __future__ import annotations

import copy

import pytest

from foresail_models.dataset import DataConfig, Split, prepare
from foresail_models.dataset.agreed import Agreement

from .test_dataset_http import START, STEP, Operator, control, operator, serving  # noqa: F401

WINDOW_H = 20 * 24
STEPS = WINDOW_H * 3600 // STEP


class Moving(Operator):
    """Lists the window before step `last`."""

    last = 4000

    def entry(self, i):
        times = {"firstTime": START + max(0, self.last - STEPS) * STEP, "lastTime": START + self.last * STEP}
        return super().entry(i) | times


@pytest.fixture
def history(rng):
    return Moving(rng)


def agreement():
    first = []

    def on(spans):
        first.append(spans)
        return copy.deepcopy(first[0])

    return Agreement("search", on)


def prepared(history, control, work, together):
    with serving(history) as base:
        config = DataConfig("operator", window_hours=WINDOW_H)
        return prepare(config, Split(), work, control(base), now=lambda: START + 5000 * STEP, log=lambda _: None, agreement=together)


def test_later_workers_take_what_the_first_one_took(history, control, tmp_path):  # noqa: F811
    together = agreement()
    first = prepared(history, control, tmp_path / "first", together)
    history.last += 40
    history.values.append(history.values[0] + 1)
    second = prepared(history, control, tmp_path / "second", together)
    assert second.sha256 == first.sha256 and second.fresh
    assert prepared(history, control, tmp_path / "alone", None).sha256 != first.sha256
    again = prepared(history, control, tmp_path / "second", together)
    assert again.sha256 == first.sha256 and not again.fresh


def test_little_of_the_window_is_given_up_for_that(history, control, tmp_path):  # noqa: F811
    alone, together = prepared(history, control, tmp_path / "a", None), prepared(history, control, tmp_path / "b", agreement())
    assert together.bounds == alone.bounds, "not one step of what the gate judges by moves into validation"
    (lost, *_), (kept, *_) = alone.quality["series"], together.quality["series"]
    assert lost["steps"]["validate"] == kept["steps"]["validate"]
    assert 0 < lost["steps"]["train"] - kept["steps"]["train"] <= 0.021 * STEPS


def test_a_series_that_is_gone_is_left_out_and_said(history, control, tmp_path, capsys):  # noqa: F811
    together = agreement()
    first = prepared(history, control, tmp_path / "first", together)
    history.values.pop()
    second = prepared(history, control, tmp_path / "second", together)
    assert "1 of 3 series that were agreed on" in capsys.readouterr().err
    assert second.sha256 != first.sha256 and second.bounds == first.bounds


def test_what_was_prepared_for_others_is_not_taken_for_ours(history, control, tmp_path):  # noqa: F811
    together = agreement()
    prepared(history, control, tmp_path, None)
    assert prepared(history, control, tmp_path, together).fresh
    assert not prepared(history, control, tmp_path, together).fresh
