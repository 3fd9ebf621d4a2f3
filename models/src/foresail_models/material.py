"""The data of a run as the training loop needs them: corpus, validation windows, and what the lineage says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import data
from .config import Folder, Run
from .data import Corpus, Shares, Source, Times
from .dataset import prepare
from .dataset.agreed import Agreement
from .dataset.control import Control
from .errors import DataInvalid
from .gang import Gang
from .lineage import iso
from .validate import Validation


@dataclass(frozen=True)
class Material:
    sources: list[Source]
    corpus: Corpus
    validation: Validation
    # Of the manifest of the training folder, which holds the digests of its files.
    sha256: str
    # The block `data` of the lineage.
    lineage: dict[str, Any]
    # What validation draws from: `later` times and `unseen` series.
    held: dict[str, Corpus | None]
    # The report of the preparation, for the card; None for a folder that was taken as it lies.
    quality: dict[str, Any] | None


@dataclass(frozen=True)
class _Lying:
    """Where the training folder lies, as the first process found it and the others must find it, too."""

    folder: str
    sha256: str
    # Seconds; None where each series is split by its own length.
    last: int | None


Preparing = Callable[[int, int], None]
Fetching = Callable[[int], None]


def gather(
    run: Run,
    work: Path,
    control: Control | None,
    gang: Gang,
    preparing: Preparing = lambda done, total: None,
    fetching: Fetching = lambda size: None,
    agreement: Agreement | None = None,
    check: Callable[[], None] = lambda: None,
) -> Material:
    """The first process fetches and checks; all read the same folder. Raises DataInvalid that says what is wrong.

    `preparing` hears how many of how many series are done, `fetching` how many bytes have come, where there is something to do;
    `agreement` is for runs that do not share their folder, `check` raises where another attempt has taken over.
    """
    if gang.leads:
        lying = _lay(run, work, control, preparing, fetching, agreement, check)
        gang.announce(json.dumps(asdict(lying)))
    else:
        lying = _Lying(**json.loads(gang.await_lead()))
    return _read(run, lying)


def _lay(
    run: Run,
    work: Path,
    control: Control | None,
    preparing: Preparing,
    fetching: Fetching,
    agreement: Agreement | None,
    check: Callable[[], None],
) -> _Lying:
    if isinstance(run.data, Folder):
        _, sha256 = data.read_manifest(run.data.path)
        return _Lying(str(run.data.path), sha256, None)
    prepared = prepare(run.data, run.split, work, control, progress=preparing, fetched=fetching, agreement=agreement, check=check)
    return _Lying(str(prepared.folder), prepared.sha256, max(bound.last for bound in prepared.bounds.values()))


def _read(run: Run, lying: _Lying) -> Material:
    folder, recipe = Path(lying.folder), run.recipe
    manifest, sha256 = data.read_manifest(folder)
    if sha256 != lying.sha256:
        raise DataInvalid(f"{folder}: not the folder that the first process sees; all nodes must mount one volume (ReadWriteMany)")
    times = data.times_of(manifest)
    split: dict[str, Times] | Shares = times or Shares(recipe.train_share)
    sources = data.load_sources(folder, recipe.exclude)

    def part(which: str) -> Corpus | None:
        return data.build(sources, recipe.steps_s, recipe.source_weight, which, split, recipe.held_out_every)

    corpus = part("train")
    if corpus is None:
        raise DataInvalid(f"data: no series has {data.SHORTEST} steps with known values before trainEnd")
    held = {which: part(which) for which in ("later", "unseen")}
    validation = Validation.draw(held, recipe.seed, recipe.validation_windows)
    known = data.facts(sources)
    return Material(
        sources,
        corpus,
        validation,
        sha256,
        {
            "from": "folder" if isinstance(run.data, Folder) else run.data.origin,
            "sha256": sha256,
            "series": known["series"],
            "points": known["points"],
            "firstTime": iso(known["first"]),
            "lastTime": iso(known["last"] if lying.last is None else lying.last),
            "trainEnd": iso(max((t.train_end for t in times.values()), default=None)),
            "validateEnd": iso(max((t.validate_end for t in times.values()), default=None)),
        },
        held,
        _quality(run, folder),
    )


def _quality(run: Run, folder: Path) -> dict[str, Any] | None:
    if isinstance(run.data, Folder):
        return None
    report: dict[str, Any] = json.loads((folder / "quality.json").read_text())
    return report
