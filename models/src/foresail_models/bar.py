"""What a person at a terminal sees of a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .loop import Progress


def show(progress: Progress) -> None:
    """Redraws one line every ten steps; nothing where nobody looks."""
    if not sys.stderr.isatty() or progress.step % 10:
        return
    bar = "#" * int(30 * progress.step / progress.total)
    best = "no validation yet" if progress.score is None else f"best {progress.score:.4f}"
    left = 0.0 if progress.eta_s is None else progress.eta_s / 60
    print(
        f"\r[{bar:<30}] {progress.step}/{progress.total} loss {progress.loss:.4f} {best} "
        f"{progress.samples_per_second:.0f}/s {left:.0f} min left ",
        end="",
        file=sys.stderr,
        flush=True,
    )


def prepared(done: int, total: int) -> None:
    """The series that are fetched and checked before the first step."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r[{'#' * int(30 * done / max(total, 1)):<30}] {done}/{total} series prepared ", end=end, file=sys.stderr, flush=True)


def fetched(size: int) -> None:
    """The bytes of files that lie elsewhere."""
    if sys.stderr.isatty():
        print(f"\rfetched {size / 2**20:.0f} MiB ", end="", file=sys.stderr, flush=True)
