"""Every family keeps the contract: shapes, order, missing values, ONNX, and a resumed run."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np
import pytest

from . import generated

CONFIGS = Path(__file__).parents[1] / "configs"
SMALL = {
    "linear": {},
    "patch-mixer": {"width": 8, "blocks": 1, "token_hidden": 8, "channel_hidden": 8, "head_hidden": 8},
    "gru": {"width": 8, "hidden": 8, "head_hidden": 8},
    "bilstm": {"width": 8, "hidden": 6, "head_hidden": 8},
    "transformer": {"width": 8, "layers": 1, "heads": 2, "hidden": 8, "head_hidden": 8},
}
ENSEMBLE = {
    "members": [{"family": "linear"}, {"family": "gru", "options": SMALL["gru"]}],
    "weights": [3.0, 1.0],
}
FAMILIES = {**SMALL, "ensemble": ENSEMBLE}
ALL = pytest.mark.parametrize("family", sorted(FAMILIES))


def loud(family: str, seed: int = 0):
    """A random model whose heads say something: untrained ones all forecast the last value."""
    import torch

    from foresail_models import models

    torch.manual_seed(seed)
    model = models.build(family, FAMILIES[family]).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and ("head." in name or "gate." in name or "from_" in name):
                parameter.normal_(std=0.2)
    return model


def tensors(feed):
    import torch

    return tuple(torch.from_numpy(feed[k]) for k in ("context", "seasonal"))


def answer(model, feed) -> np.ndarray:
    import torch

    with torch.no_grad():
        return model(*tensors(feed)).quantiles.numpy()


def test_every_family_is_tested():
    from foresail_models import models

    assert set(FAMILIES) == set(models.FAMILIES)


@ALL
@pytest.mark.parametrize("seed", range(3))
def test_quantiles_are_finite_and_never_cross(family, seed):
    q = answer(loud(family, seed), generated.batch(np.random.default_rng(seed), 48))
    assert q.shape == (48, 64, 13)
    assert np.isfinite(q).all()
    assert (np.diff(q, axis=2) >= 0).all()


@ALL
def test_one_value_is_enough_and_none_gives_nan(family):
    context = np.full((2, 512), np.nan, np.float32)
    context[0, -1] = 42
    q = answer(loud(family), {"context": context, "seasonal": generated.empty_seasons(2)})
    assert np.isfinite(q[0]).all()
    assert np.isnan(q[1]).all(), "unknown is not zero"


@ALL
def test_the_unit_does_not_matter(family, rng):
    model = loud(family)
    feed = {
        "context": rng.poisson(50, (4, 512)).astype(np.float32),
        "seasonal": rng.poisson(80, (4, 4, 128)).astype(np.float32),
    }
    q = answer(model, feed)
    scaled = answer(model, {k: v * np.float32(4096) for k, v in feed.items()})
    np.testing.assert_allclose(scaled / 4096, q, rtol=1e-3, atol=0.02)


@ALL
def test_context_and_seasons_are_both_read(family, rng):
    model = loud(family)
    feed = {
        "context": rng.poisson(50, (4, 512)).astype(np.float32),
        "seasonal": rng.poisson(50, (4, 4, 128)).astype(np.float32),
    }
    before = answer(model, feed)
    for name, where in (("context", np.s_[:, 300:400]), ("seasonal", np.s_[:, 1, 70:])):
        other = {k: v.copy() for k, v in feed.items()}
        other[name][where] += 25
        assert np.abs(answer(model, other) - before).max() > 1e-2, name


@functools.cache
def exported(family: str):
    """Model and graph; made once, because the exporter is slow."""
    import warnings

    from foresail_models import export

    model = loud(family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own future
        return model, export.to_onnx(model, "test", "0", ["generated"])


@ALL
def test_onnx_equals_pytorch(family):
    from foresail_models import contract, export, golden

    model, proto = exported(family)
    assert export.difference(model, proto) < golden.TOLERANCE
    session = golden.session(proto.SerializeToString())
    assert session.get_modelmeta().custom_metadata_map == contract.metadata("test", "0", ["generated"])
    assert [o.name for o in proto.graph.output] == ["quantiles"]
    assert {node.domain for node in proto.graph.node} <= {""}, "no operators outside the standard"
    feed = generated.batch(np.random.default_rng(5), 16)
    expected = answer(model, feed)
    largest = np.abs(expected).max(axis=(1, 2), keepdims=True)
    for size in (1, 16):  # the batch is dynamic
        (got,) = session.run(["quantiles"], {k: v[:size] for k, v in feed.items()})
        np.testing.assert_allclose(got / largest[:size], expected[:size] / largest[:size], atol=golden.TOLERANCE)


@pytest.mark.parametrize("family", ["bilstm", "transformer"])
def test_attention_is_a_distribution_and_keeps_its_name_in_the_file(family, rng):
    import onnx
    from onnx import TensorProto, helper

    from foresail_models import contract, golden

    model, shared = exported(family)
    feed = generated.batch(rng, 8)
    attention = model(*tensors(feed)).attention.detach().numpy()
    assert (attention >= 0).all()
    np.testing.assert_allclose(attention.sum(1), 1, atol=1e-5)
    proto = onnx.ModelProto()
    proto.CopyFrom(shared)
    proto.graph.output.append(helper.make_tensor_value_info(contract.TENSOR_ATTENTION, TensorProto.FLOAT, [None, None]))
    (got,) = golden.session(proto.SerializeToString()).run([contract.TENSOR_ATTENTION], feed)
    np.testing.assert_allclose(got, attention, atol=1e-5)


def small_config(family: str):
    from foresail_models import config

    return config.load(
        CONFIGS / f"{family}.toml",
        steps=4, batch=8, warmup=1, validate_every=2, validation_windows=16, steps_s=[300, 600],
        exclude=[], source_weight={}, model=SMALL[family], data={"from": "folder", "path": "x"},
    ).recipe  # fmt: skip


def corpus(folder, cfg):
    from foresail_models import data

    return data.build(data.load_sources(folder, []), cfg.steps_s, {}, "train", data.Shares(cfg.train_share), cfg.held_out_every)


@pytest.mark.parametrize("family", sorted(SMALL))
def test_a_resumed_run_ends_like_one_that_never_stopped(family, folder):
    """On the level of the trainer; a whole torn run is in test_training."""
    from foresail_models import checkpoint, trainer

    cfg = small_config(family)
    whole = trainer.Trainer(cfg, corpus(folder, cfg))
    losses = [whole.step() for _ in range(4)]
    torn = trainer.Trainer(cfg, corpus(folder, cfg))
    assert [torn.step(), torn.step()] == losses[:2]
    kept = checkpoint.pack({"fingerprint": cfg.fingerprint(), "trainer": torn.state()})
    again = trainer.Trainer(cfg, corpus(folder, cfg))
    again.restore(checkpoint.restored(kept, cfg.fingerprint())["trainer"])
    assert [again.step(), again.step()] == losses[2:]
    for a, b in ((whole.model, again.model), (whole.average, again.average)):
        for name, value in a.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), b.state_dict()[name].numpy(), err_msg=name)


def test_fitted_weights_prefer_the_better_member(rng):
    import torch

    from foresail_models import ensemble

    target = torch.from_numpy(rng.normal(size=(200, 64)).astype(np.float32))
    good = target.unsqueeze(-1).expand(-1, -1, 13) + 0.1
    bad = good + 3
    weights = ensemble.fit_weights(torch.stack([bad, good]), target, torch.ones_like(target), torch.ones(64, 13))
    assert sum(weights) == pytest.approx(1)
    assert weights[1] > 0.9


def test_a_mean_of_quantiles_lies_between_its_members(rng):
    import torch

    model = loud("ensemble")
    feed = generated.batch(rng, 8)
    with torch.no_grad():
        z = [member(*tensors(feed)).squashed for member in model.members]
        mean = model(*tensors(feed)).squashed
    assert torch.allclose(mean, 0.75 * z[0] + 0.25 * z[1], atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_an_ensemble_of_runs(folder, tmp_path):
    from foresail_models import checkpoint, data, ensemble, golden

    configs, runs = tmp_path / "configs", tmp_path / "runs"
    configs.mkdir()
    _, sha256 = data.read_manifest(folder)
    for family in ("linear", "gru"):
        cfg = small_config(family)
        (configs / f"{family}.toml").write_text(as_toml(cfg))
        best = loud(family).state_dict()
        state = {"fingerprint": checkpoint.fingerprint(cfg, sha256), "best": best}
        checkpoint.Checkpoints(runs / family / "checkpoints").save(4, checkpoint.pack(state), 1)
    (configs / "both.toml").write_text(
        'name = "both"\nversion = "0"\nseed = 3\nvalidation_windows = 32\nmembers = ["linear", "gru"]\n'
    )
    path = ensemble.run(configs / "both.toml", folder, runs, tmp_path / "both")
    report = json.loads((path.parent / "training.json").read_text())
    assert sum(m["weight"] for m in report["members"]) == pytest.approx(1)
    assert report["onnx_difference"] < golden.TOLERANCE
    q = golden.session(path).run(["quantiles"], generated.batch(np.random.default_rng(1), 8))[0]
    assert np.isfinite(q).all() and (np.diff(q, axis=2) >= 0).all()
    (configs / "both.toml").write_text((configs / "both.toml").read_text().replace('"gru"]', '"transformer"]'))
    (configs / "transformer.toml").write_text(as_toml(small_config("transformer")))
    with pytest.raises(ValueError, match="transformer.*train the member first"):
        ensemble.run(configs / "both.toml", folder, runs, tmp_path / "both")
    (configs / "both.toml").write_text('name = "both"\nmember = []\n')
    with pytest.raises(ValueError, match="member"):
        ensemble.run(configs / "both.toml", folder, runs, tmp_path / "both")


def as_toml(cfg) -> str:
    """A configuration as the file it could have come from; augmentation stays at its defaults."""
    values = {k: v for k, v in dataclasses.asdict(cfg).items() if k not in ("augment", "model", "source_weight")}
    lines = [f"{k} = {json.dumps(v)}" for k, v in values.items()]
    return "\n".join([*lines, "[model]", *(f"{k} = {json.dumps(v)}" for k, v in cfg.model.items())]) + "\n"
