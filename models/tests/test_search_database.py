"""A search whose workers meet in a database loses no trial and repeats none, whatever happens to workers and database.

Against a real PostgreSQL server; only errors that it makes at its own time are played by cutting its connections.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.engine import make_url

from foresail_models import config
from foresail_models.errors import ConfigError, Stopped
from foresail_models.search import found, ledger
from foresail_models.search.address import VARIABLE, Address
from foresail_models.search.database import Database, Patience, key_of, prefix_of, read_result
from foresail_models.search.desk import Done
from foresail_models.search.outage import Away

from . import desk_promises, postgres, runs
from .search_worker import PATIENCE, STUDY, score
from .search_worker import database as open_database
from .search_worker import desk as open_desk_of


@pytest.fixture(scope="module")
def server():
    with postgres.running() as running:
        yield running


@pytest.fixture
def address(server):
    yield Address(server.url(server.database()))
    while opened:
        opened.pop().close()


opened: list[Database] = []


def database(address, *options, **more):
    opened.append(open_database(address, *options, **more))
    return opened[-1]


def open_desk(address, **search):
    return open_desk_of(address, database(address, search.get("stale_s", 0.6)), **search)


def text_of(address):
    return address.url.render_as_string(hide_password=False)


# --- the address ---


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"is rdb, but \$FORESAIL_SEARCH_STORAGE is not set"),
        ("hunter2", "is not an address of the form postgresql"),
        ("postgresql+psycopg://u:hunter2@h:hunter2/d", "is not an address of the form"),
        ("mysql+pymysql://u:hunter2@h/d", "names another database or driver"),
        ("sqlite:///hunter2", "names another database or driver"),
        ("postgresql+psycopg2://u:hunter2@h/d", "names another database or driver"),
        ("postgresql+psycopg://u:hunter2@/d", "names no host"),
        ("postgresql+psycopg://u:hunter2@h", "names no database"),
    ],
)
def test_what_is_wrong_with_an_address_is_named_and_its_password_is_not(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Address.from_env({VARIABLE: text})
    assert str(caught.value).startswith("search.storage: ")
    assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None


def test_an_address_shows_no_password_and_reads_back_as_it_was():
    given = make_url(f"postgresql://u:x@h:1/d?sslpassword=tw%40o").set(password=postgres.PASSWORD)
    address = Address.from_env({VARIABLE: given.render_as_string(False) + "\n"})
    assert "@r" not in repr(address) and "tw@o" not in repr(address)
    again = make_url(address.text().format(SCHEMA_VERSION=1))
    assert (again.password, again.drivername) == (postgres.PASSWORD, "postgresql+psycopg")
    said = address.without_secrets(f"could not use {postgres.PASSWORD}, {address.text()} or tw@o\n\tat all")
    assert "p{a}" not in said and "p%7Ba" not in said and "tw" not in said and "\n" not in said and said.endswith("at all")


@pytest.mark.parametrize("encoding", ["UTF8", "SQL_ASCII", "LATIN1"])
def test_a_database_of_any_encoding_will_do(server, encoding):
    """That of a server whose locale is C is SQL_ASCII, unless somebody says otherwise."""
    address = Address(server.url(server.database(encoding)))
    desk = open_desk(address, trials=1)
    trial = desk.take()
    desk.finish(trial, 1.5)
    assert desk.conclude("config")["score"] == 1.5
    opened.pop().close()


def test_a_wrong_password_or_no_server_ends_after_a_short_wait_and_says_why(server, address, capfd):
    wrong = Address(address.url.set(password="hunter2"))
    with pytest.raises(Away, match="password authentication failed") as caught:
        database(wrong, patience=Patience(0.1, 60))
    assert caught.value.exit_code == 69
    with pytest.raises(Away, match="refused"):
        database(Address(wrong.url.set(port=1)), patience=Patience(0.1, 60))
    with pytest.raises(Away, match="does not exist"):
        database(Address(address.url.set(database="none")), patience=Patience(0.1, 60))
    told = capfd.readouterr().err
    assert "the database is away" in told and "hunter2" not in told


def test_what_the_database_never_allows_is_a_wrong_configuration(server):
    name = server.database()
    server.execute("CREATE ROLE reader LOGIN PASSWORD 'hunter2'")
    server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    with pytest.raises(ConfigError, match=r"^search.storage: the database refuses \(42501\)") as caught:
        database(Address(server.url(name).set(username="reader", password="hunter2")))
    assert "hunter2" not in str(caught.value)


# --- one decision at a time ---


def test_workers_that_come_at_once_make_the_tables_once(address):
    made, failed = [], []

    def come():
        try:
            made.append(database(address))
        except Exception as error:
            failed.append(error)

    workers = [threading.Thread(target=come) for _ in range(6)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert not failed
    assert len({store._id for store in made}) == 1


def test_decisions_are_made_one_after_the_other(address):
    stores = [database(address) for _ in range(3)]
    count = [0]

    def add():
        before = count[0]
        time.sleep(0.002)
        count[0] = before + 1

    def many(store):
        for _ in range(20):
            store.decide(add)

    threads = [threading.Thread(target=many, args=(store,)) for store in stores]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert count[0] == 60


def test_a_decision_whose_connection_breaks_writes_nothing_more_and_is_made_anew(server, address):
    """The moment in which another worker has the lock already: what the first one still wants to write must not get through."""
    store, other = database(address), database(address)
    tries = []

    def decide():
        tries.append(len(tries))
        store.storage.set_study_user_attr(store._id, f"before {tries[-1]}", 1)
        if len(tries) == 1:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            server.execute(cut, address.url.database)
            assert other.decide(lambda: "it is its turn") == "it is its turn"
        store.storage.set_study_user_attr(store._id, f"behind {tries[-1]}", 1)
        return "done"

    assert store.decide(decide) == "done"
    kept = store.storage.get_study_user_attrs(store._id)
    assert tries == [0, 1] and "before 0" in kept and "behind 0" not in kept and "behind 1" in kept
    assert other.decide(lambda: True), "the lock was let go in the end"


def test_a_decision_that_fails_lets_the_lock_go(address):
    store, other = database(address), database(address)
    for error in (Done(), ConfigError("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            store.decide(lambda error=error: (_ for _ in ()).throw(error))
        assert other.decide(lambda: True)
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").scalar() == 0


def test_who_is_asked_to_stop_waits_for_no_lock(address):
    holder = database(address)
    asked = threading.Event()

    def look():
        if asked.is_set():
            raise Stopped("stopped")

    waiter = Database(address, STUDY, "config", 0.6, look, PATIENCE)
    opened.append(waiter)
    asked.set()

    def decide():
        with pytest.raises(Stopped):
            waiter.decide(lambda: pytest.fail("it was not its turn"))

    holder.decide(decide)
    assert waiter.decide(lambda: "nobody holds it: what is running can still be given back")


def test_a_pooler_that_shares_connections_among_workers_is_refused(address, monkeypatch):
    """Played by one lock that two connections share, which is what a pooler of transactions makes of it."""
    monkeypatch.setattr("foresail_models.search.database._TRY", Database.__init__.__globals__["text"]("SELECT :key IS NOT NULL"))
    with pytest.raises(ConfigError, match="grants a lock to two at once"):
        database(address)


# --- who gets which trial ---


def test_the_trials_asked_for_are_handed_out_and_no_more(address):
    desks = open_desk(address, trials=3, stale_s=60), open_desk(address, trials=3, stale_s=60)
    desk_promises.hands_out_the_trials_asked_for_and_no_more(desks, lambda: read_result(address, "run", "config"))


def until(condition):
    end = time.monotonic() + 30
    while not (result := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return result


def test_a_worker_that_came_back_after_it_was_given_up_counts_for_nothing(address):
    slow, other = open_desk(address, trials=1), open_desk(address, trials=1)
    trial = slow.take()
    again = until(other.take)
    assert again.number == 1 and again.params == trial.params
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        slow.report(trial, 1, [1.0], 1.0)
    assert slow.finish(trial, 0.1) is False
    assert other.finish(again, 0.5)
    with pytest.raises(Done):
        slow.take()
    assert other.conclude("config")["score"] == 0.5


def silence(server, address, seconds=3600):
    server.execute(f"UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '{seconds} s'", address.url.database)


def test_a_worker_that_gives_signs_of_life_is_waited_for(server, address):
    first, other = open_desk(address, trials=1, stale_s=30), open_desk(address, trials=1, stale_s=30)
    other.store._stale_s = 0.01  # its connection is older than that
    trial = first.take()
    silence(server, address)
    with first.alive(trial):  # beats at once
        recent = "SELECT heartbeat > now() AT TIME ZONE 'UTC' - interval '1 m' FROM trial_heartbeats"
        until(lambda: server.execute(recent, address.url.database)[0][0])
        other.store._stale_s = 30
        assert other.take() is None
    silence(server, address)
    other.store._stale_s = 0.01
    assert other.take().params == trial.params


def test_an_end_that_was_written_though_no_answer_came_counts(address):
    desk = open_desk(address, trials=1)
    trial = desk.take()
    desk._storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [1.0])
    assert desk.finish(trial, 1.0)
    assert ledger.counts(desk.trials()) == ledger.Counts(1, 0, 0)


def test_a_trial_that_its_decision_never_handed_out_is_found_at_once(address):
    """Its worker was killed between two records of one decision: nobody runs it, so nobody is waited for."""
    gone, other = open_desk(address, trials=1, stale_s=600), open_desk(address, trials=1, stale_s=600)
    left = gone._create({"learning_rate": 0.001, "clip": 1.0}, {})
    taken = other.take()
    assert taken.number == 1 and taken.params == left.params


def test_to_be_stopped_is_no_fault_of_the_hyperparameters(address):
    desk_promises.to_be_stopped_is_no_fault_of_the_hyperparameters(open_desk(address, trials=1))


def test_a_number_gives_the_same_hyperparameters_as_on_a_volume(address, tmp_path):
    def draws(open_, where, workers):
        desks = [open_(where, trials=9, stale_s=60) for _ in range(workers)]
        got = []
        for i in range(9):
            trial = desks[i % workers].take()
            desks[i % workers].finish(trial, score(trial.params))
            got.append(trial.params)
        return got

    assert draws(open_desk, address, 3) == draws(open_desk_of, tmp_path, 1)


def test_two_runs_with_one_configuration_never_meet(address):
    one, two = database(address, study=prefix_of("a") + "study"), database(address, study=prefix_of("b") + "study")
    assert one._id != two._id and key_of(one.study) != key_of(two.study)
    assert one.agree("data", 1) == 1 and one.agree("data", 2) == 1 and two.agree("data", 2) == 2
    one.publish({"config": "config"})
    with pytest.raises(ConfigError, match="has not ended"):
        read_result(address, "b", "config")
    with pytest.raises(ConfigError, match="another configuration"):
        read_result(address, "a", "other")
    with pytest.raises(ConfigError, match="has no search of this run"):
        read_result(address, "", "config")
    with pytest.raises(ConfigError, match="has no search of this run"):
        read_result(address, "%", "config")


# --- with processes and a server, killed ---


def worker(address, trials):
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "tests.search_worker", str(trials)],
        env=runs.environment(**{VARIABLE: text_of(address)}),
        cwd=runs.SOURCE.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process):
    """What it said. One that does not end says where it stands."""
    try:
        return process.communicate(timeout=600)[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        return process.communicate()[0]


def settled(desk):
    """{number: (state, params, value)} of what has ended by itself."""
    return {t.number: (t.state, t.params, t.value) for t in desk.trials() if t.state in (TrialState.COMPLETE, TrialState.PRUNED)}


def judge(desk, trials, before):
    after = settled(desk)
    assert before.items() <= after.items(), "what had ended stays"
    assert len(after) == trials, "as many as were asked for"
    assert max(Counter(json.dumps(params) for _, params, _ in after.values()).values()) == 1, "nothing twice"
    assert all(value == score(params) for _, params, value in after.values())
    found_ = read_result(desk.store._address, "run", "config")
    assert found_["finished"] == trials and found_["score"] == min(value for *_, value in after.values())
    return after


def test_workers_killed_at_any_moment_lose_no_finished_trial_and_repeat_none(address):
    trials, chance = 60, random.Random(5)
    seen, before = open_desk(address, trials=trials), {}
    for _ in range(2):
        workers = [worker(address, trials) for _ in range(3)]
        count = len(seen.trials())
        runs.until(lambda count=count: len(seen.trials()) > count + 3, workers[0])  # past the import, then anywhere
        for each in chance.sample(workers, 3):
            time.sleep(chance.random() * 0.15)
            each.kill()
            each.communicate()
        now = settled(seen)
        assert before.items() <= now.items()
        before = now
    assert 0 < len(before) < trials, "the kills fell into the search"
    workers = [worker(address, trials) for _ in range(2)]
    told = [ended(w) for w in workers]
    assert [w.returncode for w in workers] == [0, 0], told
    after = judge(seen, trials, before)
    lost = [t for t in seen.trials() if "lost" in t.user_attrs and len(t.params) == 2]
    assert lost, "some were running when their worker was killed"
    assert {json.dumps(t.params) for t in lost} <= {json.dumps(params) for _, params, _ in after.values()}, "and were run again"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_database_that_stops_and_comes_back_in_the_middle_costs_no_trial(server, address, how):
    """SIGINT: an orderly restart. SIGQUIT: it crashes, and recovers. Workers at whatever they were at wait and go on."""
    trials, workers = 20, []
    seen = open_desk(address, trials=trials)

    def wanted():
        with seen.store._engine.connect() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").scalar() == 3

    def begin():
        """The first time while all wait for their first turn, so that each sees it: a slow one may sleep through the others."""
        workers.extend(worker(address, trials) for _ in range(3))
        runs.until(wanted, workers[0])
        server.stop(how)
        server.start()

    seen.store.decide(begin)
    for round_ in range(2):
        runs.until(lambda n=round_: len(settled(seen)) > 3 * (n + 1), workers[0])
        server.stop(how)
        time.sleep(1.5)  # longer than a worker may be silent
        server.start()
    told = [ended(w) for w in workers]
    assert [w.returncode for w in workers] == [0, 0, 0], told
    assert all("the database is away" in text and "the database is back" in text for text in told)
    assert all(postgres.PASSWORD not in text and "p%7B" not in text for text in told)
    judge(seen, trials, {})


def test_nobody_is_taken_for_dead_because_the_database_was_away(server, address):
    """All beats are old when it is back, and somebody asks before the first new one."""
    first, second = open_desk(address, trials=1, stale_s=60), open_desk(address, trials=1, stale_s=60)
    trial = first.take()
    server.stop()
    server.start()
    silence(server, address)
    assert second.take() is None, "it has not been there for as long as it asks others to be heard in"
    second.store._stale_s = 0.01
    assert second.take().params == trial.params, "nothing else kept it"


def test_a_worker_ends_for_another_try_when_the_database_stays_away(server, address):
    store = database(address, patience=Patience(60, 0.5))
    server.stop()
    try:
        with pytest.raises(Away, match="was away for 0.5 s") as caught:
            store.decide(lambda: None)
        assert caught.value.exit_code == 69
        with pytest.raises(Away):
            read_result(address, "run", "config", Patience(0.2, 0.2))
    finally:
        server.start()
    assert store.decide(lambda: True), "nothing is left of what failed"


def test_a_search_is_stopped_resumed_and_then_trained(folder, tmp_path, server, address):
    """The real commands, each worker with a folder of its own, none with what another one wrote."""
    recipe = {"family": "linear", "model": None, "shards": 1}
    values = runs.values(folder, recipe) | {"family": "linear", "search": {"trials": 3, "steps": 9, "staleSeconds": 2, "storage": "rdb"}}
    del values["hyperparameters"]["model"], values["hyperparameters"]["family"]
    values["data"] = {"from": "uri", "uri": str(folder)}  # each prepares it for itself
    path = runs.write(tmp_path / "train.json", values)

    def start(module, work, **env):
        return subprocess.Popen(
            [sys.executable, "-m", f"foresail_models.{module}", "--config", str(path), "--work", str(tmp_path / work)],
            env=runs.environment(FORESAIL_RUN="uid", **{VARIABLE: text_of(address)} | env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    code, text = runs.finish(start("search.main", "nowhere", **{VARIABLE: "hunter2"}))
    assert code == 78 and "search.storage" in text and "hunter2" not in text
    code, text = runs.finish(start("train", "early"))
    assert code == 78 and "has no search of this run" in text

    first = start("search.main", "one")
    reported = "SELECT count(*) FROM trial_intermediate_values"
    runs.until(lambda: server.execute("SELECT to_regclass('trial_intermediate_values') IS NOT NULL", address.url.database)[0][0], first)
    runs.until(lambda: server.execute(reported, address.url.database)[0][0] > 0, first)
    first.send_signal(signal.SIGTERM)
    code, text = runs.finish(first)
    assert code == 75, text
    assert server.execute("SELECT value_json FROM trial_user_attributes WHERE key = 'lost'", address.url.database) == [('"stopped"',)]

    workers = [runs.finish(each) for each in (start("search.main", "two"), start("search.main", "three"))]
    assert [code for code, _ in workers] == [0, 0] and not any("the data have changed" in text for _, text in workers), workers
    assert server.execute("SELECT count(*) FROM studies", address.url.database) == [(1,)]
    run = config.load(path)
    best = read_result(address, "uid", found.fingerprint(run))
    assert best["finished"] + best["pruned"] + best["failed"] == 3

    code, text = runs.finish(start("train", "train"))
    assert code == 0, text
    assert not (tmp_path / "train" / "search").exists()
    lineage = json.loads((tmp_path / "train" / "out" / "lineage.json").read_text())
    assert lineage["config"]["search"]["found"]["trial"] == best["trial"]
    assert lineage["config"]["learning_rate"] == best["params"]["learning_rate"]
    assert "p%7B" not in json.dumps(lineage)

    runs.write(path, values | {"seed": 8})
    code, text = runs.finish(start("train", "other"))
    assert code == 78 and "another configuration" in text
