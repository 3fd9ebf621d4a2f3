"""History of the run's namespace, as the operator hands it out: a list, then one series after the other."""

from __future__ import annotations

import dataclasses
import itertools
import json
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlencode

import numpy as np

from . import http
from .control import Control
from .errors import DataInvalid, Fenced, Unavailable
from .series import Listed, Raw, SourceInfo
from .settings import DataConfig

T = TypeVar("T")

SOURCE = "history"
LIST_BYTES = 64 * 1024 * 1024
# A number in JSON rarely takes more.
BYTES_PER_POINT = 32
# Requests under way: one is parsed while the next is on the wire. More would only load the operator.
AHEAD = 2
# How often a list is asked for again when a series is not where it was.
RELISTED = 5


class OperatorOrigin:
    """Raises Fenced when the attempt is over, DataInvalid for what the operator refuses or garbles."""

    def __init__(self, control: Control, config: DataConfig, waiting: http.Waiting | None = None) -> None:
        waiting = waiting or http.Waiting()
        self._control, self._config = control, config
        self._sleep, self._waiting = waiting.sleep, dataclasses.replace(waiting, sleep=self._pause)
        self._left = threading.Event()
        answer = self._get("/data", LIST_BYTES)
        self._most = _whole(_field(answer, "limits", dict, "data"), "maxPoints", "data.limits")
        entries = _field(answer, "series", list, "data")
        if not entries:
            raise DataInvalid("data.predictiveScalers: no PredictiveScaler it selects has history yet")
        if len(entries) > config.max_series:
            raise DataInvalid(f"data.predictiveScalers: {len(entries)} series, at most {config.max_series} are taken; narrow the selector")
        # Places in the operator's list, which another leader may make anew and in another order.
        self._places = _places(entries)
        self._steps: list[int] = []
        self._listed: list[Listed] = []
        for i, entry in enumerate(entries):
            where = f"data.series[{i}]"
            if not isinstance(entry, dict):
                raise DataInvalid(f"{where}: not an object")
            label = "/".join(str(entry[k]) for k in ("namespace", "scaler", "metric") if entry.get(k))
            first, last = (_whole(entry, k, where) for k in ("firstTime", "lastTime"))
            if last < first:
                raise DataInvalid(f"{where}: lastTime {last} lies before firstTime {first}")
            self._listed.append(Listed(_field(entry, "key", str, where), SOURCE, first, last, label))
            self._steps.append(_whole(entry, "stepSeconds", where))
            if self._steps[-1] < 1:
                raise DataInvalid(f"{where}.stepSeconds: {self._steps[-1]}, at least 1")
        names = [s.name for s in self._listed]
        if len(set(names)) != len(names):
            raise DataInvalid("data.series: a key occurs twice")

    def sources(self) -> list[SourceInfo]:
        return [SourceInfo(SOURCE, "own measurements", "history of the operator that trains")]

    def listing(self) -> list[Listed]:
        return self._listed

    def future(self) -> list[Listed]:
        return []

    def read(self, first: dict[str, int]) -> Iterator[Raw]:
        pool = ThreadPoolExecutor(AHEAD)
        try:
            todo = iter(range(len(self._listed)))
            under_way: deque[Future[Raw]] = deque(
                pool.submit(self._series, i, first[SOURCE]) for i in itertools.islice(todo, AHEAD)
            )
            while under_way:
                yield under_way.popleft().result()
                under_way.extend(pool.submit(self._series, i, first[SOURCE]) for i in itertools.islice(todo, 1))
        finally:
            self._left.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _pause(self, seconds: float) -> None:
        """Who was asked to stop does not wait for as long as the operator is away."""
        self._sleep(seconds)
        if self._left.is_set():
            raise Unavailable("nobody waits for this series any more")

    def _series(self, index: int, first: int) -> Raw:
        listed, step = self._listed[index], self._steps[index]
        where = f"series {listed.name}"
        t: list[np.ndarray] = []
        v: list[np.ndarray] = []
        begin, end = max(first, listed.first), listed.last + step
        if (end - begin) // step > self._config.max_points:
            raise DataInvalid(f"{where}: {(end - begin) // step} points, at most {self._config.max_points} are taken")
        while begin < end:
            until = min(end, begin + self._most * step)
            limit = 4096 + BYTES_PER_POINT * ((until - begin) // step + 1)
            answer = self._part(listed.name, begin, until, limit)
            if _whole(answer, "stepSeconds", where) != step:
                raise DataInvalid(f"{where}: stepSeconds is not the {step} of the list")
            t0, values = _whole(answer, "t0", where), _field(answer, "values", list, where)
            try:
                # null becomes NaN: unknown is never zero.
                part = np.array(values, dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise DataInvalid(f"{where}.values: {error}") from error
            if part.ndim != 1:
                raise DataInvalid(f"{where}.values: not a flat list of numbers")
            t.append(t0 + step * np.arange(part.size, dtype=np.int64))
            with np.errstate(over="ignore"):
                v.append(part.astype(np.float32))
            begin = until
        if not t:
            return Raw(np.zeros(0, np.int64), np.zeros(0, np.float32), step)
        return Raw(np.concatenate(t), np.concatenate(v), step)

    def _part(self, name: str, begin: int, until: int, limit: int) -> dict[str, Any]:
        for _ in range(RELISTED):
            place = self._places.get(name)
            if place is None:
                raise Unavailable(f"series {name}: the operator no longer lists it")
            try:
                answer = self._get(f"/data/{place}?{urlencode({'from': begin, 'to': until})}", limit)
                if answer.get("key", name) == name:
                    return answer
                refused = None
            except DataInvalid as error:
                # Of a list that has become shorter: there is no such place.
                if not isinstance(error.__cause__, http.Refused) or error.__cause__.status != 422:
                    raise
                refused = error
            self._places = _places(_field(self._get("/data", LIST_BYTES), "series", list, "data"))
            if refused is not None and self._places.get(name) == place:
                raise refused
        raise Unavailable(f"series {name}: the operator's list does not come to rest")

    def _get(self, path: str, limit: int) -> dict[str, Any]:
        def headers() -> dict[str, str]:
            return {"Authorization": f"Bearer {self._control.token()}", "Accept-Encoding": "gzip"}

        try:
            body = http.get(self._control.opener, self._control.url + path, headers, limit, self._waiting)
        except http.Refused as refused:
            if refused.status in (401, 404, 409):
                raise Fenced(f"the operator no longer takes this attempt: {refused}") from refused
            if 300 <= refused.status < 400:
                raise Unavailable(f"GET {path}: {refused}; redirects are not followed with a token") from refused
            raise DataInvalid(f"GET {path}: {refused}") from refused
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise DataInvalid(f"GET {path}: not JSON: {error}") from error
        if not isinstance(answer, dict):
            raise DataInvalid(f"GET {path}: not an object")
        return answer


def _places(entries: list[Any]) -> dict[Any, int]:
    return {entry.get("key"): i for i, entry in enumerate(entries) if isinstance(entry, dict)}


def _field(values: dict[str, Any], name: str, kind: type[T], where: str) -> T:
    value = values.get(name)
    if not isinstance(value, kind) or value == "":
        raise DataInvalid(f"{where}.{name}: {value!r:.80} is not a {kind.__name__}")
    return value


def _whole(values: dict[str, Any], name: str, where: str) -> int:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not float(value).is_integer():
        raise DataInvalid(f"{where}.{name}: {value!r:.80} is not a whole number")
    return int(value)
