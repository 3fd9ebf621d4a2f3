"""The quality report as people read it: in the log of a run and in the card of its model."""

from __future__ import annotations

from typing import Any

# Series shown one by one; the rest are in quality.json.
ROWS = 30
_HEAD = ("series", "verdict", "step", "known", "missing", "longest gap", "outliers", "flat", "daily", "weekly", "remarks")


def table(quality: dict[str, Any], rows: int = ROWS) -> str:
    """Fixed-width text: dropped series and those with remarks first, then the totals."""
    shown = _shown(quality, rows)
    lines = [_HEAD, *(_row(entry) for entry in shown)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join([*text, *_totals(quality, len(shown))])


def markdown(quality: dict[str, Any], rows: int = ROWS) -> str:
    """The same for a model card."""
    shown = _shown(quality, rows)
    lines = [_HEAD, ("---",) * len(_HEAD), *(_row(entry) for entry in shown)]
    text = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return "\n".join([*text, "", *_totals(quality, len(shown))])


def reasons(quality: dict[str, Any]) -> str:
    """`Constant 2 (web/a, web/b), TooShort 1 (web/c)`; the first three names of each."""
    parts = []
    for reason, count in quality["totals"]["dropped"].items():
        names = [e["label"] for e in quality["series"] if e["reason"] == reason]
        more = ", …" if count > 3 else ""
        parts.append(f"{reason} {count} ({', '.join(names[:3])}{more})")
    return ", ".join(parts)


def _shown(quality: dict[str, Any], rows: int) -> list[dict[str, Any]]:
    order = sorted(quality["series"], key=lambda e: (e["verdict"] == "used", not e["remarks"]))
    return order[:rows]


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    said = [entry["reason"] or "", *entry["remarks"]]
    if "twin" in entry:
        said.append(f"of {entry['twin']}")
    verdict = (entry["label"], entry["verdict"])
    if "steps" not in entry:
        return (*verdict, *("-",) * 8, " ".join(filter(None, said)))
    gap = entry["longestGapSteps"] * entry["stepSeconds"]
    return (
        *verdict,
        f"{entry['stepSeconds']} s",
        str(entry["known"]["train"]),
        _share(entry["missingShare"]),
        f"{gap / 3600:.1f} h" if gap >= 3600 else f"{gap / 60:.0f} min",
        str(entry["outliers"]),
        _share(entry.get("flatShare")),
        _number(entry.get("dailyStrength")),
        _number(entry.get("weeklyStrength")),
        " ".join(filter(None, said)),
    )


def _totals(quality: dict[str, Any], shown: int) -> list[str]:
    totals = quality["totals"]
    left = len(quality["series"]) - shown
    lines = [f"… and {left} more series, see quality.json"] if left else []
    lines.append(
        f"{totals['series']} series: {totals['used']} used, {totals['series'] - totals['used']} dropped"
        + (f" ({reasons(quality)})" if totals["dropped"] else "")
    )
    points = totals["knownPoints"]
    lines.append(
        f"known points: {points['train']} to train, {points['validate']} to validate; {_share(totals['missingShare'])} missing, "
        f"{totals['outliers']} outliers marked, {totals['invalid']} invalid values unknown"
    )
    for days, lag in totals["lags"].items():
        lines.append(f"season of {days} days: known in {lag['known']} series, says more than an hour ago in {lag['helps']}")
    for name, times in quality["sources"].items():
        lines.append(f"{name}: trains on {times['firstTime']} to {times['trainEnd']}, validates to {times['validateEnd']}")
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
