"""Training: one seed gives one result, a resumed run goes on as if never stopped, export changes nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from . import generated
from .conftest import needs_torch

CONFIG = Path(__file__).parents[1] / "configs" / "loadcast.toml"
SMALL = {
    "steps": 4,
    "batch": 8,
    "warmup": 1,
    "validate_every": 2,
    "validation_windows": 16,
    "steps_s": [300, 600],
    "exclude": [],
    "source_weight": {},
    "model": {"width": 8, "blocks": 1, "token_hidden": 8, "channel_hidden": 8, "head_hidden": 8},
}


def small_config():
    from foresail_models import config

    return config.load(CONFIG, **SMALL)


@needs_torch
def test_one_step_is_determined_by_the_seed(folder):
    from foresail_models import data, train

    def one_step(seed):
        cfg = dataclasses.replace(small_config(), seed=seed)
        corpus = data.build(data.load_sources(folder, []), cfg.steps_s, {}, "train", 0.85, 20)
        trainer = train.Trainer(cfg, corpus)
        loss = trainer.step()
        return loss, trainer.model.head.weight.detach().numpy().copy()

    (loss_a, a), (loss_b, b), (loss_c, _) = one_step(1), one_step(1), one_step(2)
    assert loss_a == loss_b
    np.testing.assert_array_equal(a, b)
    assert loss_c != loss_a


@needs_torch
def test_training_learns(folder):
    from foresail_models import data, train

    cfg = dataclasses.replace(small_config(), steps=60, batch=64, learning_rate=5e-3)
    corpus = data.build(data.load_sources(folder, []), cfg.steps_s, {}, "train", 0.85, 20)
    trainer = train.Trainer(cfg, corpus)
    losses = [trainer.step() for _ in range(60)]
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])


@needs_torch
@pytest.mark.filterwarnings("ignore")  # the exporter warns about its own future
def test_a_resumed_run_ends_like_one_that_never_stopped(folder, tmp_path, monkeypatch):
    from foresail_models import train

    cfg = small_config()
    train.run(cfg, folder, tmp_path / "whole")
    step, calls = train.Trainer.step, []

    def dies(self):
        calls.append(self.done)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(train.Trainer, "step", dies)
    # Torn while it still meant to run longer: before the decay the number of steps may change.
    with pytest.raises(KeyboardInterrupt):
        train.run(dataclasses.replace(cfg, steps=6), folder, tmp_path / "torn")
    monkeypatch.setattr(train.Trainer, "step", step)
    train.run(cfg, folder, tmp_path / "torn")
    whole, torn = (json.loads((tmp_path / n / "training.json").read_text()) for n in ("whole", "torn"))
    assert whole["history"] == torn["history"]
    assert whole["sha256"] == torn["sha256"], "the same weights give the same file, byte for byte"
    with pytest.raises(ValueError, match="already decays"):
        train.run(dataclasses.replace(cfg, steps=8), folder, tmp_path / "torn")
    with pytest.raises(ValueError, match="another configuration"):
        train.run(dataclasses.replace(cfg, seed=5), folder, tmp_path / "torn")


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_onnx_equals_pytorch(seed):
    import torch

    from foresail_models import export, golden, models

    torch.manual_seed(seed)
    model = models.build("patch-mixer", small_config().model).eval()
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


@needs_torch
def test_splits_do_not_overlap(folder):
    from foresail_models import data

    sources = data.load_sources(folder, [])
    parts = {p: data.build(sources, [300], {}, p, 0.85, 20) for p in ("train", "later", "unseen")}
    train, later = parts["train"], parts["later"]
    assert (train.last - train.first == int(1500 * 0.85) - 1).all(), "targets of training end at the split"
    assert (later.low - later.first == int(1500 * 0.85)).all()
    assert train.weight.size + parts["unseen"].weight.size == 60
    assert parts["unseen"].weight.size > 0


@needs_torch
def test_bad_configurations_and_folders_are_named(tmp_path):
    from foresail_models import config, data

    bad = tmp_path / "bad.toml"
    bad.write_text(CONFIG.read_text().replace("patience = 10", "patiance = 10"))
    with pytest.raises(ValueError, match="patiance.*patience"):
        config.load(bad)
    with pytest.raises(ValueError, match="manifest"):
        data.load_sources(tmp_path, [])
    (tmp_path / "manifest.json").write_text('{"sources": []}')
    with pytest.raises(ValueError, match="nab_rest"):
        data.load_sources(tmp_path, ["nab_rest"])
