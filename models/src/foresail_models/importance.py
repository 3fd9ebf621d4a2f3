"""What a model's forecasts rest on: `python -m foresail_models.importance --model … --data … [--card …]`.

Permutation importance over the inputs of the contract. A part of the context or one season
lag of a window is replaced by the same part of another window of the same series, and the
rise of the loss says what the part was worth. A second column hides the part instead, which
is what happens in use when a series is young or a metric was away. Needs no PyTorch.

Windows are exchanged in the graph's own normalised unit (it names its `last_value` and
`window_scale`), so a part keeps the level and scale of the window it enters. For the same
reason the newest value itself cannot be ranked: every forecast is relative to it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from . import contract, evaluate, metrics, traces, windows
from .files import write_atomic

# Newest steps first; the context is cut at these ages.
CONTEXT_EDGES = (0, 8, 32, 64, 128, 256, 512)
WINDOWS_PER_SERIES = 100
COMMAND = "python -m foresail_models.importance --model {name}/{name}.onnx --data ../../shared/data/traces --card {name}"
START, END = "<!-- importance -->", "<!-- /importance -->"


@dataclass(frozen=True)
class Part:
    """One part of the inputs: `tensor[index]` of the batch."""

    name: str
    tensor: str
    index: tuple[Any, ...]


def parts() -> list[Part]:
    """Every part that is ranked; together they are the whole input."""
    length, now = contract.CONTEXT_LENGTH, contract.SEASON_WINDOW
    result = [
        Part(f"context, steps {near + 1} to {far} back", contract.INPUT_CONTEXT, np.s_[:, length - far : length - near])
        for near, far in zip(CONTEXT_EDGES, CONTEXT_EDGES[1:])
    ]
    for row, days in enumerate(contract.SEASON_LAGS_DAYS):
        day = f"{days} day{'s' if days > 1 else ''} ago"
        result.append(Part(f"{day}, before that time", contract.INPUT_SEASONAL, np.s_[:, row, :now]))
        result.append(Part(f"{day}, after that time", contract.INPUT_SEASONAL, np.s_[:, row, now:]))
    return result


def groups(single: list[Part]) -> dict[str, list[Part]]:
    """What is exchanged together: each part, each lag as a whole, all seasons, the whole context but its newest value."""
    result = {part.name: [part] for part in single}
    for days in contract.SEASON_LAGS_DAYS:
        name = f"{days} day{'s' if days > 1 else ''} ago"
        result[name] = [p for p in single if p.name.startswith(f"{name},")]
    result["all seasons"] = [p for p in single if p.tensor == contract.INPUT_SEASONAL]
    result["whole context"] = [p for p in single if p.tensor == contract.INPUT_CONTEXT]
    return result


Feed = dict[str, np.ndarray]


class Graph:
    """The model with its normalisation made visible."""

    def __init__(self, model: Path) -> None:
        proto = onnx.load(model)
        names = {name for node in proto.graph.node for name in node.output}
        for name in (contract.TENSOR_LAST, contract.TENSOR_SCALE):
            if name not in names:
                raise ValueError(f"{model}: the graph has no tensor {name}")
            proto.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]))
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(self, feed: Feed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(quantiles [B, HORIZON, levels], last [B, 1], scale [B, 1])."""
        outputs = [contract.OUTPUT_QUANTILES, contract.TENSOR_LAST, contract.TENSOR_SCALE]
        return tuple(self._session.run(outputs, feed))


def exchanged(feed: Feed, some: list[Part], last: np.ndarray, scale: np.ndarray, other: np.ndarray) -> Feed:
    """The batch with the parts `some` of window other[i] in window i, moved to its level and scale.

    The newest value of the context stays: the level is what everything is relative to.
    """
    result = {k: v.copy() for k, v in feed.items()}
    for part in some:
        raw = feed[part.tensor][part.index]
        shape = (-1, *([1] * (raw.ndim - 1)))
        unit = (raw - last.reshape(shape)) / scale.reshape(shape)
        result[part.tensor][part.index] = unit[other] * scale.reshape(shape) + last.reshape(shape)
    result[contract.INPUT_CONTEXT][:, -1] = feed[contract.INPUT_CONTEXT][:, -1]
    return result


def hidden(feed: Feed, some: list[Part]) -> Feed:
    """The batch without the parts `some`; the newest value of the context stays."""
    result = {k: v.copy() for k, v in feed.items()}
    for part in some:
        result[part.tensor][part.index] = np.nan
    result[contract.INPUT_CONTEXT][:, -1] = feed[contract.INPUT_CONTEXT][:, -1]
    return result


def windows_of(trace: traces.Trace, count: int) -> tuple[windows.Windows, dict[int, int]] | None:
    """(an even sample of the test part, {minutes: lead in steps}); None where the aggregate leaves the series out."""
    leads = {m: round(m * 60 / trace.step_s) for m in evaluate.HORIZONS_MIN if trace.step_s <= m * 60 <= contract.HORIZON * trace.step_s}
    split = int(trace.values.size * (1 - evaluate.TEST_SHARE))
    if trace.step_s > evaluate.COARSEST_STEP_S or trace.days < evaluate.FEWEST_DAYS or not leads:
        return None
    if np.ptp(trace.values[split:]) == 0 or np.ptp(trace.values[:split]) == 0:
        return None
    origin = np.unique(np.linspace(split - 1, trace.values.size - 1 - max(leads.values()), count).astype(int))
    last = np.full(origin.size, trace.values.size - 1)
    lags = np.tile(np.array(contract.season_lags_steps(trace.step_s)), (origin.size, 1))
    return windows.cut(trace.values, np.zeros_like(last), last, origin, lags), leads


def loss(quantiles: np.ndarray, target: np.ndarray, lead: int) -> float:
    """WQL at one lead, as in `evaluate` but without the cut at 0."""
    y = target[:, lead - 1].astype(np.float64)
    known = np.isfinite(y)
    return metrics.wql(y[known], quantiles[known, lead - 1].astype(np.float64), contract.QUANTILE_LEVELS)


def measure(model: Path, folder: Path, count: int = WINDOWS_PER_SERIES, progress: bool = False) -> dict[str, Any]:
    """The report as plain data: ratio of the WQL per group of parts and horizon, geometric mean over series."""
    graph = Graph(model)
    ranked = groups(parts())
    ratios: dict[str, dict[str, list[float]]] = {}
    series = traces.load(folder)
    used = 0
    for number, trace in enumerate(series, 1):
        if progress:
            print(f"\r{number}/{len(series)} {trace.name:<40}", end="", file=sys.stderr, flush=True)
        found = windows_of(trace, count)
        if found is None:
            continue
        used += 1
        cut, leads = found
        feed = cut.inputs()
        base, last, scale = graph.run(feed)
        # A fixed seed per series: the same exchange for every part.
        other = np.random.default_rng(len(trace.name)).permutation(cut.context.shape[0])
        ways: dict[str, Callable[[list[Part]], Feed]] = {
            "exchanged": lambda some: exchanged(feed, some, last, scale, other),
            "hidden": lambda some: hidden(feed, some),
        }
        for name, some in ranked.items():
            for way, change in ways.items():
                changed, _, _ = graph.run(change(some))
                for minutes, lead in leads.items():
                    before, after = loss(base, cut.target, lead), loss(changed, cut.target, lead)
                    if before > 0 and np.isfinite(after / before):
                        ratios.setdefault(name, {}).setdefault(f"{way}_{minutes}", []).append(after / before)
    if not used:
        raise ValueError(f"{folder}: no series of at most {evaluate.COARSEST_STEP_S} s and at least {evaluate.FEWEST_DAYS} days")
    return {
        "command": COMMAND.format(name=model.stem),
        "series": used,
        "windows_per_series": count,
        "wql_ratio": {name: {way: round(metrics.geometric_mean(r), 4) for way, r in by.items()} for name, by in ratios.items()},
    }


def table(report: dict[str, Any]) -> str:
    """Markdown; groups in the order of the input."""
    minutes = evaluate.HORIZONS_MIN
    head = [f"{way}, {m} min" for way in ("exchanged", "hidden") for m in minutes]
    lines = [f"| part of the input | {' | '.join(head)} |", "|---|" + "---|" * len(head)]
    for name, row in report["wql_ratio"].items():
        cells = [f"{row[key]:.3f}" if (key := f"{way}_{m}") in row else "-" for way in ("exchanged", "hidden") for m in minutes]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def section(report: dict[str, Any]) -> str:
    """The section of a card, between its marks."""
    return f"""{START}
## What the forecasts rest on
```
{report["command"]}
```
WQL with a part of the input exchanged for that of another moment of the same series, or hidden (NaN), over WQL as it is;
geometric mean over {report["series"]} series, {report["windows_per_series"]} windows each. 1.000: not needed, or carried by another part. Parts share what
they know, so the rows do not add up. Half a lag exchanged alone contradicts its other half and costs more than the whole lag
does. The newest value always stays: every forecast is relative to it.

{table(report)}
{END}"""


def into_card(folder: Path, report: dict[str, Any]) -> None:
    """Writes the report into the cards of `folder`, replacing an older one."""
    machine = folder / "model-card.json"
    card = json.loads(machine.read_text()) | {"importance": report}
    write_atomic(machine, (json.dumps(card, indent=1) + "\n").encode())
    people = folder / "model-card.md"
    text = people.read_text()
    if START in text:
        before, _, rest = text.partition(START)
        _, _, after = rest.partition(END)
    else:
        before, mark, after = text.partition("## Limits")
        if not mark:
            raise ValueError(f"{people}: neither {START} nor a section 'Limits' to stand before")
        after = f"\n\n{mark}{after}"
    write_atomic(people, (before + section(report) + after).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.json and CSV traces")
    parser.add_argument("--windows", type=int, default=WINDOWS_PER_SERIES, help="per series")
    parser.add_argument("--card", type=Path, help="folder of the published model whose cards get the table")
    arguments = parser.parse_args()
    try:
        report = measure(arguments.model, arguments.data, arguments.windows, progress=sys.stderr.isatty())
        if arguments.card:
            into_card(arguments.card, report)
    except (ValueError, OSError) as error:
        sys.exit(f"importance: {error}")
    print(table(report))


if __name__ == "__main__":
    main()
