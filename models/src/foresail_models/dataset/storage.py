"""Data at an address: a file or a folder, on this machine, over HTTPS, or in an object store."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pyarrow import fs as arrow_fs

from . import http, stores
from .credentials import FIELD, Secret
from .download import Download
from .errors import DataInvalid
from .grid import FUTURE_TOLERANCE_S, LARGEST_STAMP
from .series import Listed, Raw, SourceInfo
from .settings import DataConfig
from .stores import Store
from .tables import SUFFIXES, Gathered

MAX_BYTES = 8 << 30
# Where the claim of pvc://<claim>/<path> is mounted.
CLAIMS = "/mnt/pvc"
MANIFEST = "manifest.json"
MANIFEST_BYTES = 16 << 20


class StorageOrigin:
    """Everything is read at once, at 12 bytes a point: rows of a series may lie anywhere in the files."""

    def __init__(
        self,
        config: DataConfig,
        scratch: Path,
        now: float,
        secret: Secret,
        waiting: http.Waiting | None = None,
        heard: Callable[[int], None] = lambda more: None,
    ) -> None:
        assert config.uri is not None
        self._infos: list[SourceInfo] = []
        self._gathered: dict[str, Gathered] = {}
        self._listed: list[Listed] = []
        self._future: list[Listed] = []
        left_series, left_points = config.max_series, config.max_points
        for info, paths in fetch(config.uri, scratch, secret, waiting or http.Waiting(), heard):
            gathered = Gathered(left_series, left_points)
            for path, where in paths:
                gathered.read(path, where)
            left_series -= len(gathered.names())
            left_points -= gathered.points
            self._infos.append(info)
            self._gathered[info.name] = gathered
            for name in gathered.names():
                listed = _listed(gathered, info.name, name, now)
                (self._listed if listed.last <= now + FUTURE_TOLERANCE_S else self._future).append(listed)
        if not self._listed:
            raise DataInvalid(f"{http.bare(config.uri)}: no series with a time that is not in the future")

    def sources(self) -> list[SourceInfo]:
        return self._infos

    def listing(self) -> list[Listed]:
        return self._listed

    def future(self) -> list[Listed]:
        return self._future

    def read(self, first: dict[str, int]) -> Iterator[Raw]:
        for listed in self._listed:
            yield self._gathered[listed.source].take(listed.name)


def _listed(gathered: Gathered, source: str, name: str, now: float) -> Listed:
    """With the span of its stamps up to now, or of all where none is."""
    t = np.array([(piece.min(), piece.max()) for piece in gathered.stamps(name)])
    if int(t.max()) > LARGEST_STAMP:
        raise DataInvalid(f"series {name}: t = {int(t.max())} lies after the year 2286; t is in seconds, not milliseconds")
    limit = now + FUTURE_TOLERANCE_S
    last = max((int(past.max()) for piece in gathered.stamps(name) if (past := piece[piece <= limit]).size), default=int(t.max()))
    return Listed(name, source, int(t.min()), last)


Files = list[tuple[Path, str]]


def fetch(uri: str, scratch: Path, secret: Secret, waiting: http.Waiting, heard: Callable[[int], None]) -> Iterator[tuple[SourceInfo, Files]]:
    """The sources at `uri`, each as files on this machine with the names that errors call them by.

    `heard` is told how many bytes more were fetched.
    """
    parts = urllib.parse.urlsplit(uri)
    path = urllib.parse.unquote(parts.path)
    if parts.username or parts.password:
        raise DataInvalid(f"data.uri: credentials belong into {FIELD}, not into an address")
    if parts.scheme in ("", "file"):
        yield from _folder(Store(arrow_fs.LocalFileSystem()), str(Path(path if parts.scheme else uri).absolute()), uri)
    elif parts.scheme == "pvc":
        if ".." in PurePosixPath(path).parts:
            raise DataInvalid(f"data.uri: {uri}: leaves the claim")
        yield from _folder(Store(arrow_fs.LocalFileSystem()), f"{CLAIMS}/{parts.netloc}{path}".rstrip("/"), uri)
    elif parts.scheme == "https":
        name = PurePosixPath(path).name
        _suffix(name, http.bare(uri))
        target = scratch / name
        Download(uri, target, secret, MAX_BYTES, heard).run(waiting)
        yield _plain(name), [(target, http.bare(uri))]
    elif parts.scheme in ("s3", "gs"):
        files, who = stores.s3(secret) if parts.scheme == "s3" else stores.gs(secret)
        yield from _folder(Store(files, who, scratch, waiting, heard), f"{parts.netloc}{path}".rstrip("/"), uri)
    else:
        raise DataInvalid(f"data.uri: {parts.scheme}:// is not known; https, s3, gs, pvc and file are, and the path of a folder")


def _folder(store: Store, root: str, uri: str) -> Iterator[tuple[SourceInfo, Files]]:
    """A file, a folder with a manifest that names its sources, or a folder whose files are one source."""
    where = http.bare(uri)
    info = store.info(root, where)
    if info.type == arrow_fs.FileType.NotFound:
        raise DataInvalid(f"data.uri: {where}: there is no such file or folder")
    if info.is_file:
        _suffix(root, where)
        _fits(info.size, where)
        yield _plain(PurePosixPath(root).name), [(store.local(info, where), where)]
        return
    inside = store.inside(root, where)
    _fits(sum(f.size for f in inside if f.base_name.endswith(SUFFIXES)), where)
    named = {f.base_name: f for f in inside}
    if MANIFEST in named:
        for source, files in _manifest(store, named[MANIFEST], where):
            missing = [f for f in files if f not in named]
            if missing:
                raise DataInvalid(f"{where}/{MANIFEST}: source {source.name}: there is no file {missing[0]}")
            yield source, [(store.local(named[f], where), f"{where}/{f}") for f in files]
        return
    # Names of history files grow with time, so what was written later is read later and counts.
    files = sorted(name for name in named if name.endswith(SUFFIXES) and not name.startswith("."))
    if not files:
        raise DataInvalid(f"data.uri: {where}: no {', '.join(SUFFIXES)} file in it")
    yield _plain(PurePosixPath(root).name), [(store.local(named[f], where), f"{where}/{f}") for f in files]


def _fits(size: int, where: str) -> None:
    if size > MAX_BYTES:
        raise DataInvalid(f"data.uri: {where}: {size} bytes, at most {MAX_BYTES} are read")


def _manifest(store: Store, file: arrow_fs.FileInfo, where: str) -> list[tuple[SourceInfo, list[str]]]:
    if file.size > MANIFEST_BYTES:
        raise DataInvalid(f"{where}/{MANIFEST}: {file.size} bytes, at most {MANIFEST_BYTES} are read")
    try:
        manifest: Any = json.loads(store.read(file, where))
        sources = [
            (SourceInfo(str(s["name"]), str(s.get("licence", "not stated")), str(s.get("citation", ""))), [str(s["file"])])
            for s in manifest["sources"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataInvalid):
            raise
        raise DataInvalid(f"{where}/{MANIFEST}: sources must be a list of objects with name and file: {error}") from error
    names = [source.name for source, _ in sources]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataInvalid(f"{where}/{MANIFEST}: source {twice[0]} stands there twice; a source is one file")
    return sources


def _plain(name: str) -> SourceInfo:
    return SourceInfo(name.partition(".")[0] or "storage", "not stated")


def _suffix(name: str, where: str) -> None:
    if not name.endswith(SUFFIXES):
        raise DataInvalid(f"data.uri: {where}: not a {', '.join(SUFFIXES)} file")
