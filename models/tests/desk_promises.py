"""What a desk promises wherever its workers meet: on a volume (test_search.py) and in a database (test_search_database.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from foresail_models.search import ledger
from foresail_models.search.desk import Desk, Done


def hands_out_the_trials_asked_for_and_no_more(desks: tuple[Desk, Desk], published: Callable[[], dict[str, Any]]) -> None:
    """desks  of two workers, with three trials"""
    got = [desks[i % 2].take() for i in range(3)]
    assert [t.number for t in got] == [0, 1, 2]
    assert desks[0].take() is None, "all are running: one may still be lost"
    assert desks[0].finish(got[0], 2.0) and desks[1].finish(got[1], None) and desks[0].finish(got[2], None, "too wide")
    with pytest.raises(Done):
        desks[1].take()
    document = desks[1].conclude("config")
    assert (document["trial"], document["score"], document["finished"], document["pruned"], document["failed"]) == (0, 2.0, 1, 1, 1)
    assert published() == document


def to_be_stopped_is_no_fault_of_the_hyperparameters(desk: Desk) -> None:
    """desk  with one trial"""
    for _ in range(ledger.LOSSES + 3):
        desk.give_up(desk.take())
    assert desk.finish(desk.take(), 1.0)
    assert ledger.counts(desk.trials()) == ledger.Counts(1, 0, 0)
