"""A search loses no trial and repeats none, whatever happens to its workers and to the end of its file."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime

import numpy as np
import optuna
import pytest
import torch

from foresail_models import config, data, models
from foresail_models.errors import ConfigError
from foresail_models.gang import Gang, Place
from foresail_models.material import gather
from foresail_models.search import backtest, found, ledger, pruning, settings, space
from foresail_models.search import trial as short
from foresail_models.search.desk import Desk, Done
from foresail_models.search.journal import Backend, Harmed
from foresail_models.search.lease import Watch
from foresail_models.search.settings import Choices, Range, Search
from foresail_models.search.volume_store import VolumeStore

from . import desk_promises, runs
from .search_worker import desk as open_desk
from .search_worker import score


def parse(block, family="gru", **hyperparameters):
    return config.parse(
        {"family": family, "hyperparameters": hyperparameters, "data": {"from": "folder", "path": "x"}, "search": block}, "small"
    )


def of_state(trials, *states):
    return [t for t in trials if t.state.name in states]


# --- what is searched ---


@pytest.mark.parametrize("family", config.families())
def test_every_family_has_a_space_of_its_own_keys(family):
    run = parse({"trials": 2}, family)
    for key, dimension in run.search.space.items():
        for value in dimension.ends():
            assert config.hyperparameter(config.with_hyperparameters(run.recipe, {key: value}), key) == value
    first = {key: config.hyperparameter(run.recipe, key) for key in run.search.space}
    assert space.contains(run.search.space, first), "a search begins with what one would train without it"


def test_what_the_configuration_sets_is_not_searched():
    run = parse({"trials": 2}, learning_rate="0.001", model={"width": 32})
    assert {"learning_rate", "model.width"}.isdisjoint(run.search.space)
    assert "model.hidden" in run.search.space


@pytest.mark.parametrize(
    "block, message",
    [
        ({"trials": 0}, "search.trials: 0 is not a number above 0"),
        ({"trials": 2.5}, "search.trials: 2.5 is not a whole number"),
        ({"maxSeconds": "1h"}, "search.maxSeconds: '1h' is not a number"),
        ({"steps": 4}, "search: one of trials, maxSeconds and gpuHours"),
        ({"trails": 4}, "search.trails: unknown key"),
        ({"trials": 4, "storage": "sqlite"}, "search.storage: 'sqlite' is not one of journal, rdb"),
        ({"trials": 4, "space": {}}, "search.space: nothing is left"),
        ({"trials": 4, "space": {"clip": {"low": 2, "high": 1}}}, "search.space.clip: low 2 and high 1"),
        ({"trials": 4, "space": {"clip": {"low": 0, "high": 1, "log": True}}}, "search.space.clip.low: 0 must be above 0"),
        ({"trials": 4, "space": {"clip": {"choices": [1, 1]}}}, r"search.space.clip.choices: \[1, 1\]"),
        ({"trials": 4, "space": {"clip": {"values": [1]}}}, "search.space.clip.values: unknown key"),
        ({"trials": 4, "space": {"ema": {"low": 0, "high": 0.9}}}, "search.space.ema: the configuration sets ema"),
        ({"trials": 4, "space": {"seed": {"low": 0, "high": 9}}}, "search.space.seed: trials that differ"),
        ({"trials": 4, "space": {"model.depth": {"low": 1, "high": 2}}}, "search.space.model.depth: "),
        ({"trials": 4, "space": {"learning_rate": {"low": 1, "high": 20}}}, "search.space.learning_rate: "),
    ],
)
def test_what_is_wrong_with_a_search_is_named(block, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse(block, ema=0.9)


# --- the journal ---


def test_a_torn_last_record_is_cut_off_before_the_next(tmp_path):
    path = tmp_path / "journal.log"
    backend = Backend(path)
    backend.append_logs([{"a": 1}, {"b": "x" * 100}])
    whole = path.read_bytes()
    for torn in (whole[:-1], whole[:-40], whole + b'{"c"', whole + b"\x00" * 64, whole + b"\x00\n"):
        path.write_bytes(torn)
        fresh = Backend(path)
        fresh.append_logs([{"d": 1}])
        kept = [{"a": 1}, {"b": "x" * 100}] if torn.startswith(whole) else [{"a": 1}]
        assert list(fresh.read_logs(0)) == [*kept, {"d": 1}]


def test_a_writer_at_work_cuts_off_what_another_tore(tmp_path):
    path = tmp_path / "journal.log"
    backend = Backend(path)
    backend.append_logs([{"a": 1}])
    with open(path, "ab") as file:
        file.write(b'{"torn": ')
    assert list(backend.read_logs(0)) == [{"a": 1}]
    backend.append_logs([{"b": 2}])
    assert list(backend.read_logs(0)) == [{"a": 1}, {"b": 2}]


def test_a_harmed_record_in_the_middle_is_an_error_that_keeps_the_file(tmp_path):
    path = tmp_path / "journal.log"
    path.write_bytes(b'{"a":1}\n{"b":\n{"c":1}\n')
    with pytest.raises(Harmed, match="byte 8"):
        Backend(path)
    assert path.read_bytes() == b'{"a":1}\n{"b":\n{"c":1}\n'


# --- who gets which trial ---


def test_the_trials_asked_for_are_handed_out_and_no_more(tmp_path):
    desks = open_desk(tmp_path, trials=3, stale_s=60), open_desk(tmp_path, trials=3, stale_s=60)
    desk_promises.hands_out_the_trials_asked_for_and_no_more(desks, lambda: json.loads((tmp_path / "best.json").read_text()))


def test_a_worker_that_came_back_after_it_was_given_up_counts_for_nothing(tmp_path):
    slow, other = open_desk(tmp_path, trials=1), open_desk(tmp_path, trials=1)
    trial = slow.take()
    now = [0.0]
    other.store.watch = Watch(0.6, lambda: now[0])
    assert other.take() is None
    now[0] = 1.0
    again = other.take()
    assert again.number == 1 and again.params == trial.params
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        trial.report(1.0, 1)
    assert slow.finish(trial, 0.1) is False
    assert other.finish(again, 0.5)
    with pytest.raises(Done):
        slow.take()
    assert other.conclude("config")["score"] == 0.5


def test_hyperparameters_that_kill_their_worker_are_given_up(tmp_path):
    desk = open_desk(tmp_path, trials=1)
    now = [0.0]
    desk.store.watch = Watch(0.6, lambda: now[0])
    for _ in range(ledger.LOSSES + 1):
        assert desk.take() is not None
        assert desk.take() is None
        now[0] += 1
    with pytest.raises(Done):
        desk.take()
    assert ledger.counts(desk.trials()) == ledger.Counts(0, 0, 1)
    with pytest.raises(ConfigError, match="none of 1 trials"):
        desk.conclude("config")


def test_to_be_stopped_is_no_fault_of_the_hyperparameters(tmp_path):
    desk_promises.to_be_stopped_is_no_fault_of_the_hyperparameters(open_desk(tmp_path, trials=1))


def test_a_finite_space_is_tried_once_and_then_done(tmp_path):
    points = Search({"a": Choices((1, 2, 3)), "b": Range(1, 2, whole=True)}, trials=50, startup_trials=2)
    desk = Desk(VolumeStore(tmp_path, "study", 0.6), "study", points, 7, pruning.PRUNERS["none"](), {"a": 2, "b": 1}, "test")
    seen = []
    with pytest.raises(Done):
        while True:
            trial = desk.take()
            seen.append(tuple(trial.params.values()))
            desk.finish(trial, float(sum(seen[-1])))
    assert seen[0] == (2, 1), "the first is what would be trained without a search"
    assert sorted(seen) == [(a, b) for a in (1, 2, 3) for b in (1, 2)]


def ran(begin, end, **attributes):
    frozen = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, user_attrs={"gpus": 1, "endedAt": end, **attributes})
    frozen.datetime_start = datetime.fromtimestamp(begin)
    return frozen


def test_time_and_gpu_hours_are_those_of_all_workers_lost_trials_included():
    """Wall time while nothing runs, as in a suspended search, is nobody's."""
    trials = [ran(0, 3600), ran(1800, 5400, lost="silent"), ran(9000, None)]
    assert ledger.spent(trials, 9000 + 3600) == ledger.Spent(5400 + 3600, 3.0)


def test_no_trial_begins_when_the_time_is_spent():
    points = {"clip": Range(0.1, 3.0)}
    trials = [ran(0, 50), ran(1000, None)]
    assert ledger.may_begin(Search(points, max_s=100), trials, 1049)
    assert not ledger.may_begin(Search(points, max_s=100), trials, 1050)
    assert not ledger.may_begin(Search(points, gpu_hours=100 / 3600), trials, 1050)
    assert ledger.may_begin(Search(points, trials=3), trials, 1050)
    assert not ledger.may_begin(Search(points, trials=2), trials, 1050)


def test_a_lost_trial_is_not_run_again_when_the_time_is_spent(tmp_path):
    desk = open_desk(tmp_path, max_s=100)
    trial = desk.take()
    now = time.time() + 101
    desk._clock = lambda: now
    desk.give_up(trial)
    with pytest.raises(Done):
        desk.take()


def test_time_in_which_all_workers_were_gone_is_nobodys(tmp_path):
    """Killed, and nobody comes for ten hours: the trial ran until its lease was last written."""
    desk = open_desk(tmp_path, max_s=100)
    trial = desk.take()
    begun = trial.datetime_start.timestamp()
    lease = desk.store.path(trial.number)
    lease.parent.mkdir()
    lease.write_text("gone 1 1\n")
    os.utime(lease, (begun + 30, begun + 30))
    later, now = open_desk(tmp_path, max_s=100), [0.0]
    later._clock, later.store.watch = lambda: begun + 36_000, Watch(0.6, lambda: now[0])
    assert later.take() is None, "it may still come back"
    now[0] = 1.0
    assert later.take().params == trial.params
    assert 29 < ledger.spent(later.trials()[:1], begun + 36_000).wall_s < 32


def test_a_number_gives_the_same_hyperparameters_to_whoever_draws_it(tmp_path):
    def draws(folder, workers):
        desks = [open_desk(folder, trials=9) for _ in range(workers)]
        got = []
        for i in range(9):
            trial = desks[i % workers].take()
            desks[i % workers].finish(trial, score(trial.params))
            got.append(trial.params)
        return got

    assert draws(tmp_path / "one", 1) == draws(tmp_path / "three", 3)


# --- pruning ---


def test_signed_ranks_against_a_count_of_all_signs():
    for differences in ([1, 2, 3], [-1, 2, 2, 3.5], [1, -1, 0, 4, 4], [-3, -2, -1]):
        known = [d for d in differences if d]
        sizes = [abs(d) for d in known]
        ranks = [sum(s < size for s in sizes) + (sum(s == size for s in sizes) + 1) / 2 for size in sizes]
        seen = sum(r for r, d in zip(ranks, known) if d > 0)
        sums = [sum(r for r, up in zip(ranks, ups) if up) for ups in itertools.product((0, 1), repeat=len(ranks))]
        assert pruning.signed_rank(differences) == sum(s >= seen for s in sums) / len(sums)
    assert pruning.signed_rank([0, 0]) == 1.0


@pytest.mark.parametrize("worse_in, ends", [(8, True), (5, False)])
def test_a_trial_ends_only_where_its_folds_agree(worse_in, ends):
    always = type("Always", (optuna.pruners.BasePruner,), {"prune": lambda *_: True})()
    study = optuna.create_study(pruner=pruning.Paired(always))
    for number in range(2):
        trial = study.ask()
        trial.set_user_attr(pruning.attribute(1), [1.0 + (0.1 if k < worse_in else -0.1) * number for k in range(8)])
        trial.report(1.0 + 0.01 * number, 1)
        assert trial.should_prune() is (number == 1 and ends)


# --- with processes, killed ---


def worker(folder, trials):
    return subprocess.Popen([sys.executable, "-m", "tests.search_worker", str(trials), str(folder)], env=runs.environment(), cwd=runs.SOURCE.parent)


def settled(folder, trials):
    """{number: (state, params, value)} of what has ended by itself, read by nobody's leave from the journal."""
    return {t.number: (t.state, t.params, t.value) for t in of_state(open_desk(folder, trials=trials).trials(), "COMPLETE", "PRUNED")}


def test_workers_killed_at_any_moment_lose_no_finished_trial_and_repeat_none(tmp_path):
    trials, chance = 120, random.Random(5)
    before: dict = {}
    for round_ in range(3):
        size = (tmp_path / "journal.log").stat().st_size if (tmp_path / "journal.log").exists() else 0
        workers = [worker(tmp_path, trials) for _ in range(3)]
        # Past the import, then anywhere.
        runs.until(lambda: (tmp_path / "journal.log").exists() and (tmp_path / "journal.log").stat().st_size > size + 2000, workers[0])
        for each in chance.sample(workers, 3):
            time.sleep(chance.random() * 0.15)
            each.kill()
            each.wait()
        if round_ % 2:  # as a power cut leaves it
            with open(tmp_path / "journal.log", "rb+") as file:
                end = file.read()
                last = end.rindex(b"\n", 0, -1) + 1
                if b'"state":1' not in end[last:]:  # nobody was told that it is there, unless it ended a trial
                    file.truncate((last + len(end)) // 2)
        now = settled(tmp_path, trials)
        assert before.items() <= now.items()
        before = now
    assert 0 < len(before) < trials, "the kills fell into the search"
    workers = [worker(tmp_path, trials) for _ in range(2)]
    assert [w.wait(600) for w in workers] == [0, 0]
    after = settled(tmp_path, trials)
    assert before.items() <= after.items()
    assert len(after) == trials
    assert max(Counter(json.dumps(params) for _, params, _ in after.values()).values()) == 1
    assert all(value == score(params) for _, params, value in after.values())
    lost = [t for t in open_desk(tmp_path, trials=trials).trials() if "lost" in t.user_attrs and len(t.params) == 2]
    assert lost, "some were running when their worker was killed"
    assert {json.dumps(t.params) for t in lost} <= {json.dumps(params) for _, params, _ in after.values()}, "and were run again"
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["finished"] == trials and best["score"] == min(value for *_, value in after.values())


def test_a_search_is_stopped_resumed_and_then_trained(folder, tmp_path):
    """The real command: SIGTERM leaves its trial to be run again; training takes what was found, and says so."""
    work = tmp_path / "run"
    recipe = {"family": "linear", "model": None, "shards": 1}
    values = runs.values(folder, recipe) | {"family": "linear", "search": {"trials": 3, "steps": 9, "staleSeconds": 2}}
    del values["hyperparameters"]["model"], values["hyperparameters"]["family"]
    path = runs.write(tmp_path / "train.json", values)

    def start(module):
        return subprocess.Popen(
            [sys.executable, "-m", f"foresail_models.{module}", "--config", str(path), "--work", str(work)],
            env=runs.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    code, text = runs.finish(start("train"))
    assert code == 78 and "best.json is missing" in text

    journal = work / "search" / "journal.log"
    first = start("search.main")
    runs.until(lambda: journal.exists() and b"intermediate_value" in journal.read_bytes(), first)
    first.send_signal(signal.SIGTERM)
    code, text = runs.finish(first)
    assert code == 75, text

    code, text = runs.finish(start("search.main"))
    assert code == 0, text
    best = json.loads((work / "search" / "best.json").read_text())
    assert best["finished"] + best["pruned"] + best["failed"] == 3

    code, text = runs.finish(start("train"))
    assert code == 0, text
    lineage = json.loads((work / "out" / "lineage.json").read_text())
    assert lineage["config"]["search"]["found"]["trial"] == best["trial"]
    assert lineage["config"]["learning_rate"] == best["params"]["learning_rate"]

    run = config.load(runs.write(path, values | {"seed": 8}))
    with pytest.raises(ConfigError, match="another configuration"):
        found.applied(run, work)


def test_the_same_hyperparameters_get_the_same_score(folder):
    values = runs.values(folder, {"shards": 1}) | {"family": "linear"}
    del values["hyperparameters"]["model"]
    run = config.parse(values, "small")
    gang = Gang(Place(), torch.device("cpu"))
    material = gather(run, folder, None, gang)
    over = backtest.folds(material.held, 7, 64, models.build(run.recipe.family, run.recipe.model), gang)
    assert len(over) == backtest.FOLDS

    def one(**params):
        heard = []
        recipe = short.recipe_of(run.recipe, params, 9)
        return short.run(recipe, material.corpus, over, gang, 1, lambda rung, each, last: heard.append((rung, each, last))), heard

    (a, heard), (b, again), (c, _) = one(learning_rate=0.003), one(learning_rate=0.003), one(learning_rate=0.001)
    assert a == b and heard == again and a != c
    assert [rung for rung, *_ in heard] == list(range(1, 10)) and [last for *_, last in heard] == [False] * 8 + [True]
    with pytest.raises(short.Unfit, match="learning_rate"):
        one(learning_rate=-1.0)


def test_no_window_of_a_fold_lies_in_another_or_behind_validation(folder):
    sources = data.load_sources(folder, [])
    later = data.build(sources, [300], {}, "later", data.Shares(0.85), 20)
    slices = [backtest._slice(later, k) for k in range(backtest.FOLDS)]
    for before, after in zip(slices, slices[1:]):
        np.testing.assert_array_equal(before.high, after.low)
    np.testing.assert_array_equal(slices[0].low, later.low)
    np.testing.assert_array_equal(slices[-1].high, later.high)
    assert settings.SPACES.keys() == set(config.families())
