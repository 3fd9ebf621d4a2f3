"""Training: one seed gives one result, a resumed run goes on as if never stopped, export changes nothing."""

from __future__ import annotations

import dataclasses
import errno
import json
import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from . import generated, runs

CONFIG = Path(__file__).parents[1] / "configs" / "loadcast.toml"


def small_run(folder, **recipe):
    from foresail_models import config

    return config.parse(runs.values(folder, recipe), "small")


def trainer_of(folder, **recipe):
    from foresail_models import data, trainer

    cfg = small_run(folder, **recipe).recipe
    return trainer.Trainer(cfg, data.build(data.load_sources(folder, []), cfg.steps_s, {}, "train", data.Shares(0.85), 20))


def test_one_step_is_determined_by_the_seed(folder):
    def one_step(seed):
        trainer = trainer_of(folder)
        trainer.cfg = dataclasses.replace(trainer.cfg, seed=seed)
        return trainer.step(), trainer.model.head.weight.detach().numpy().copy()

    (loss_a, a), (loss_b, b), (loss_c, _) = one_step(1), one_step(1), one_step(2)
    assert loss_a == loss_b
    np.testing.assert_array_equal(a, b)
    assert loss_c != loss_a


def test_training_learns(folder):
    trainer = trainer_of(folder, steps=60, batch=64, learning_rate=5e-3)
    losses = [trainer.step() for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])


def test_who_computes_a_shard_and_how_many_at_once_does_not_matter(folder):
    """A device computes the shards of a process as one batch; their loss is that of shards apart."""
    apart, together = trainer_of(folder), trainer_of(folder)
    together.groups = [[shard for group in together.groups for shard in group]]
    losses = [(apart.step(), together.step()) for _ in range(4)]
    np.testing.assert_allclose(*zip(*losses), rtol=1e-5)


def test_half_precision_changes_a_loss_by_no_more_than_it_must(folder):
    """bfloat16 has eight bits: on a CPU only because a test can run there."""
    full, half = trainer_of(folder, steps=20), trainer_of(folder, steps=20, precision="bfloat16")
    pairs = [(full.step(), half.step()) for _ in range(10)]
    assert half.half and not full.half
    assert any(a != b for a, b in pairs)
    np.testing.assert_allclose(*zip(*pairs), rtol=0.05)
    assert all(p.dtype.itemsize == 4 for p in half.parameters)


@pytest.mark.filterwarnings("ignore")  # the exporter warns about its own future
def test_a_resumed_run_ends_like_one_that_never_stopped(folder, tmp_path, monkeypatch):
    from foresail_models import train
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports
    from foresail_models.trainer import Trainer

    nobody = Reports(None, None)
    run = dataclasses.replace(small_run(folder, decay=0.5), checkpoint=dataclasses.replace(small_run(folder).checkpoint, everySeconds=0))

    def whole_of(name):
        return json.loads((tmp_path / name / "out" / "training.json").read_text())

    def steps(run, count):
        return dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, steps=count))

    train.train(run, tmp_path / "whole", nobody, Interrupt())
    step, calls = Trainer.step, []

    def dies(self):
        calls.append(self.done)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(Trainer, "step", dies)
    # Torn while it still meant to run longer: before the decay the number of steps may change.
    with pytest.raises(KeyboardInterrupt):
        train.train(steps(run, 9), tmp_path / "torn", nobody, Interrupt())
    monkeypatch.setattr(Trainer, "step", step)
    train.train(run, tmp_path / "torn", nobody, Interrupt())
    whole, torn = whole_of("whole"), whole_of("torn")
    assert whole["history"] == torn["history"]
    assert whole["sha256"] == torn["sha256"], "the same weights give the same file, byte for byte"
    assert torn["attempts"] == [1, 2]
    with pytest.raises(ValueError, match="already decays"):
        train.train(steps(run, 12), tmp_path / "torn", nobody, Interrupt())
    with pytest.raises(ValueError, match="another configuration"):
        train.train(dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, seed=5)), tmp_path / "torn", nobody, Interrupt())


def test_a_loss_that_is_no_number_is_not_tried_again(folder, tmp_path, monkeypatch):
    from foresail_models import train
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports
    from foresail_models.trainer import Trainer

    monkeypatch.setattr(Trainer, "step", lambda self: float("nan"))
    with pytest.raises(ValueError, match="^learning_rate: the loss is nan") as caught:
        train.train(small_run(folder), tmp_path, Reports(None, None), Interrupt())
    assert caught.value.exit_code == 78


def test_a_score_that_is_no_number_is_never_published(folder, tmp_path, monkeypatch):
    """The last update may break what no loss shows any more."""
    from foresail_models import train
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports
    from foresail_models.trainer import Trainer

    step = Trainer.step

    def breaks(self):
        loss = step(self)
        if self.done == 4:
            next(self.average.parameters()).data.fill_(float("nan"))
        return loss

    monkeypatch.setattr(Trainer, "step", breaks)
    with pytest.raises(ValueError, match="^learning_rate: the score is nan at step 4") as caught:
        train.train(small_run(folder, steps=4), tmp_path / "w", Reports(None, None), Interrupt())
    assert caught.value.exit_code == 78 and not (tmp_path / "w" / "out").exists()


def test_who_is_stopped_where_it_has_just_saved_needs_no_room(folder, tmp_path, monkeypatch):
    from foresail_models import config, train
    from foresail_models.checkpoint import Checkpoints
    from foresail_models.errors import Stopped
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports

    run = config.parse(runs.values(folder, checkpoint={"everySeconds": 0}), "small")
    asked, save = Interrupt(), Checkpoints.save
    asked.watched = True

    def fills(self, step, *rest):
        if asked:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, step, *rest)
        if step == 3:
            asked._ask(signal.SIGTERM, None)

    monkeypatch.setattr(Checkpoints, "save", fills)
    with pytest.raises(Stopped, match="step 3"):
        train.train(run, tmp_path / "w", Reports(None, None), asked)


@pytest.fixture
def small_files():
    """The kernel takes no file beyond this: a state is larger, a model of these tests is not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_costs_checkpoints_and_not_the_run(folder, tmp_path, small_files, monkeypatch, capfd):
    from foresail_models import config, train
    from foresail_models.errors import CheckpointFailed
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports
    from foresail_models.trainer import Trainer

    run = config.parse(runs.values(folder, checkpoint={"everySeconds": 0}), "small")
    asked, step = Interrupt(), Trainer.step
    asked.watched = True

    def asks(self):
        if self.done == 5:
            asked._ask(signal.SIGTERM, None)
        return step(self)

    monkeypatch.setattr(Trainer, "step", asks)
    with pytest.raises(CheckpointFailed, match="step 6 not written: .*File too large") as caught:
        train.train(run, tmp_path, Reports(None, None), asked)
    assert caught.value.exit_code == 1, "75 would promise a checkpoint"
    monkeypatch.setattr(Trainer, "step", step)
    assert train.train(run, tmp_path, Reports(None, None), Interrupt()) == 0
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == []
    assert (tmp_path / "out" / "lineage.json").is_file()
    assert "training goes on" in capfd.readouterr().out


def test_an_attempt_that_the_operator_calls_over_ends(folder, tmp_path):
    from foresail_models import train
    from foresail_models.errors import Fenced
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports

    reports = Reports(None, None)
    reports.over.set()
    with pytest.raises(Fenced):
        train.train(small_run(folder), tmp_path, reports, Interrupt())
    assert not (tmp_path / "out").exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_onnx_equals_pytorch(seed):
    import torch

    from foresail_models import export, golden, models

    torch.manual_seed(seed)
    model = models.build("patch-mixer", runs.TINY).eval()
    with torch.no_grad():  # heads start near zero: give them something to say
        model.head.weight.normal_(std=0.3)
        model.gate.weight.normal_(std=0.3)
    session = golden.session(export.to_onnx(model, "test", "0", []).SerializeToString())
    feed = generated.batch(np.random.default_rng(seed), 32)
    (got,) = session.run(["quantiles"], feed)
    with torch.no_grad():
        expected = model(*(torch.from_numpy(feed[k]) for k in ("context", "seasonal"))).quantiles.numpy()
    largest = np.abs(expected).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(got / largest, expected / largest, atol=1e-4)


def test_a_file_scores_as_the_family_that_it_was_written_from(folder, tmp_path):
    import torch

    from foresail_models import export, gang, incumbent, material, models

    torch.manual_seed(1)
    model = models.build("patch-mixer", runs.TINY).eval()
    with torch.no_grad():
        model.head.weight.normal_(std=0.3)
    export.save(export.to_onnx(model, "test", "0", []), tmp_path / "m.onnx")
    found = material.gather(small_run(folder), tmp_path, None, gang.Gang(gang.Place(), torch.device("cpu")))
    one, other = found.validation.score(model), found.validation.score(incumbent.Incumbent(tmp_path / "m.onnx"))
    assert other == pytest.approx(one, rel=2e-3), "but for what leaves the range of float32 on its way out and back"
    with pytest.raises(ValueError, match="^incumbent.path"):
        incumbent.Incumbent(tmp_path / "manifest.json")


@pytest.mark.parametrize("harm, message", [("shape", "cannot be scored"), ("nan", "answers with what is no number")])
def test_an_incumbent_that_cannot_be_compared_with_is_told_before_training(folder, tmp_path, model_path, harm, message):
    import onnx
    from onnx import helper, numpy_helper

    from foresail_models import config, train
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports

    proto = onnx.load(model_path)
    inner = "inner_quantiles"
    for node in proto.graph.node:
        node.output[:] = [inner if name == "quantiles" else name for name in node.output]
        node.input[:] = [inner if name == "quantiles" else name for name in node.input]
    if harm == "nan":
        proto.graph.initializer.append(numpy_helper.from_array(np.float32(np.nan), "nothing"))
        proto.graph.node.append(helper.make_node("Add", [inner, "nothing"], ["quantiles"]))
    else:
        proto.graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "first"))
        proto.graph.initializer.append(numpy_helper.from_array(np.array([5], np.int64), "sixth"))
        proto.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
        proto.graph.node.append(helper.make_node("Slice", [inner, "first", "sixth", "axis"], ["quantiles"]))
        proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("quantiles", onnx.TensorProto.FLOAT, None))
    onnx.save(proto, tmp_path / "incumbent.onnx")
    run = config.parse(runs.values(folder, incumbent={"path": str(tmp_path / "incumbent.onnx")}), "small")
    with pytest.raises(ValueError, match=f"^incumbent.path: .*{message}") as caught:
        train.train(run, tmp_path / "w", Reports(None, None), Interrupt())
    assert caught.value.exit_code == 78 and not list((tmp_path / "w").glob("checkpoints/*"))


def test_what_a_run_leaves_behind(folder, tmp_path, model_path):
    """All of `out/`, and the model answers the golden vectors that it carries."""
    from foresail_models import contract, golden, train
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports

    config = runs.write(tmp_path / "train.json", runs.values(folder, incumbent={"path": str(model_path)}))
    assert train.train(train._load(train._parser().parse_args(["--config", str(config)])), tmp_path, Reports(None, None), Interrupt()) == 0
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == {
        "model.onnx", "golden.json", "card.md", "lineage.json", "training.json", "loss.png", "forecasts.png",
    }  # fmt: skip
    lineage = json.loads((out / "lineage.json").read_text())
    assert lineage["config"]["model"]["width"] == 8 and lineage["config"]["patience"] == 10
    assert lineage["data"]["series"] == 60 and lineage["data"]["points"] == 90_000
    scores = lineage["scores"]
    assert scores["incumbent"]["score"] < scores["validation"]["score"], "the box model against eight steps"
    assert lineage["sha256"] in (out / "card.md").read_text()
    session = golden.session(out / "model.onnx")
    text = session.get_modelmeta().custom_metadata_map[contract.GOLDEN_KEY]
    assert len(text) < 64 * 1024
    for case in json.loads(text)["cases"]:
        feed = {key: golden.from_json(case[key])[None] for key in ("context", "seasonal")}
        (got,) = session.run(["quantiles"], feed)
        np.testing.assert_allclose(got[0, case["steps"]], case["quantiles"], rtol=1e-3, atol=1e-3)


def test_bytes_that_are_fetched_are_progress(folder):
    """The operator ends a run of which it hears nothing new."""
    import torch

    from foresail_models import gang, train
    from foresail_models.reports import Reports

    told, seen = Reports(None, None), []
    told.progress = lambda report, at_once=False: seen.append(report)
    for size in (1 << 20, 3 << 20):
        train._fetched(small_run(folder), size, gang.Gang(gang.Place(), torch.device("cpu")), told)
    assert [(r["step"], r["total"], r["prepared"]) for r in seen] == [(0, 8, 1), (0, 8, 3)]


def test_a_run_tells_of_its_preparation_and_the_card_of_what_it_found(tmp_path, rng):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from foresail_models import config, train
    from foresail_models.interrupt import Interrupt
    from foresail_models.reports import Reports

    t = np.arange(1500) * 300 + 1_760_000_000
    day = rng.poisson(50 + 40 * np.sin(2 * np.pi * t / 86400), (2, t.size))
    loads = {"busy": day[0], "calm": day[1], "idle": np.full(t.size, 3)}
    columns = {"series": np.repeat(list(loads), t.size), "t": np.tile(t, 3), "v": np.concatenate(list(loads.values()))}
    pq.write_table(pa.table(columns | {"v": columns["v"].astype(np.float32)}), tmp_path / "load.parquet")
    values = runs.values(tmp_path) | {"data": {"from": "uri", "uri": f"file://{tmp_path}/load.parquet"}}
    told = Reports(None, None)
    seen = []
    told.progress = lambda report, at_once=False: seen.append(report)
    assert train.train(config.parse(values, "small"), tmp_path / "work", told, Interrupt()) == 0
    assert [r["prepared"] for r in seen if "prepared" in r] == [0, 1, 2, 3]
    steps = [r["step"] for r in seen]
    assert steps == sorted(steps) and steps[:4] == [0] * 4 and steps[-1] == 8, "progress never goes back"
    text = (tmp_path / "work" / "out" / "card.md").read_text()
    assert "| idle | dropped | " in text and "3 series: 2 used, 1 dropped (Constant 1 (idle))" in text
