"""The corpus: splits that do not overlap, unknown values that stay unknown, folders that are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest


DAY = 86400


def series(values, start=0, step=300, name="a"):
    from foresail_models.data import Series

    return Series(name, step, start, np.asarray(values, np.float32))


def source(*every):
    from foresail_models.data import Source

    return Source("s", "", "", list(every))


def build(every, part, split, steps=(300,)):
    from foresail_models import data

    return data.build([source(*every)], list(steps), {}, part, split, 20)


def test_splits_by_share_do_not_overlap(folder):
    from foresail_models import data

    sources = data.load_sources(folder, [])
    parts = {p: data.build(sources, [300], {}, p, data.Shares(0.85), 20) for p in ("train", "later", "unseen")}
    train, later = parts["train"], parts["later"]
    assert (train.last - train.first == int(1500 * 0.85) - 1).all(), "targets of training end at the split"
    assert (later.origins[later.low] - later.first == int(1500 * 0.85)).all()
    assert train.weight.size + parts["unseen"].weight.size == 60
    assert parts["unseen"].weight.size > 0


@pytest.mark.parametrize("step", [300, 900])
def test_a_split_by_time_shows_training_nothing_from_its_end_on(step):
    """Values are their own times, so a window tells what it saw; starts differ, the bounds do not."""
    from foresail_models.data import Times

    ends = Times(20 * DAY, 25 * DAY)
    every = []
    for i in range(4):
        start = i * 7 * 300
        t = np.arange(start, 30 * DAY, 300)
        every.append(series(t / 300, start, name=f"s{i}"))
    rng = np.random.default_rng(1)
    for part, low, high in (("train", 0, ends.train_end), ("later", ends.train_end, ends.validate_end)):
        corpus = build(every, part, {"s": ends}, [step])
        cut, _ = corpus.sample(rng, 4000)
        # The mean over a coarse step is the time of its middle.
        newest_sample = cut.target * 300 + (step - 300) / 2
        assert np.nanmax(newest_sample) < high
        assert np.nanmax(newest_sample) >= high - 2 * step, "no more is given away than must be"
        assert np.nanmin(cut.target) * 300 - (step - 300) / 2 >= low, "what validates was not trained on"


def test_origins_are_known_values_and_unknown_ones_stay_unknown():
    from foresail_models.data import Shares

    values = np.arange(4000, dtype=np.float32)
    values[np.random.default_rng(2).random(4000) < 0.5] = np.nan
    corpus = build([series(values)], "train", Shares(0.8))
    cut, _ = corpus.sample(np.random.default_rng(3), 2000)
    assert np.isfinite(cut.context[:, -1]).all()
    origin = cut.context[:, -1].astype(int)
    for ahead in (1, 7, 64):
        at = origin + ahead
        expected = np.where(at < 3200, values[np.minimum(at, 3999)], np.nan)
        np.testing.assert_array_equal(cut.target[:, ahead - 1], expected.astype(np.float32))


def test_a_series_without_known_values_is_never_drawn():
    from foresail_models.data import Shares

    dead, live = series(np.full(500, np.nan), name="dead"), series(np.arange(500) + 1000, name="live")
    assert build([dead], "train", Shares(0.8)) is None
    corpus = build([dead, live], "train", Shares(0.8))
    assert corpus.weight.size == 1
    cut, _ = corpus.sample(np.random.default_rng(1), 100)
    assert (cut.context[:, -1] >= 1000).all()


def test_a_coarse_step_is_unknown_where_most_of_it_is():
    from foresail_models.data import coarsen

    nan = np.nan
    values = np.array([1, 3, 5, 1, nan, 3, nan, nan, 9, nan, nan, nan, 7], np.float32)
    np.testing.assert_array_equal(coarsen(values, 3), np.array([3, 2, nan, nan], np.float32))


@pytest.mark.filterwarnings("error")
def test_batches_of_ragged_series_give_a_finite_loss():
    """Long gaps, one known value, constant: augmentation and loss take them without a warning."""
    from foresail_models import config, trainer
    from foresail_models.data import Shares

    from . import runs

    rng = np.random.default_rng(5)
    gaps = rng.poisson(30, 3000).astype(np.float32)
    gaps[rng.random(3000) < 0.7] = np.nan
    gaps[500:2000] = np.nan
    one = np.full(3000, np.nan, np.float32)
    one[700] = 4
    every = [series(gaps, name="gaps"), series(one, name="one"), series(np.zeros(3000), name="zero")]
    corpus = build(every, "train", Shares(0.9), [300, 600])
    cfg = config.parse(runs.values("x", {"augment": {k: 1.0 for k in ("mix", "flip", "counts", "trend", "missing", "stale")}}), "n").recipe
    running = trainer.Trainer(cfg, corpus)
    assert np.isfinite([running.step() for _ in range(6)]).all()


def test_bad_folders_are_named(tmp_path, folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from foresail_models import data

    with pytest.raises(ValueError, match="no manifest.json"):
        data.load_sources(tmp_path / "nowhere", [])
    with pytest.raises(ValueError, match="nab_rest"):
        data.load_sources(folder, ["nab_rest"])
    pq.write_table(pa.table({"series": ["a"] * 3, "t": [0, 300, 500], "v": [1.0, 2.0, 3.0]}), folder / "web.parquet")
    with pytest.raises(ValueError, match="web.parquet: series 'a' does not keep one step"):
        data.load_sources(folder, [])
    (folder / "web.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="web.parquet"):
        data.load_sources(folder, [])
    (folder / "manifest.json").write_text(json.dumps({"sources": [{"name": "a"}]}))
    with pytest.raises(ValueError, match="without name or file"):
        data.load_sources(folder, [])
