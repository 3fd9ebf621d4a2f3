"""The signals of a service, minute by minute: what enters the multivariate model.

Reads the pod metrics, frontend latencies and call latencies of an application, as the
`k8s_<application>_*` files of the AIOps folder have them. Unknown is NaN, never zero: a
success rate that its source fixed at one value says nothing and counts as unknown.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

POD = (
    "cpu_m",
    "cpu_pct_of_limit",
    "mem_mi",
    "mem_pct_of_limit",
    "syscall_read",
    "syscall_write",
    "net_rx",
    "net_tx",
    "client_p90_s",
    "client_p99_s",
    "server_p90_s",
    "server_p99_s",
    "ops",
    "node_cpu_pct",
    "node_mem_pct",
)
FRONTEND = ("error_pct", "p50_s", "p90_s", "p95_s", "p99_s")
# Sums over the services of the application: what the neighbours do.
APPLICATION = ("cpu_m", "ops", "net_rx", "net_tx")
# Means over the callers of the service.
CALLS = ("client_p50_s", "server_p50_s")
CHANNELS = (
    *POD,
    *(f"frontend_{name}" for name in FRONTEND),
    *(f"application_{name}" for name in APPLICATION),
    *(f"callers_{name}" for name in CALLS),
)
WINDOW = 60
TARGETS = ("cpu_m", "mem_mi", "net_tx", "ops")
LEADS = (1, 5, 15)
PARTS = ("train", "validation", "test")
SHARES = (0.70, 0.15, 0.15)


@dataclass(frozen=True)
class Service:
    """values [minutes, CHANNELS], one row per minute without gaps; fault marks injected faults."""

    application: str
    name: str
    values: np.ndarray
    fault: np.ndarray


def read(folder: Path) -> list[Service]:
    """All services of all applications of `folder`; raises ValueError that names a bad file."""
    services = []
    for path in sorted(folder.glob("k8s_*_pod_metrics_*.csv.gz")):
        application, _, day = path.name.removeprefix("k8s_").removesuffix(".csv.gz").partition("_pod_metrics_")
        services += _application(folder, application, day, path)
    if not services:
        raise ValueError(f"{folder}: no k8s_*_pod_metrics_*.csv.gz")
    return services


def _application(folder: Path, application: str, day: str, path: Path) -> list[Service]:
    pods = _rows(path, ("minute", "service", "any_fault", *POD))
    minutes = sorted({row["minute"] for row in pods})
    index = {minute: i for i, minute in enumerate(minutes)}
    times = np.array([minute.replace(" ", "T") for minute in minutes], dtype="datetime64[m]")
    if (np.diff(times).astype(int) != 1).any():
        raise ValueError(f"{path.name}: minutes are missing")
    shared = np.full((len(minutes), len(FRONTEND)), np.nan, np.float32)
    sli = folder / f"k8s_{application}_frontend_sli_{day}.csv.gz"
    if sli.is_file():
        for row in _rows(sli, ("minute", "success_pct", *FRONTEND[1:])):
            if row["minute"] in index:
                shared[index[row["minute"]]] = [100 - _number(row["success_pct"]), *(_number(row[k]) for k in FRONTEND[1:])]
        if np.ptp(shared[:, 0]) == 0:
            shared[:, 0] = np.nan
    names = sorted({row["service"] for row in pods})
    own = {name: np.full((len(minutes), len(POD)), np.nan, np.float32) for name in names}
    fault = np.zeros(len(minutes), bool)
    for row in pods:
        own[row["service"]][index[row["minute"]]] = [_number(row[k]) for k in POD]
        fault[index[row["minute"]]] |= row["any_fault"] == "1"
    together = np.nansum(np.stack(list(own.values())), axis=0)[:, [POD.index(k) for k in APPLICATION]]
    calls = _calls(folder / f"k8s_{application}_edge_latency_{day}.csv.gz", index)
    nothing = np.full((len(minutes), len(CALLS)), np.nan, np.float32)
    return [
        Service(application, name, np.concatenate([own[name], shared, together, calls.get(name, nothing)], axis=1), fault)
        for name in names
    ]


def _calls(path: Path, index: dict[str, int]) -> dict[str, np.ndarray]:
    """Per called service: means over its callers, [minutes, CALLS]."""
    if not path.is_file():
        return {}
    sums: dict[str, np.ndarray] = {}
    counts: dict[str, np.ndarray] = {}
    for row in _rows(path, ("minute", "callee", *CALLS)):
        if row["minute"] not in index:
            continue
        at = index[row["minute"]]
        total = sums.setdefault(row["callee"], np.zeros((len(index), len(CALLS)), np.float32))
        count = counts.setdefault(row["callee"], np.zeros((len(index), len(CALLS)), np.float32))
        values = np.array([_number(row[k]) for k in CALLS], np.float32)
        total[at] += np.nan_to_num(values)
        count[at] += np.isfinite(values)
    return {name: np.where(counts[name] > 0, total / np.maximum(counts[name], 1), np.nan) for name, total in sums.items()}


def _rows(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        reader = csv.DictReader(file)
        missing = set(columns) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path.name}: no column {', '.join(sorted(missing))}")
        return list(reader)


def _number(text: str) -> float:
    return float(text) if text else float("nan")


@dataclass(frozen=True)
class Origins:
    """Which window belongs to which part; `minute` is the last one that is seen."""

    service: np.ndarray  # [N] index into the services
    minute: np.ndarray  # [N]


def split(services: list[Service], part: str) -> Origins:
    """The origins of `part`, in time order per service and never shuffled over the borders.

    A window's inputs may reach back into an earlier part, as they do in use; every minute
    that it is to forecast lies inside its own part, so no target is in two parts.
    """
    edges = np.cumsum((0.0, *SHARES))
    at = PARTS.index(part)
    service, minute = [], []
    for number, one in enumerate(services):
        low, high = (int(one.values.shape[0] * edge) for edge in edges[at : at + 2])
        origins = np.arange(max(low, WINDOW) - 1 if part == "train" else low - 1, high - max(LEADS))
        origins = origins[origins >= WINDOW - 1]
        service.append(np.full(origins.size, number))
        minute.append(origins)
    return Origins(np.concatenate(service), np.concatenate(minute))


def cut(services: list[Service], service: np.ndarray, minute: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(window [B, WINDOW, CHANNELS], target [B, targets, leads]) in the units of the source."""
    columns = [CHANNELS.index(name) for name in TARGETS]
    back, ahead = np.arange(1 - WINDOW, 1), np.array(LEADS)
    window = np.stack([services[s].values[m + back] for s, m in zip(service, minute)])
    target = np.stack([services[s].values[m + ahead][:, columns].T for s, m in zip(service, minute)])
    return window.astype(np.float32), target.astype(np.float32)
