"""Publishes the multivariate model with what was measured on its test part:
`python -m foresail_models.workload.card --run … --data … --into …`. Needs no PyTorch.

The test part is the last 15 % of each recording. It is read here and nowhere else.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from .. import contract, golden, metrics
from ..files import write_atomic
from . import plots, scores, signals

COMMANDS = {
    "train": "python -m foresail_models.workload.train --config configs/workload.toml --data ../../shared/data/aiops --out runs/workload",
    "card": "python -m foresail_models.workload.card --run runs/workload --data ../../shared/data/aiops --into workload",
}
CHUNK = 512
# Windows for the permutation of one channel at a time: enough for two digits.
IMPORTANCE_WINDOWS = 2000


def answer(session: ort.InferenceSession, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(quantiles [N, targets, leads, levels], attention [N, WINDOW])."""
    parts = [
        session.run(["quantiles", "attention"], {"signals": window[at : at + CHUNK]}) for at in range(0, window.shape[0], CHUNK)
    ]
    return np.concatenate([q for q, _ in parts]), np.concatenate([a for _, a in parts])


def moving_targets(services: list[signals.Service]) -> np.ndarray:
    """[services, targets] whether the target ever changed in the training part."""
    columns = [signals.CHANNELS.index(name) for name in signals.TARGETS]
    return np.array([np.ptp(np.nan_to_num(s.values[: int(len(s.values) * signals.SHARES[0]), columns]), axis=0) > 0 for s in services])


def importance(
    session: ort.InferenceSession, window: np.ndarray, target: np.ndarray, service: np.ndarray, moving: np.ndarray, seed: int = 1
) -> list[dict[str, Any]]:
    """Permutation importance per channel: MAE of the median with the channel taken from another
    window of the same service, over MAE as it is (geometric mean over services and targets)."""
    rng = np.random.default_rng(seed)
    other = np.arange(service.size)
    for one in np.unique(service):
        rows = np.flatnonzero(service == one)
        other[rows] = rng.permutation(rows)

    def errors(inputs: np.ndarray) -> np.ndarray:
        median = answer(session, inputs)[0][..., contract.MEDIAN]
        each = np.abs(median - target).mean(axis=2)  # [N, targets]
        return np.stack([np.nanmean(each[service == one], axis=0) for one in np.unique(service)])

    known = moving[np.unique(service)]
    base = errors(window)
    known &= base > 0
    result = []
    for c, name in enumerate(signals.CHANNELS):
        changed = window.copy()
        changed[:, :, c] = window[other, :, c]
        ratio = errors(changed)[known] / base[known]
        result.append({"channel": name, "mae_ratio": metrics.geometric_mean([float(r) for r in ratio if r > 0])})
    return sorted(result, key=lambda row: -row["mae_ratio"])


def publish(run: Path, folder: Path, into: Path) -> None:
    training = json.loads((run / "training.json").read_text())
    source = run / f"{training['name']}.onnx"
    data = source.read_bytes()
    if hashlib.sha256(data).hexdigest() != training["sha256"]:
        raise ValueError(f"{source} is not the file that {run / 'training.json'} describes")
    services = signals.read(folder)
    origins = signals.split(services, "test")
    window, target = signals.cut(services, origins.service, origins.minute)
    session = golden.session(source)
    quantiles, attention = answer(session, window)
    columns = [signals.CHANNELS.index(name) for name in signals.TARGETS]
    last, mean = window[:, -1, columns], np.nanmean(window[:, :, columns], axis=1)
    moving = moving_targets(services)
    application = np.array([services[s].application for s in origins.service])
    fault = np.array([services[s].fault[m - 9 : m + 1].any() for s, m in zip(origins.service, origins.minute)])

    def rows(keep: np.ndarray) -> list[dict[str, Any]]:
        who = origins.service[keep]
        return scores.table(quantiles[keep], target[keep], last[keep], mean[keep], who, moving[who])

    tables = {"all": rows(np.ones(application.size, bool))} | {a: rows(application == a) for a in sorted(set(application))}
    some = np.linspace(0, origins.minute.size - 1, min(IMPORTANCE_WINDOWS, origins.minute.size)).astype(int)
    ranked = importance(session, window[some], target[some], origins.service[some], moving)

    into.mkdir(parents=True, exist_ok=True)
    groups = {a: application == a for a in sorted(set(application))} | {"fault in the last 10 min": fault}
    plots.attention(attention, groups, into / "attention.png")
    shown = _busiest(services, moving)
    at = origins.service == shown
    plots.forecasts(origins.minute[at], target[at], quantiles[at], f"{services[shown].application} / {services[shown].name}", into / "forecasts.png")
    card = {
        "schema": 1,
        "name": training["name"],
        "version": training["version"],
        "file": source.name,
        "sha256": training["sha256"],
        "task": "workload-forecast",
        "family": "bilstm-attention",
        "parameters": training["parameters"],
        "channels": list(signals.CHANNELS),
        "targets": list(signals.TARGETS),
        "lead_minutes": list(signals.LEADS),
        "training": {
            "commands": COMMANDS,
            "seed": training["seed"],
            "config_sha256": training["config_sha256"],
            "step": training["best"]["step"],
            "cpu_minutes": round(training["cpu_s"] / 60, 1),
            "torch": training["torch"],
            "onnx_difference": training["onnx_difference"],
            "applications": training["applications"],
            "fault_minutes": faults(services),
        },
        "evaluation": {"windows": int(origins.minute.size), "tables": tables},
        "attention": {
            name: {"last_5_minutes": float(attention[g, -5:].sum(1).mean()), "last_15_minutes": float(attention[g, -15:].sum(1).mean())}
            for name, g in groups.items()
            if g.any()
        },
        "importance": ranked,
    }
    write_atomic(into / source.name, data)
    write_atomic(into / "model-card.json", (json.dumps(_rounded(card), indent=1) + "\n").encode())
    write_atomic(into / "model-card.md", people_card(card).encode())
    shutil.copyfile(run / "loss.png", into / "loss.png")


def faults(services: list[signals.Service]) -> dict[str, list[int]]:
    """Minutes with an injected fault per application and part."""
    edges = np.cumsum((0.0, *signals.SHARES))
    each = {s.application: s.fault for s in services}
    return {a: [int(f[int(f.size * lo) : int(f.size * hi)].sum()) for lo, hi in zip(edges, edges[1:])] for a, f in each.items()}


def _busiest(services: list[signals.Service], moving: np.ndarray) -> int:
    """The service to draw: every target moves, and it does the most work of its application."""
    ops = signals.CHANNELS.index("ops")
    return int(np.argmax([np.nanmean(s.values[:, ops]) * m.all() for s, m in zip(services, moving)]))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    return value


def people_card(card: dict[str, Any]) -> str:
    training, attention = card["training"], card["attention"]
    looked = "\n".join(
        f"| {name} | {100 * a['last_5_minutes']:.0f} % | {100 * a['last_15_minutes']:.0f} % |" for name, a in attention.items()
    )
    ranked = "\n".join(f"| {row['channel']} | {row['mae_ratio']:.3f} |" for row in card["importance"])
    tables = "\n\n".join(f"### {name}\n{scores.markdown(rows)}" for name, rows in card["evaluation"]["tables"].items())
    fields = {
        **{k: card[k] for k in ("name", "version", "sha256", "file")},
        "parameters": f"{card['parameters']:,}",
        "channels": ", ".join(f"`{c}`" for c in card["channels"]),
        "channel_count": len(card["channels"]),
        "train": training["commands"]["train"],
        "card": training["commands"]["card"],
        "seed": training["seed"],
        "step": training["step"],
        "cpu_minutes": training["cpu_minutes"],
        "torch": training["torch"],
        "difference": f"{training['onnx_difference']:.1e}",
        "windows": f"{card['evaluation']['windows']:,}",
        "tables": tables,
        "faults": "; ".join(f"{a} {' / '.join(map(str, n))}" for a, n in training["fault_minutes"].items()),
        "looked": looked,
        "ranked": ranked,
    }
    text = Path(__file__).with_name("card-template.md").read_text()
    for key, value in fields.items():
        text = text.replace("{{" + key + "}}", str(value))
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="the --out folder of a training run")
    parser.add_argument("--data", type=Path, required=True, help="folder with the k8s_* files")
    parser.add_argument("--into", type=Path, required=True, help="folder of the published model")
    arguments = parser.parse_args()
    try:
        publish(arguments.run, arguments.data, arguments.into)
    except (ValueError, OSError) as error:
        sys.exit(f"workload card: {error}")


if __name__ == "__main__":
    main()
