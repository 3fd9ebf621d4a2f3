"""Preparing training data: what is taken, what is refused, and that nothing of the future is read."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foresail_models import data as corpus
from foresail_models.dataset import DataConfig, DataInvalid, Split, gaps, prepare
from foresail_models.dataset.folder import FLAG_INVALID, FLAG_OUTLIER, read_series
from foresail_models.errors import ConfigError, Fenced

NOW = 1_800_000_000.0
DAY = 86400
START = 1_790_035_200  # a midnight, UTC
RECORDED = Path(__file__).parents[3] / "shared" / "data"
needs_recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="recorded loads are not beside the project (../shared/data)")


def load(rng, days=30, step=600, level=100.0):
    """A day's rhythm with noise: (t, v)."""
    t = START + step * np.arange(days * DAY // step)
    v = level * (1 + 0.6 * np.sin(2 * np.pi * t / DAY)) + rng.normal(0, 0.05 * level, t.size)
    return t, np.maximum(v, 0)


def write(path, series, **kinds):
    """`series`: name -> (t, v), into one Parquet file; `kinds` are column types."""
    columns = {
        "series": np.concatenate([[name] * len(t) for name, (t, _) in series.items()]),
        "t": np.concatenate([t for t, _ in series.values()]),
        "v": np.concatenate([v for _, v in series.values()]),
    }
    pq.write_table(pa.table({k: pa.array(c, kinds.get(k)) for k, c in columns.items()}), path)
    return path


def ready(path, work, log=lambda _: None, **more):
    return prepare(DataConfig.parse({"from": "uri", "uri": str(path)} | more), Split(), work, now=lambda: NOW, log=log)


def rows(folder):
    """name -> (t, v, flag) of all files of a training folder."""
    manifest = json.loads((folder / "manifest.json").read_text())
    result = {}
    for source in manifest["sources"]:
        table = pq.read_table(folder / source["file"])
        names = np.array(table["series"].to_pylist())
        for entry in source["series"]:
            mine = names == entry["name"]
            result[entry["name"]] = tuple(table[c].to_numpy()[mine] for c in ("t", "v", "flag"))
    return result


def entry(prepared, name):
    return next(e for e in prepared.quality["series"] if e["series"] == name)


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_an_attempt_that_another_has_followed_puts_nothing_in_its_place(tmp_path, rng, looks):
    """Frozen after it had read its last series, it goes on when the other one's data lie there."""
    source, left = write(tmp_path / "a.parquet", {"a": load(rng)}), looks

    def check():
        nonlocal left
        if left == 0:
            raise Fenced("another has taken over")
        left -= 1

    config = DataConfig.parse({"from": "uri", "uri": str(source)})
    with pytest.raises(Fenced):
        prepare(config, Split(), tmp_path / "w", now=lambda: NOW, log=lambda _: None, check=check)
    assert [(tmp_path / "w" / part).exists() for part in ("holdout", "data", "prepared.json")] == [looks > 0, looks > 1, False]
    assert ready(source, tmp_path / "w").fresh


def test_splits_by_wall_time_and_keeps_the_test_part_out(tmp_path, rng):
    t, v = load(rng)
    late = t >= START + 20 * DAY
    ready_ = ready(write(tmp_path / "a.parquet", {"a": (t, v), "b": (t[late], v[late] + 1), "c": (t, v + 2)}), tmp_path / "w")
    span = t[-1] - t[0]
    assert ready_.train_end == t[0] + round(0.7 * span) and ready_.validate_end == t[0] + round(0.85 * span)
    trained, held = rows(ready_.folder), rows(ready_.holdout)
    for name in ("a", "b", "c"):
        assert trained[name][0].max() < ready_.validate_end <= held[name][0].max() == t[-1]
        size = trained[name][0].size
        np.testing.assert_array_equal(held[name][1][:size], trained[name][1])
    np.testing.assert_array_equal(held["a"][1], v.astype(np.float32))
    # One wall clock for all: a series that began later trains on less.
    assert entry(ready_, "b")["steps"]["train"] == np.sum((t >= START + 20 * DAY) & (t < ready_.train_end))


def windows(folder):
    """What the training loop draws: context, seasonal and target of 300 windows."""
    times = corpus.times_of(corpus.read_manifest(folder)[0])
    drawn, source = corpus.build(corpus.load_sources(folder, []), [600, 3600], {}, "train", times, 20).sample(np.random.default_rng(1), 300)
    return drawn.context, drawn.seasonal, drawn.target, source


@pytest.mark.parametrize("seed", range(6))
def test_no_value_of_the_future_changes_what_training_reads(tmp_path, seed):
    rng = np.random.default_rng(seed)
    series = {f"s{i}": load(rng, level=10.0**i) for i in range(4)}
    series["gaps"] = (lambda t, v: (t, np.where(rng.random(v.size) < 0.3, np.nan, v)))(*load(rng))
    series["twin"] = series["s0"]
    before = ready(write(tmp_path / "a.parquet", series), tmp_path / "w")
    assert entry(before, "twin")["reason"] == "Duplicate"

    def disturbed(since):
        changed = {}
        for name, (t, v) in series.items():
            v = v.copy()
            after = np.flatnonzero(t >= since)
            for kind in (np.nan, -5.0, np.inf, 1e12, 0.0):
                v[rng.choice(after, size=after.size // 8)] = kind
            v[after] *= rng.choice([1.0, 1000.0])
            v[after[0]] = rng.choice([np.nan, 1e9, -1.0])
            changed[name] = (t, v)
        return write(tmp_path / "a.parquet", changed)

    # Beyond the validation part: not a byte of the folder.
    after = ready(disturbed(before.validate_end), tmp_path / "test")
    assert after.sha256 == before.sha256
    assert not np.array_equal(rows(after.holdout)["s0"][1], rows(before.holdout)["s0"][1], equal_nan=True)
    # Beyond the training part: no row to train on, no bound, no verdict, no statistic.
    after = ready(disturbed(before.train_end), tmp_path / "validate")
    assert after.sha256 != before.sha256
    assert (after.train_end, after.validate_end) == (before.train_end, before.validate_end)
    a, b = rows(before.folder), rows(after.folder)
    assert a.keys() == b.keys()
    for x, y in zip(windows(before.folder), windows(after.folder), strict=True):
        np.testing.assert_array_equal(x, y)
    for name in a:
        train = a[name][0] < before.train_end
        for column in range(3):
            np.testing.assert_array_equal(a[name][column][train], b[name][column][train])
        x, y = entry(before, name), entry(after, name)
        assert {k: v for k, v in x.items() if k != "known"} == {k: v for k, v in y.items() if k != "known"}
        assert x["known"]["train"] == y["known"]["train"]


def test_the_trainer_reads_the_folder(tmp_path, rng):
    ready_ = ready(write(tmp_path / "a.parquet", {"a": load(rng), "b": load(rng, step=60, days=20)}), tmp_path / "w")
    (source,) = corpus.load_sources(ready_.folder, [])
    assert [(s.id, s.step_s, s.start) for s in source.series] == [("a", 600, START), ("b", 60, START)]
    np.testing.assert_array_equal(source.series[0].values, rows(ready_.folder)["a"][1])


@pytest.mark.parametrize("group", [1, 2, 7, 1000])
def test_reads_series_across_row_groups(tmp_path, group):
    columns = {"series": ["a"] * 5 + ["b"] + ["c"] * 4, "t": [0, 60, 120, 180, 240, 7, 300, 305, 310, 315], "v": [*range(10)]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=group)
    got = [(name, t0, step, v.tolist()) for name, t0, step, v in read_series(tmp_path / "a.parquet")]
    assert got == [("a", 0, 60, [0, 1, 2, 3, 4]), ("c", 300, 5, [6, 7, 8, 9])], "one row has no step"
    for row, t in ((3, 181), (3, 120), (9, 300), (1, 0)):
        torn = columns | {"t": [t if i == row else x for i, x in enumerate(columns["t"])]}
        pq.write_table(pa.table(torn), tmp_path / "b.parquet", row_group_size=group)
        with pytest.raises(DataInvalid, match=r"b\.parquet: series '[ac]' does not keep one step"):
            list(read_series(tmp_path / "b.parquet"))


def test_a_second_attempt_finds_the_same_bytes(tmp_path, rng):
    path = write(tmp_path / "a.parquet", {"a": load(rng)})
    first = ready(path, tmp_path / "w")
    write(path, {"a": load(rng)})
    again = ready(path, tmp_path / "w")
    assert first.fresh and not again.fresh
    assert (again.sha256, again.quality, again.bounds) == (first.sha256, first.quality, first.bounds)


@pytest.mark.parametrize("torn", ["data", "holdout"])
def test_a_torn_folder_is_made_anew(tmp_path, rng, torn):
    path = write(tmp_path / "a.parquet", {"a": load(rng)})
    first = ready(path, tmp_path / "w")
    (parquet,) = (tmp_path / "w" / torn).glob("*.parquet")
    parquet.write_bytes(parquet.read_bytes()[:-7])
    again = ready(path, tmp_path / "w")
    assert again.fresh and again.sha256 == first.sha256


def test_a_crash_in_the_middle_leaves_nothing_that_counts(tmp_path, rng):
    path = write(tmp_path / "a.parquet", {"a": load(rng)})
    work = tmp_path / "w"
    whole = ready(path, work)
    # As after a kill between the two renames, with the leftovers of the one that was killed.
    (work / "prepared.json").unlink()
    shutil.rmtree(work / "data")
    (work / ".preparing-x").mkdir()
    (work / ".preparing-x" / "half").write_text("half")
    assert ready(path, work).sha256 == whole.sha256
    assert sorted(p.name for p in work.iterdir()) == ["data", "holdout", "prepared.json"]


def test_a_failure_leaves_no_scratch(tmp_path, rng):
    t, _ = load(rng)
    with pytest.raises(DataInvalid, match=r"Constant 1 \(flat\)"):
        ready(write(tmp_path / "a.parquet", {"flat": (t, np.full(t.size, 7.0))}), tmp_path / "w")
    assert list((tmp_path / "w").iterdir()) == []


def test_another_configuration_is_prepared_anew(tmp_path, rng):
    path = write(tmp_path / "a.parquet", {"a": load(rng)})
    first = ready(path, tmp_path / "w")
    second = ready(path, tmp_path / "w", windowHours=240)
    assert second.fresh and second.sha256 != first.sha256
    assert rows(second.folder)["a"][0].min() >= START + 20 * DAY - 600
    assert entry(second, "a")["stamps"]["beforeWindow"] == 20 * DAY // 600 - 1


def test_degenerate_series_are_dropped_and_named(tmp_path, rng):
    t, v = load(rng)
    spiky = np.zeros(t.size)
    spiky[::300] = 5
    series = {
        "good": (t, v),
        "flat": (t, np.full(t.size, 3.0)),
        "spiky": (t, spiky),
        "unknown": (t, np.full(t.size, np.nan)),
        "twin": (t, v),
        "short": (t[:50], v[:50]),
        "one": (t[:1], v[:1]),
        "young": (t[-300:], v[-300:]),
        "negative": (t, -v),
        "tomorrow": (t + int(NOW), v),
    }
    said = []
    ready_ = ready(write(tmp_path / "a.parquet", series), tmp_path / "w", said.append)
    verdicts = {e["series"]: e["reason"] for e in ready_.quality["series"]}
    assert verdicts == {
        "good": None,
        "flat": "Constant",
        "spiky": "NearConstant",
        "unknown": "AllUnknown",
        "twin": "Duplicate",
        "short": "TooShort",
        "one": "TooShort",
        "young": "StartsAfterTraining",
        "negative": "AllUnknown",
        "tomorrow": "FutureOnly",
    }
    assert rows(ready_.folder).keys() == {"good"}
    assert "10 series: 1 used, 9 dropped" in said[0] and re.search(r"^twin +dropped .*Duplicate of good$", said[0], re.MULTILINE)


def test_what_is_odd_is_counted_and_kept_unknown(tmp_path, rng):
    t, v = load(rng)
    v[100], v[200:350], v[500], v[600], v[-3:] = -1, np.nan, np.inf, 5000, [-1, np.nan, 7]
    ready_ = ready(write(tmp_path / "a.parquet", {"a": (t, v), "b": load(rng)}), tmp_path / "w")
    e = entry(ready_, "a")
    assert (e["invalid"], e["longestGapSteps"], e["known"]["train"]) == (2, 150, e["steps"]["train"] - 152)
    assert {"InvalidValues", "LongGap"} <= set(e["remarks"])
    _, values, flags = rows(ready_.folder)["a"]
    assert np.isnan(values[[100, 500]]).all() and (flags[[100, 500]] == FLAG_INVALID).all()
    assert np.isnan(values[200:350]).all() and not flags[200:350].any(), "a gap is not filled, at no length"
    (tested, _) = json.loads((ready_.holdout / "quality.json").read_text())["series"]
    assert tested["invalid"] == 1 and tested["known"] == tested["steps"] - 2
    assert values[600] == 5000 and flags[600] == FLAG_OUTLIER, "an outlier is marked and stays"


def test_fills_of_the_comparison():
    row = np.array([[np.nan, 1, np.nan, np.nan, 4, np.nan], [np.nan] * 6], np.float32)
    assert gaps.linear(row).tolist()[0] == [1, 1, 2, 3, 4, 4] and np.isnan(gaps.linear(row)[1]).all()
    np.testing.assert_array_equal(gaps.hold(row)[0], [np.nan, 1, 1, 1, 4, 4])


def test_statistics_know_rhythm_noise_and_jumps(tmp_path, rng):
    t, v = load(rng, days=60)
    weekend = np.where((t // DAY + 3) % 7 >= 5, 0.2, 1.0)
    jump = np.where(t > START + 20 * DAY, 8.0, 1.0)
    noise = rng.exponential(10, t.size)
    series = {"daily": (t, v), "weekly": (t, v * weekend), "jump": (t, v * jump), "noise": (t, noise), "shuffled": (t, rng.permutation(v))}
    ready_ = ready(write(tmp_path / "a.parquet", series), tmp_path / "w")
    daily, weekly, jumped, noisy, shuffled = (entry(ready_, n) for n in series)
    assert daily["dailyStrength"] > 0.95 and noisy["dailyStrength"] < 0.1
    assert weekly["weeklyStrength"] > 0.9 and noisy["weeklyStrength"] < 0.5
    assert jumped["levelJumps"] == 1 and daily["levelJumps"] == noisy["levelJumps"] == 0
    assert "NoMemory" in noisy["remarks"] and "NoMemory" in shuffled["remarks"] and not daily["remarks"]
    assert daily["lags"]["1"]["skill"] > 0.5 and weekly["lags"]["7"]["skill"] > weekly["lags"]["1"]["skill"]
    assert noisy["lags"]["1"]["skill"] < 0.1 and ready_.quality["totals"]["lags"]["1"]["worthLearning"]


def test_resamples_to_the_beat_of_the_stamps(tmp_path, rng):
    t, v = load(rng, days=10, step=60)
    trembling = t + rng.integers(-2, 3, t.size)
    order = np.arange(t.size)
    order[[5, 900]] = order[[900, 5]]
    twice = np.append(t[order], t[:10]), np.append(v[order], np.arange(10.0))
    future = np.append(t, NOW + 3600), np.append(v, 1.0)
    series = {"trembling": (trembling, v), "twice": twice, "future": future, "half": (t[::2], v[::2])}
    ready_ = ready(write(tmp_path / "a.parquet", series), tmp_path / "w")
    got = rows(ready_.folder)
    e = entry(ready_, "trembling")
    assert e["stepSeconds"] == 60 and e["missingShare"] == 0 and e["stamps"]["offGrid"] > 0 == e["stamps"]["sameStep"]
    e = entry(ready_, "twice")
    assert e["stamps"]["duplicates"] == 10 and e["stamps"]["outOfOrder"] > 0
    assert got["twice"][1][:10].tolist() == list(range(10)), "the last of equal stamps counts"
    assert entry(ready_, "future")["stamps"]["future"] == 1 and "Future" in entry(ready_, "future")["remarks"]
    assert ready_.bounds["a"].last < NOW - DAY, "a stamp of the future moves no bound"
    assert entry(ready_, "half")["stepSeconds"] == 120
    for t_, _, _ in got.values():
        assert len(set(np.diff(t_))) == 1, "a regular grid"


def test_steps_of_the_clock_change_do_not_show(tmp_path, rng):
    """Stamps with zones, across the night in which an hour occurs twice in Berlin: one UTC grid, no gap, no overlap."""
    t, v = load(rng, days=60, step=3600)
    assert t[0] < 1_792_890_000 < t[-1], "2026-10-25 01:00 UTC lies inside"
    zoned = pa.array(t * 1000, pa.timestamp("ms", "Europe/Berlin"))
    pq.write_table(pa.table({"t": zoned, "v": v}), tmp_path / "berlin.parquet")
    ready_ = ready(tmp_path / "berlin.parquet", tmp_path / "w")
    got = rows(ready_.folder)["berlin"]
    np.testing.assert_array_equal(got[0], t[: got[0].size])
    assert entry(ready_, "berlin")["missingShare"] == 0


def test_csv_reads_like_parquet(tmp_path, rng):
    t, v = load(rng)
    parquet = ready(write(tmp_path / "x.parquet", {"a": (t, v)}), tmp_path / "p")
    stamps = {
        "seconds": t.astype(str),
        "iso": [str(np.datetime64(int(s), "s")) + "Z" for s in t],
        "zoned": [str(np.datetime64(int(s) + 7200, "s")) + "+02:00" for s in t],
    }
    for name, column in stamps.items():
        with open(tmp_path / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows([["series", "t", "v"], *(["a", s, x] for s, x in zip(column, v))])
        read = rows(ready(tmp_path / f"{name}.csv", tmp_path / name).folder)["a"]
        np.testing.assert_array_equal(read[0], rows(parquet.folder)["a"][0])
        np.testing.assert_allclose(read[1], rows(parquet.folder)["a"][1], rtol=1e-6)


def test_packed_csv_and_other_columns(tmp_path, rng):
    t, v = load(rng)
    text = "pod,value,timestamp\n" + "\n".join(f"web,{x:.3f},{s}" for s, x in zip(t, v))
    (tmp_path / "web.csv.gz").write_bytes(gzip.compress(text.encode()))
    seen = []
    ready_ = prepare(DataConfig("uri", f"file://{tmp_path}/web.csv.gz"), Split(), tmp_path / "w", now=lambda: NOW, log=seen.append, progress=lambda *at: seen.append(at))
    assert rows(ready_.holdout)["web"][0].tolist() == t.tolist()
    assert seen[:2] == [(0, 1), (1, 1)] and isinstance(seen[2], str)


def test_an_empty_cell_is_unknown(tmp_path, rng):
    t, v = load(rng)
    cells = [f"{x:.3f}" for x in v]
    cells[10], cells[11], cells[12] = "", "NaN", "null"
    (tmp_path / "web.csv").write_text("timestamp,value\n" + "\n".join(f"{s},{c}" for s, c in zip(t, cells)))
    ready_ = ready(tmp_path / "web.csv", tmp_path / "w")
    assert np.flatnonzero(np.isnan(rows(ready_.folder)["web"][1])).tolist() == [10, 11, 12]


def test_reads_the_history_of_an_operator(tmp_path, rng):
    """Its layout: a row per run, newer files win, unknown blanks nothing."""
    t, v = load(rng)
    folder = tmp_path / "history"
    folder.mkdir()

    def put(name, a, b, values):
        table = {
            "series": pa.array(["web/uid/metric-0"]),
            "start": pa.array([int(t[a]) * 1000], pa.timestamp("ms", "UTC")),
            "step": pa.array([600_000], pa.int32()),
            "values": pa.array([values.tolist()], pa.list_(pa.float32())),
        }
        pq.write_table(pa.table(table), folder / name, compression="gzip")

    put("2026-09-22.000000000001-00000000.parquet", 0, 3000, v[:3000])
    put("2026-10-12.000000000002-00000000.parquet", 2900, t.size, v[2900:])
    newer = v[1000:1100] + 1
    newer[50:] = np.nan
    put("2026-10-13.000000000003-00000000.parquet", 1000, 1100, newer)
    ready_ = ready(folder, tmp_path / "w")
    got = rows(ready_.folder)["web/uid/metric-0"][1]
    expected = v.astype(np.float32)
    expected[1000:1050] = newer[:50]
    np.testing.assert_array_equal(got, expected[: got.size])
    assert entry(ready_, "web/uid/metric-0")["stepSeconds"] == 600


def test_sources_of_a_folder_are_split_each_by_its_own_clock(tmp_path, rng):
    t, v = load(rng)
    write(tmp_path / "now.parquet", {"a": (t, v)})
    write(tmp_path / "nominal.parquet", {"a": (t - START, v + 1)})
    write(tmp_path / "copy.parquet", {"a": (t, v)})
    sources = [{"name": n, "file": f"{n}.parquet", "licence": "MIT"} for n in ("now", "nominal", "copy")]
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": sources}))
    ready_ = ready(tmp_path, tmp_path / "w")
    now, nominal = ready_.bounds["now"], ready_.bounds["nominal"]
    assert now.train_end - START == nominal.train_end and ready_.train_end == now.train_end
    manifest = json.loads((ready_.folder / "manifest.json").read_text())
    assert [s["licence"] for s in manifest["sources"]] == ["MIT", "MIT"], "a source that is a copy has nothing left"
    assert [e["reason"] for e in ready_.quality["series"]] == [None, None, "Duplicate"]
    assert [s["trainEnd"][:4] for s in manifest["sources"]] == ["2026", "1970"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"t": pa.array([1, 2]), "x": pa.array([1.0, 2.0])}, "no column v; it has t, x; known are"),
        ({"t": pa.array([1, None]), "v": pa.array([1.0, 2.0])}, "column t: 1 rows without a time"),
        ({"t": pa.array([1.0, np.inf]), "v": pa.array([1.0, 2.0])}, "column t: a time that is not finite"),
        ({"t": pa.array([1, 2], pa.timestamp("s")), "v": pa.array([1.0, 2.0])}, "column t: times without a zone"),
        ({"t": pa.array([True, False]), "v": pa.array([1.0, 2.0])}, "column t: bool; seconds or timestamps"),
        ({"t": pa.array(["yesterday", "yesterday"]), "v": pa.array([1.0, 2.0])}, "column t: .*yesterday"),
        ({"t": pa.array([1, 2]), "v": pa.array(["12", "many"])}, "column v: .*many"),
        ({"t": pa.array([1, 2]), "v": pa.array([1.0, 2.0]), "series": pa.array(["a", None])}, "a row without a name"),
        ({"t": pa.array([1, 2]), "v": pa.array([1.0, 2.0]), "series": pa.array(["a", ""])}, "a name of 0 bytes"),
        ({"t": pa.array([int(NOW) * 1000 - 60_000, int(NOW) * 1000]), "v": pa.array([1.0, 2.0])}, "in seconds, not milliseconds"),
        ({"t": pa.array([int(NOW) + 900, int(NOW) + 960]), "v": pa.array([1.0, 2.0])}, "no series with a time that is not in the future"),
        ({"t": pa.array([60, 60]), "v": pa.array([1.0, 2.0])}, "span no time at all"),
        ({"t": pa.array([0, 500_000]), "v": pa.array([1.0, 2.0])}, "series bad: a step of 500000 s"),
    ],
)
def test_bad_files_are_named(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "bad.parquet")
    with pytest.raises(DataInvalid, match=message) as raised:
        ready(tmp_path / "bad.parquet", tmp_path / "w")
    assert "bad" in str(raised.value) and raised.value.exit_code == 78


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("series", None, "column series: a row without a name"),
        ("start", None, "column start: a row without a value"),
        ("step", None, "column step: a row without a value"),
        ("values", None, "column values: a row without a value"),
        ("start", "soon", "column start: "),
        ("values", 3.0, "column values: double; a list of numbers is read"),
    ],
)
def test_history_with_holes_in_it_is_named(tmp_path, column, value, message):
    """A file that another program wrote in the layout of the operator's."""
    row = {"series": "a", "start": datetime(2026, 9, 22, tzinfo=UTC), "step": 60_000, "values": [1.0, 2.0]}
    rows = [row | {"start": row["start"] + timedelta(hours=i)} for i in range(3)]
    rows = [r | {column: value} for r in rows] if value is not None else [*rows, row | {column: None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "bad.parquet")
    with pytest.raises(DataInvalid, match=message):
        ready(tmp_path / "bad.parquet", tmp_path / "w")


def test_two_sources_of_one_name_are_told(tmp_path, rng):
    for name in ("one", "two"):
        write(tmp_path / f"{name}.parquet", {"a": load(rng)})
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": [{"name": "x", "file": f"{n}.parquet"} for n in ("one", "two")]}))
    with pytest.raises(DataInvalid, match="source x stands there twice"):
        ready(tmp_path, tmp_path / "w")


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("bad.parquet", b"PAR1 no more", "bad.parquet"),
        ("bad.csv", b"", "bad.csv"),
        ("bad.csv", b"t,v\n1,2\n3\n", "Expected 2 columns"),
        ("bad.csv.gz", b"t,v\n1,2\n", "gzip"),
        ("bad.csv.gz", gzip.compress(b"t,v\n" + b"1,2\n" * 100)[:-20], "bad.csv.gz"),
        ("bad.csv.gz", gzip.compress(b"t,v\n" + b"1,2\n" * 100)[:12] + b"xxxxxxxxxx", "bad.csv.gz"),
        ("bad.txt", b"t,v\n", "not a .parquet, .csv, .csv.gz file"),
    ],
)
def test_broken_files_are_named(tmp_path, name, body, message):
    (tmp_path / name).write_bytes(body)
    with pytest.raises(DataInvalid, match=message):
        ready(tmp_path / name, tmp_path / "w")


def test_limits_and_addresses(tmp_path, rng):
    path = write(tmp_path / "a.parquet", {"a": load(rng), "b": load(rng)})
    with pytest.raises(DataInvalid, match=r"more than 100 points \(data.maxPoints\)"):
        ready(path, tmp_path / "w", maxPoints=100)
    apart = write(tmp_path / "apart.parquet", {"a": (np.array([0, 1, 2, START]), np.ones(4))})
    with pytest.raises(DataInvalid, match=r"series a: 4 rows over 1790035201 steps of 1 s, at most"):
        ready(apart, tmp_path / "w", windowHours=1e6)
    with pytest.raises(DataInvalid, match=r"more than 1 series \(data.maxSeries\)"):
        ready(path, tmp_path / "w", maxSeries=1)
    for uri, message in [
        (str(tmp_path / "absent"), "there is no such file or folder"),
        (f"file://{tmp_path}/w", "no .parquet, .csv, .csv.gz file in it"),
        ("http://example.com/a.parquet", "http:// is not known"),
        ("ftp://example.com/a.parquet", "ftp:// is not known"),
        ("pvc://claim/loads", "pvc://claim/loads: there is no such file or folder"),
        ("pvc://claim/../other/loads.csv", "leaves the claim"),
        ("s3://key:secret@bucket/a", "credentials belong into data.credentialsSecretRef"),
    ]:
        with pytest.raises(DataInvalid, match=message):
            ready(uri, tmp_path / "w")
    (tmp_path / "manifest.json").write_text(json.dumps({"sources": [{"name": "x", "file": "../../etc/passwd.csv"}]}))
    with pytest.raises(DataInvalid, match=r"there is no file \.\./\.\./etc/passwd.csv"):
        ready(tmp_path, tmp_path / "w")


@pytest.mark.parametrize(
    ("block", "key"),
    [
        ({}, "data.from"),
        ({"from": "prometheus"}, "data.from"),
        ({"from": "uri"}, "data.uri"),
        ({"from": "operator", "uri": "x"}, "data.uri"),
        ({"from": "uri", "uri": 3}, "data.uri"),
        ({"from": "operator", "windowHours": 0}, "data.windowHours"),
        ({"from": "operator", "windowHours": "long"}, "data.windowHours"),
        ({"from": "operator", "minPoints": 1.5}, "data.minPoints"),
        ({"from": "operator", "windowHour": 24}, "windowHour"),
    ],
)
def test_the_configuration_names_the_key_at_fault(block, key):
    with pytest.raises(ConfigError, match=re.escape(key)):
        DataConfig.parse(block)


@pytest.mark.parametrize("split", [{"train": 0.9}, {"train": 1, "validate": 0, "test": 0}, {"trian": 0.7}, {"train": True}])
def test_a_split_must_be_whole(split):
    with pytest.raises(ConfigError, match="split"):
        Split.parse(split)


@needs_recorded
def test_recorded_loads(tmp_path):
    """Real series, read in place: none is lost, values are bit-equal, the week of the taxi data is found."""
    path = RECORDED / "pretrain" / "bike_sharing_dc.parquet"
    ready_ = ready(path, tmp_path / "bikes", windowHours=20_000)
    table = pq.read_table(path)
    totals = ready_.quality["totals"]
    names = table["series"].unique().to_pylist()
    assert totals["series"] == len(names) and totals["used"] + sum(totals["dropped"].values()) == len(names)
    held = rows(ready_.holdout)
    assert held
    all_names, values = np.array(table["series"].to_pylist()), table["v"].to_numpy()
    for name, (_, v, flags) in held.items():
        own = values[all_names == name]
        np.testing.assert_array_equal(v[flags != FLAG_INVALID], own[own >= 0])
    taxi = ready(RECORDED / "traces" / "nab_nyc_taxi_30m.csv", tmp_path / "taxi", windowHours=10_000)
    e = taxi.quality["series"][0]
    assert e["stepSeconds"] == 1800 and e["missingShare"] == 0 and e["dailyStrength"] > 0.7 and e["weeklyStrength"] > 0.3
    assert e["lags"]["7"]["skill"] > e["lags"]["1"]["skill"]
