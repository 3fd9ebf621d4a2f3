"""The multivariate model: reading, splitting, features, training, export and its card, on a generated application."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from foresail_models.workload import scores, signals


SHIPPED = Path(__file__).parents[1] / "workload"
MINUTES = 400


def write(path: Path, rows: list[dict]) -> None:
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def application(tmp_path, rng):
    """Two services of a shop: one follows a wave, one sleeps."""
    minutes = [f"2022-01-01 {m // 60:02}:{m % 60:02}" for m in range(MINUTES)]
    pods, frontend, calls = [], [], []
    for m, minute in enumerate(minutes):
        load = 100 + 50 * np.sin(2 * np.pi * m / 40) + rng.normal(0, 2)
        for service, work in (("cart", load), ("idle", 0.0)):
            row = {name: round(work * (i + 1), 3) for i, name in enumerate(signals.POD)}
            row["server_p99_s"] = "" if m % 3 else 0.5
            pods.append({"minute": minute, "service": service, "any_fault": int(m == 380), **row})
        frontend.append({"minute": minute, "success_pct": 0, "p50_s": 0.1, "p90_s": 0.2, "p95_s": "", "p99_s": 0.4})
        calls.append({"minute": minute, "callee": "cart", "client_p50_s": 0.25, "server_p50_s": 0.125})
        calls.append({"minute": minute, "callee": "cart", "client_p50_s": "", "server_p50_s": 0.375})
    write(tmp_path / "k8s_shop_pod_metrics_2022-01-01.csv.gz", pods)
    write(tmp_path / "k8s_shop_frontend_sli_2022-01-01.csv.gz", frontend)
    write(tmp_path / "k8s_shop_edge_latency_2022-01-01.csv.gz", calls)
    return tmp_path


def column(services, service, channel):
    return next(s for s in services if s.name == service).values[:, signals.CHANNELS.index(channel)]


def test_thirty_features_or_more_are_read_and_unknown_is_not_zero(application):
    services = signals.read(application)
    assert [(s.application, s.name, s.values.shape) for s in services] == [
        ("shop", "cart", (MINUTES, len(signals.CHANNELS))),
        ("shop", "idle", (MINUTES, len(signals.CHANNELS))),
    ]
    assert np.isnan(column(services, "cart", "server_p99_s")[1])
    assert np.isnan(column(services, "cart", "frontend_error_pct")).all(), "a success rate that never moves says nothing"
    assert np.isnan(column(services, "cart", "frontend_p95_s")).all()
    np.testing.assert_allclose(column(services, "cart", "callers_client_p50_s"), 0.25)
    np.testing.assert_allclose(column(services, "cart", "callers_server_p50_s"), 0.25)
    assert np.isnan(column(services, "idle", "callers_client_p50_s")).all()
    np.testing.assert_allclose(column(services, "idle", "application_ops"), column(services, "cart", "ops"))
    assert np.flatnonzero(services[0].fault).tolist() == [380]


def test_bad_files_are_named(application, tmp_path_factory):
    with pytest.raises(ValueError, match="k8s_"):
        signals.read(tmp_path_factory.mktemp("empty"))
    path = application / "k8s_shop_pod_metrics_2022-01-01.csv.gz"
    text = gzip.open(path, "rt").read()
    gzip.open(path, "wt").write(text.replace("mem_mi", "memory"))
    with pytest.raises(ValueError, match=r"pod_metrics.*mem_mi"):
        signals.read(application)
    lines = text.splitlines()
    gzip.open(path, "wt").write("\n".join(lines[:21] + lines[23:]) + "\n")
    with pytest.raises(ValueError, match="minutes are missing"):
        signals.read(application)


def test_no_target_minute_is_in_two_parts(application):
    services = signals.read(application)
    ahead = np.arange(1, max(signals.LEADS) + 1)
    targets = {}
    for part in signals.PARTS:
        origins = signals.split(services, part)
        assert origins.minute.min() >= signals.WINDOW - 1
        targets[part] = set((origins.minute[origins.service == 0][:, None] + ahead).ravel().tolist())
    assert max(targets["train"]) < int(MINUTES * 0.7) == min(targets["validation"])
    assert max(targets["validation"]) < int(MINUTES * 0.85) == min(targets["test"])
    assert max(targets["test"]) == MINUTES - 1


def test_scores_by_hand():
    y, service = np.array([10.0, 20.0, 100.0, 200.0, 0.0]), np.array([0, 0, 1, 1, 1])
    row = scores.point(y, np.array([10.4, 22.0, 100.0, 200.0, 5.0]), service)
    assert row["mae"] == pytest.approx(7.4 / 5)
    assert row["rmse"] == pytest.approx(np.sqrt((0.16 + 4 + 25) / 5))
    assert row["share_scored_relatively"] == pytest.approx(0.8), "a value of zero has no percentage"
    assert row["within_5_percent"] == pytest.approx(3 / 4)
    assert row["mape"] == pytest.approx((0.04 + 0.1) / 4)
    # The service's own mean explains nothing within services, however much it explains pooled.
    mean = scores.point(y, np.array([15.0, 15.0, 100.0, 100.0, 100.0]), service)
    assert mean["r2_within_services"] == pytest.approx(0)
    assert mean["r2_pooled"] > 0.3
    assert scores.relative_mae(y, y + 1, y - 2, service) == pytest.approx(0.5)


def test_features_in_the_graph_equal_plain_numpy(application):
    import torch

    from foresail_models.workload import model

    services = signals.read(application)
    window, _ = signals.cut(services, np.array([0]), np.array([120]))
    window[0, 50:53, signals.CHANNELS.index("cpu_m")] = np.nan
    f = model.features(torch.from_numpy(window))
    assert f.steps.shape == (1, 60, 44)
    assert f.steps.shape[2] >= 30
    for c in range(len(signals.CHANNELS)):
        x = window[0, :, c].astype(np.float64)
        known = np.isfinite(x)
        if not known.any():
            assert (f.centred[0, :, c] == 0).all()
            continue
        last = x[known][-1]
        deviation = np.abs(x[known] - x[known].mean()).mean()
        scale = max(deviation, 1e-3 * np.abs(x[known]).max(), 1e-9)
        expected = np.where(known, (x - last) / scale, 0)
        np.testing.assert_allclose(f.centred[0, :, c].numpy(), expected, atol=1e-4, rtol=1e-4)
    at, cpu = len(signals.CHANNELS) + len(model.DERIVED), f.centred[0, :, 0].numpy().astype(np.float64)
    seen = np.isfinite(window[0, :, 0])
    for t in range(60):
        rows = np.arange(max(0, t - 4), t + 1)
        mean = cpu[rows].sum() / max(1, seen[rows].sum())
        assert f.steps[0, t, at].item() == pytest.approx(np.arcsinh(mean), abs=1e-5)


def small(**changes):
    from foresail_models.workload import train

    values = {"name": "small", "version": "0", "seed": 1, "steps": 4, "batch": 16, "learning_rate": 3e-3, "weight_decay": 0.0, "warmup": 1,
              "clip": 1.0, "validate_every": 2, "patience": 2, "validation_windows": 16, "width": 8, "hidden": 8, "head_hidden": 8}  # fmt: skip
    return train.Config(**(values | changes))


def test_quantiles_do_not_cross_and_an_unknown_target_is_unknown(application):
    import torch

    from foresail_models.workload import train

    services = signals.read(application)
    trainer = train.Trainer(small(), services)
    window, _ = signals.cut(services, np.array([0, 1]), np.array([120, 120]))
    window[0, :, signals.CHANNELS.index("mem_mi")] = np.nan
    with torch.no_grad():
        trainer.model.head.weight.normal_(std=0.5)
        forecast = trainer.model(torch.from_numpy(window))
    q = forecast.quantiles.numpy()
    assert q.shape == (2, 4, 3, 13)
    assert np.isnan(q[0, signals.TARGETS.index("mem_mi")]).all()
    rest = np.delete(q[0], signals.TARGETS.index("mem_mi"), axis=0)
    assert np.isfinite(rest).all() and (np.diff(rest, axis=-1) >= 0).all()
    assert np.isfinite(q[1]).all()
    np.testing.assert_allclose(forecast.attention.sum(1).numpy(), 1, atol=1e-5)


def test_it_learns_a_wave(application):
    from foresail_models.workload import train

    trainer = train.Trainer(small(steps=80, batch=64, learning_rate=1e-2), signals.read(application))
    losses = [trainer.step() for _ in range(80)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])


def test_a_resumed_run_ends_like_one_that_never_stopped(application):
    from foresail_models import checkpoint
    from foresail_models.workload import train

    services, cfg = signals.read(application), small()
    whole = train.Trainer(cfg, services)
    losses = [whole.step() for _ in range(4)]
    torn = train.Trainer(cfg, services)
    assert [torn.step(), torn.step()] == losses[:2]
    kept = checkpoint.pack({"fingerprint": cfg.fingerprint(), "trainer": torn.state()})
    again = train.Trainer(cfg, services)
    again.restore(checkpoint.restored(kept, cfg.fingerprint())["trainer"])
    assert [again.step(), again.step()] == losses[2:]


@pytest.mark.filterwarnings("ignore")  # the exporter warns about its own future
def test_from_training_to_card(application, tmp_path):
    from foresail_models.workload import card, train

    train.run(small(), application, tmp_path / "run")
    card.publish(tmp_path / "run", application, tmp_path / "into")
    report = json.loads((tmp_path / "into" / "model-card.json").read_text())
    assert report["training"]["onnx_difference"] <= 1e-4
    assert {r["channel"] for r in report["importance"]} == set(signals.CHANNELS)
    rows = report["evaluation"]["tables"]["shop"]
    assert [(r["target"], r["lead_minutes"]) for r in rows] == [(t, h) for t in signals.TARGETS for h in signals.LEADS]
    assert {r["services"] for r in rows} == {1}, "a service that sleeps is not scored"
    text = (tmp_path / "into" / "model-card.md").read_text()
    assert "{{" not in text and report["sha256"] in text
    for name in ("attention.png", "forecasts.png", "loss.png"):
        assert (tmp_path / "into" / name).stat().st_size > 0


def test_the_shipped_file_is_the_one_on_its_card():
    import onnxruntime as ort

    report = json.loads((SHIPPED / "model-card.json").read_text())
    data = (SHIPPED / report["file"]).read_bytes()
    assert len(data) <= 2_000_000
    assert hashlib.sha256(data).hexdigest() == report["sha256"]
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["foresail.task"] == "workload-forecast"
    assert json.loads(metadata["foresail.channels"]) == list(signals.CHANNELS) == report["channels"]
    window = np.random.default_rng(1).normal(100, 10, (3, signals.WINDOW, len(signals.CHANNELS))).astype(np.float32)
    quantiles, attention = session.run(["quantiles", "attention"], {"signals": window})
    assert np.isfinite(quantiles).all() and (np.diff(quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(attention.sum(1), 1, atol=1e-5)
