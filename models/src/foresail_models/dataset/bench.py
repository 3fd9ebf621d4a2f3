"""How fast data are prepared: `python -m foresail_models.dataset.bench --series 40 --days 60`.

Makes loads with a day's rhythm, noise and gaps, hands them out as a Parquet file and as an operator would over HTTP
on this machine (Linux), and prepares them both ways. The server runs in a process of its own and has packed its answers
before the clock starts, so its cost is not in the figures. Memory is the peak of the preparing process alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .control import Control
from .prepare import prepare
from .settings import DataConfig, Split

MAX_POINTS = 200_000
WORKLOADS, DAYS = 1000, 60


def loads(series: int, days: int, step: int) -> tuple[int, np.ndarray]:
    """(time of the first step, [series, steps])"""
    rng = np.random.default_rng(1)
    t0 = (int(time.time()) - days * 86400) // 86400 * 86400
    t = t0 + step * np.arange(days * 86400 // step)
    level = 10 ** rng.uniform(0, 4, (series, 1))
    phase = rng.uniform(0, 2 * np.pi, (series, 1))
    v = level * (1.2 + np.sin(2 * np.pi * t / 86400 + phase)) + rng.gamma(2, 0.05, (series, t.size)) * level
    v[rng.random(v.shape) < 0.002] = np.nan
    return t0, v.astype(np.float32)


def serve(port: Connection, series: int, days: int, step: int) -> None:
    """Stands in for the operator: the routes of training data, packed ahead."""
    t0, v = loads(series, days, step)
    size = v.shape[1]
    answers: dict[tuple[int, int], bytes] = {}
    for i in range(series):
        for begin in range(0, size, MAX_POINTS):
            values = [None if np.isnan(x) else float(f"{x:.7g}") for x in v[i, begin : begin + MAX_POINTS]]
            body = {"t0": t0 + begin * step, "stepSeconds": step, "values": values}
            answers[i, t0 + begin * step] = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), 1)
    one = {"stepSeconds": step, "firstTime": t0, "lastTime": t0 + (size - 1) * step, "known": size}
    names = [{"key": f"web/uid-{i}/metric-0", "namespace": "web", "scaler": f"shop-{i}", "metric": "metric-0"} for i in range(series)]
    listing = gzip.compress(json.dumps({"series": [n | one for n in names], "limits": {"maxPoints": MAX_POINTS}}).encode())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            index = url.path.rpartition("/")[2]
            body = listing if index == "data" else answers[int(index), int(parse_qs(url.query)["from"][0])]
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.send(server.server_port)
    server.serve_forever()


def measure(pipe: Connection, config: DataConfig, work: Path, control: Control | None) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    before = peak_kib()
    prepare(config, Split(), work, control, log=lambda _: None)
    pipe.send((time.perf_counter() - wall, time.process_time() - cpu, before, peak_kib()))


def peak_kib() -> int:
    """Of this program alone: what getrusage says begins with the peak of the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--step", type=int, default=60, help="seconds")
    parser.add_argument("--dir", type=Path, help="where to work; default: the system's temporary folder")
    a = parser.parse_args()
    # Every measured process is new: memory that a generator once held is not in its peak.
    processes = multiprocessing.get_context("spawn")
    points = a.series * a.days * 86400 // a.step
    scale = WORKLOADS * DAYS * 1440 / points
    print(f"{a.series} series of {a.days} days every {a.step} s: {points} points; {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=a.dir) as name:
        folder = Path(name)
        (folder / "token").write_text("bench")
        ours, theirs = processes.Pipe()
        server = processes.Process(target=serve, args=(theirs, a.series, a.days, a.step), daemon=True)
        server.start()
        control = Control(f"http://127.0.0.1:{ours.recv()}", folder / "token")
        write(folder / "long.parquet", a.series, a.days, a.step)
        for label, config, with_control in [
            ("operator", DataConfig("operator", window_hours=24 * a.days), control),
            ("Parquet", DataConfig("uri", str(folder / "long.parquet"), window_hours=24 * a.days), None),
        ]:
            receive, give = processes.Pipe()
            process = processes.Process(target=measure, args=(give, config, folder / label, with_control))
            process.start()
            wall, cpu, before, peak = receive.recv()
            process.join()
            size = sum(f.stat().st_size for f in (folder / label).rglob("*.parquet"))
            print(
                f"{label}: {wall:.1f} s, {cpu:.1f} s of CPU, {points / wall / 1e6:.2f} M points/s, peak {peak / 1024:.0f} MiB "
                f"({before / 1024:.0f} at the start), {size / 2**20:.0f} MiB written; "
                f"{WORKLOADS} workloads x {DAYS} days: about {wall * scale / 60:.1f} min, {size * scale / 2**30:.2f} GiB"
            )
        server.terminate()
        server.join()


def write(path: Path, series: int, days: int, step: int) -> None:
    t0, v = loads(series, days, step)
    stamps = t0 + step * np.arange(v.shape[1], dtype=np.int64)
    schema = pa.schema([("series", pa.dictionary(pa.int32(), pa.string())), ("t", pa.int64()), ("v", pa.float32())])
    with pq.ParquetWriter(path, schema) as writer:
        for i in range(series):
            names = pa.DictionaryArray.from_arrays(np.zeros(stamps.size, np.int32), [f"web/shop-{i}"])
            writer.write_table(pa.table([names, stamps, v[i]], schema=schema))


if __name__ == "__main__":
    main()
