"""Prepares the data of a run once; every later attempt of the run finds the same bytes.

`work/data` is what the trainer reads and holds nothing from `validate_end` on; `work/holdout` is for the gate and holds
all of it. `work/prepared.json` is written last and knows the digests of both: what does not match it is made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import folder, quality, report
from .agreed import Agreed, Agreement
from .bounds import Bounds, bounds, iso
from .control import Control
from .credentials import FOLDER_ENV, Secret
from .errors import DataInvalid
from .grid import Gridded, to_grid
from .operator import OperatorOrigin
from .outliers import REACH, outliers
from .series import Listed, Origin
from .settings import DataConfig, Split, fingerprint
from .storage import StorageOrigin

SCHEMA = 1
MARKER = "prepared.json"


@dataclass(frozen=True)
class Prepared:
    """What training needs to know of its data. Times are seconds since the epoch."""

    # manifest.json, Parquet (series, t, v, flag), quality.json: everything before `validate_end`.
    folder: Path
    # The same and what comes after: for the gate alone.
    holdout: Path
    # Rows with t < train_end train; train_end <= t < validate_end validate. With several sources these are
    # the latest of them; each has its own in the manifest.
    train_end: int
    validate_end: int
    bounds: dict[str, Bounds]
    # SHA-256 of folder/manifest.json, which holds the digests of the files.
    sha256: str
    quality: dict[str, Any]
    # False when an earlier attempt had prepared it.
    fresh: bool


def prepare(
    config: DataConfig,
    split: Split,
    work: Path,
    control: Control | None = None,
    *,
    now: Callable[[], float] = time.time,
    log: Callable[[str], None] = print,
    progress: Callable[[int, int], None] = lambda done, total: None,
    fetched: Callable[[int], None] = lambda size: None,
    agreement: Agreement | None = None,
    check: Callable[[], None] = lambda: None,
) -> Prepared:
    """Fills `work/data` and `work/holdout`, or finds them whole. Call it from one process of a gang.

    `progress` hears after each series how many of how many are done; `fetched`, while files come from elsewhere, how many bytes have;
    `agreement` is of workers that are to have the same data, but no folder in common; `check` is called before each thing gets its
    place, and may raise: the last moment to find out that somebody else has taken over.

    Raises ConfigError or DataInvalid (exit 78), Fenced (exit 79), Unavailable or OSError (worth another attempt).
    """
    wanted = fingerprint(config, split)
    if agreement is not None:
        wanted = hashlib.sha256(f"{wanted} {agreement.name}".encode()).hexdigest()
    if found := _find(work, wanted):
        log(f"data: prepared by an earlier attempt, manifest {found.sha256[:12]}")
        return found
    work.mkdir(parents=True, exist_ok=True)
    for left in work.glob(".preparing-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".preparing-", dir=work, ignore_cleanup_errors=True) as name:
        staged = Path(name)
        scratch = staged / "scratch"
        scratch.mkdir()
        origin = _open(config, control, scratch, now(), fetched)
        if agreement is not None:
            origin = Agreed(origin, config, agreement)
        digests = _write(origin, config, split, staged, now(), log, progress)
        for part in ("holdout", "data"):
            check()
            folder.put(staged / part, work / part)
    check()
    folder.write_json(work / MARKER, {"schema": SCHEMA, "fingerprint": wanted} | digests)
    found = _find(work, wanted)
    if found is None:
        raise OSError(f"{work}: what was written is not what is read back")
    return Prepared(**(vars(found) | {"fresh": True}))


def _open(config: DataConfig, control: Control | None, scratch: Path, now: float, fetched: Callable[[int], None]) -> Origin:
    if config.origin == "uri":
        folder_of_secret = os.environ.get(FOLDER_ENV)
        size = 0

        def heard(more: int) -> None:
            nonlocal size
            size += more
            fetched(size)

        return StorageOrigin(config, scratch, now, Secret(Path(folder_of_secret) if folder_of_secret else None), heard=heard)
    if control is None:
        raise DataInvalid("data.from: 'operator' needs FORESAIL_CONTROL_URL, which is set inside a run's pod")
    return OperatorOrigin(control, config)


def _find(work: Path, wanted: str) -> Prepared | None:
    try:
        marker = json.loads((work / MARKER).read_text())
        if marker["fingerprint"] != wanted or marker["schema"] != SCHEMA:
            return None
        data, holdout = work / "data", work / "holdout"
        if not (folder.is_whole(data, marker["data"]) and folder.is_whole(holdout, marker["holdout"])):
            return None
        limits = {name: Bounds(**b) for name, b in marker["bounds"].items()}
        report_ = json.loads((data / "quality.json").read_text())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    train_end = max(b.train_end for b in limits.values())
    validate_end = max(b.validate_end for b in limits.values())
    return Prepared(data, holdout, train_end, validate_end, limits, marker["data"], report_, fresh=False)


def _write(
    origin: Origin,
    config: DataConfig,
    split: Split,
    staged: Path,
    now: float,
    log: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """Writes both folders below `staged`; returns what the marker holds."""
    listing = origin.listing()
    limits = {
        info.name: bounds(info.name, own, config, split)
        for info in origin.sources()
        if (own := [s for s in listing if s.source == info.name])
    }
    writers: dict[str, dict[str, folder.SourceWriter]] = {}
    for part in ("data", "holdout"):
        (staged / part).mkdir()
        writers[part] = {i.name: folder.SourceWriter(staged / part, i, limits[i.name]) for i in origin.sources() if i.name in limits}
    entries = [_unread(listed, "FutureOnly") for listed in origin.future()]
    tests: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for done, (listed, raw) in enumerate(zip(listing, origin.read({name: b.first for name, b in limits.items()}), strict=True)):
        progress(done, len(listing))
        limit = limits[listed.source]
        grid = to_grid(raw, listed.name, limit.first, now, config.max_points)
        if grid is None:
            entries.append(_unread(listed, "TooShort"))
            continue
        flagged = _outliers(grid, limit)
        entry = quality.describe(listed, grid, limit, flagged)
        reason, remarks = quality.judge(entry, config.min_points)
        if reason is None:
            same = quality.digest(grid, limit)
            if same in seen:
                reason, entry["twin"] = "Duplicate", seen[same]
            seen.setdefault(same, listed.name)
        entries.append(entry | {"verdict": "dropped" if reason else "used", "reason": reason, "remarks": remarks})
        if reason:
            continue
        flags = flagged * np.uint8(folder.FLAG_OUTLIER) | grid.invalid * np.uint8(folder.FLAG_INVALID)
        writers["data"][listed.source].add(listed, grid, flags, limit.validate_end)
        writers["holdout"][listed.source].add(listed, grid, flags, limit.last + grid.step)
        tests.append(_test_part(listed, grid, limit, flagged))
    progress(len(listing), len(listing))
    summary = _summary(entries, limits)
    log(report.table(summary))
    if not summary["totals"]["used"]:
        raise DataInvalid(f"data: none of {len(entries)} series can be trained on: {report.reasons(summary)}")
    if not any(e["known"]["validate"] for e in entries if e["verdict"] == "used"):
        raise DataInvalid("data: no series that is used has a known value in the validation part; sources with clocks of their own belong into files of their own")
    made: dict[str, Any] = {"bounds": {name: vars(b) for name, b in limits.items()}}
    for part, told in (("data", summary), ("holdout", {"schema": SCHEMA, "part": "test", "series": tests})):
        sources = [s for w in writers[part].values() if (s := w.close())]
        manifest = _manifest(config, limits, sources, folder.write_json(staged / part / "quality.json", told))
        made[part] = folder.write_json(staged / part / "manifest.json", manifest)
    return made


def _unread(listed: Listed, reason: str) -> dict[str, Any]:
    """The entry of a series of which there is nothing to describe."""
    entry = {"series": listed.name, "label": listed.label or listed.name, "source": listed.source}
    return entry | {"verdict": "dropped", "reason": reason, "remarks": []}


def _outliers(grid: Gridded, limit: Bounds) -> np.ndarray:
    """Marks part by part: the marks of a part may look back, never on into the next."""
    a, b = grid.position(limit.train_end), grid.position(limit.validate_end)
    marked = np.zeros(grid.values.size, bool)
    marked[:a] = outliers(grid.values[:a])
    for begin, end in ((a, b), (b, grid.values.size)):
        back = min(begin, 4 * REACH)
        marked[begin:end] = outliers(grid.values[begin - back : end])[back:]
    return marked


def _test_part(listed: Listed, grid: Gridded, limit: Bounds, flagged: np.ndarray) -> dict[str, Any]:
    b = grid.position(limit.validate_end)
    test = grid.values[b:]
    return {
        "series": listed.name,
        "source": listed.source,
        "steps": int(test.size),
        "known": int((~np.isnan(test)).sum()),
        "distinct": int(np.unique(test[~np.isnan(test)]).size),
        "invalid": int(grid.invalid[b:].sum()),
        "outliers": int(flagged[b:].sum()),
    }


def _summary(entries: list[dict[str, Any]], limits: dict[str, Bounds]) -> dict[str, Any]:
    used = [e for e in entries if e["verdict"] == "used"]
    steps = sum(e["steps"]["train"] for e in used)
    known = sum(e["known"]["train"] for e in used)
    lags: dict[str, Any] = {}
    for days in used[0]["lags"] if used else ():
        skills = [e["lags"][days]["skill"] for e in used if e["lags"][days]["skill"] is not None]
        helped = sum(skill > 0 for skill in skills)
        lags[days] = {"known": len(skills), "helps": helped, "worthLearning": helped > 0}
    totals = {
        "series": len(entries),
        "used": len(used),
        "dropped": dict(sorted(Counter(e["reason"] for e in entries if e["reason"]).items())),
        "remarks": dict(sorted(Counter(r for e in used for r in e["remarks"]).items())),
        "knownPoints": {part: sum(e["known"][part] for e in used) for part in ("train", "validate")},
        "missingShare": round(1 - known / steps, 4) if steps else None,
        "outliers": sum(e["outliers"] for e in used),
        "invalid": sum(e["invalid"] for e in used),
        "lags": lags,
    }
    parts = {
        name: {"firstTime": iso(b.first), "trainEnd": iso(b.train_end), "validateEnd": iso(b.validate_end)} for name, b in limits.items()
    }
    return {"schema": SCHEMA, "part": "train", "totals": totals, "sources": parts, "series": entries}


def _manifest(config: DataConfig, limits: dict[str, Bounds], sources: list[dict[str, Any]], quality_sha256: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "from": config.origin,
        "firstTime": iso(min(b.first for b in limits.values())),
        "lastTime": iso(max(b.last for b in limits.values())),
        "trainEnd": iso(max(b.train_end for b in limits.values())),
        "validateEnd": iso(max(b.validate_end for b in limits.values())),
        "series": sum(len(s["series"]) for s in sources),
        "points": sum(series["known"] for s in sources for series in s["series"]),
        "quality": quality_sha256,
        "sources": sources,
    }
