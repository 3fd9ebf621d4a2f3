"""Data over HTTP: what the operator hands out, and files at an address. The server here stands in for both, faults included."""

from __future__ import annotations

import errno
import gzip
import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyarrow.parquet as pq
import pytest

from foresail_models.dataset import Control, DataConfig, DataInvalid, Fenced, Split, Unavailable, http, prepare, storage
from foresail_models.dataset.credentials import Secret
from foresail_models.dataset.download import Download
from foresail_models.dataset.operator import OperatorOrigin

START = 1_790_035_200
STEP = 600
SIZE = 30 * 144
TOKEN = "a-token-of-32-bytes"


@contextmanager
def serving(answer, certificate=None):
    """`answer(handler)` for each GET, on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'' if certificate is None else 's'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler, status, body=b"", **headers):
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


class Operator:
    """The data routes as the contract has them; `faults` are (path, status, body) to be given once each first."""

    def __init__(self, rng, series=3):
        day = np.arange(SIZE) * STEP
        self.values = [100 * (i + 1) + 50 * np.sin(2 * np.pi * day / 86400) + rng.normal(0, 5, SIZE) for i in range(series)]
        self.values[1][200:260] = np.nan
        self.faults = []
        self.asked = []
        self.most = 1000
        self.change = lambda path, answer: answer

    def __call__(self, handler):
        url = urlsplit(handler.path)
        path = url.path.removeprefix("/run/attempts/1")
        self.asked.append(handler.path)
        if self.faults:
            fault = self.faults.pop(0)
            if fault == "cut":
                handler.send_response(200)
                handler.send_header("Content-Length", "100")
                handler.end_headers()
                handler.wfile.write(b"{")
                handler.close_connection = True
                return None
            status, body, headers = fault
            return send(handler, status, body, **headers)
        if handler.headers["Authorization"] != f"Bearer {TOKEN}":
            return send(handler, 401, b"wrong token")
        if path == "/data":
            answer = {"series": [self.entry(i) for i in range(len(self.values))], "limits": {"maxPoints": self.most}}
        else:
            query = parse_qs(url.query)
            begin, end = (int(query[k][0]) for k in ("from", "to"))
            first = max(0, -((START - begin) // STEP))
            part = self.values[int(path.removeprefix("/data/"))][first : max(0, -((START - end) // STEP))]
            assert part.size <= self.most
            answer = {"key": f"web/uid-{path.removeprefix('/data/')}/metric-0", "t0": START + first * STEP, "stepSeconds": STEP, "values": [None if np.isnan(x) else x for x in part]}
        body = self.change(path, answer)
        body = body if isinstance(body, bytes) else gzip.compress(json.dumps(body).encode(), 1)
        return send(handler, 200, body, Content_Encoding="gzip")

    def entry(self, i):
        known = int((~np.isnan(self.values[i])).sum())
        times = {"stepSeconds": STEP, "firstTime": START, "lastTime": START + (SIZE - 1) * STEP, "known": known}
        return {"key": f"web/uid-{i}/metric-0", "namespace": "web", "scaler": f"shop-{i}", "metric": "metric-0"} | times


@pytest.fixture
def operator(rng):
    return Operator(rng)


@pytest.fixture
def control(tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    return lambda base: Control(f"{base}/run/attempts/1", tmp_path / "token")


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def waiting(self):
        return http.Waiting(lambda: self.now, self.sleep, lambda: 1.0)


def origin(control, base, clock=None, **config):
    return OperatorOrigin(control(base), DataConfig.parse({"from": "operator"} | config), (clock or Clock()).waiting())


def test_takes_history_in_pieces_and_keeps_the_unknown(tmp_path, operator, control):
    with serving(operator) as base:
        ready = prepare(DataConfig("operator"), Split(), tmp_path / "w", control(base), now=lambda: START + 31 * 86400, log=lambda _: None)
    assert len(operator.asked) == 1 + 3 * 5, "4,320 points, 1,000 at a time"
    manifest = json.loads((ready.folder / "manifest.json").read_text())
    assert manifest["from"] == "operator" and manifest["sources"][0]["series"][0]["label"] == "web/shop-0/metric-0"
    table = pq.read_table(ready.holdout / manifest["sources"][0]["file"])
    got = table["v"].to_numpy().reshape(3, SIZE)
    np.testing.assert_array_equal(got, np.array(operator.values, np.float32))
    assert np.isnan(got[1, 200:260]).all()


def test_asks_for_the_window_only(operator, control):
    with serving(operator) as base:
        got = list(origin(control, base).read({"history": START + 29 * 86400}))
    assert [raw.t[0] for raw in got] == [START + 29 * 86400] * 3 and all(raw.t.size == 144 for raw in got)


def test_waits_for_a_leader(operator, control):
    operator.faults = [(503, b"not the leader", {"Retry_After": "7"}), "cut", (502, b"", {})]
    clock = Clock()
    with serving(operator) as base:
        assert len(origin(control, base, clock).listing()) == 3
    assert clock.slept == [7, 2, 4], "Retry-After counts, and pauses grow"


def test_another_leader_may_list_in_another_order(operator, control):
    """The places in the list change while the second series is read; what is taken is what was asked for."""

    def change(path, answer):
        if path == "/data":
            answer["series"] = answer["series"][:: -1 if turned else 1]
            return answer
        i = int(path.removeprefix("/data/"))
        if i == 1 and not turned:
            turned.append(True)
            operator.values.reverse()
        place = len(operator.values) - 1 - i if turned else i
        return answer | {"key": f"web/uid-{place}/metric-0"}

    turned = []
    expected = list(operator.values)
    operator.change = change
    operator.most = 100_000
    with serving(operator) as base:
        got = list(origin(control, base).read({"history": START}))
    for raw, wanted in zip(got, expected, strict=True):
        np.testing.assert_array_equal(raw.v, wanted.astype(np.float32))


def test_another_leader_may_list_fewer(operator, control):
    """A scaler is deleted once its series was read: the places behind it move, and the last one is none."""
    short = threading.Event()

    def answer(handler):
        path = urlsplit(handler.path).path.removeprefix("/run/attempts/1")
        if short.is_set() and path == "/data":
            return send(handler, 200, json.dumps({"series": [operator.entry(1), operator.entry(2)], "limits": {"maxPoints": 100_000}}).encode())
        if short.is_set() and path == "/data/2":
            return send(handler, 422, b'{"error": "there are 2 series", "code": "DATA_RANGE_INVALID"}')
        if short.is_set():
            handler.path = handler.path.replace("/data/1", "/data/2").replace("/data/0", "/data/1")
        return operator(handler)

    operator.most = 100_000
    with serving(answer) as base:
        rows = origin(control, base).read({"history": START})
        got = [next(rows)]
        short.set()
        got += list(rows)
    for raw, wanted in zip(got, operator.values, strict=True):
        np.testing.assert_array_equal(raw.v, wanted.astype(np.float32))


def test_a_range_that_is_refused_for_itself_is_told(operator, control):
    def answer(handler):
        return send(handler, 422, b"to: too many points") if "/data/1?" in handler.path else operator(handler)

    with serving(answer) as base, pytest.raises(DataInvalid, match="422: to: too many points"):
        list(origin(control, base).read({"history": START}))


def test_does_not_wait_for_ever(operator, control):
    operator.faults = [(503, b"not the leader", {})] * 1000
    clock = Clock()
    with serving(operator) as base, pytest.raises(Unavailable, match="did not answer for 5.. s; last: HTTP 503: not the leader"):
        origin(control, base, clock)
    assert sum(clock.slept) <= http.PATIENCE_S and max(clock.slept) == http.LONGEST_WAIT_S


def test_no_one_there_is_unavailable(control):
    with serving(lambda _: None) as base:
        pass
    with pytest.raises(Unavailable, match="refused"):
        origin(control, base)


@pytest.mark.parametrize("status", [401, 404, 409])
def test_an_attempt_that_is_over_is_fenced(operator, control, status):
    operator.faults = [(status, b"attempt 2 is live", {})]
    clock = Clock()
    with serving(operator) as base, pytest.raises(Fenced, match="attempt 2 is live") as raised:
        origin(control, base, clock)
    assert raised.value.exit_code == 79 and clock.slept == []


def test_fenced_in_the_middle_leaves_nothing(tmp_path, operator, control):
    def over(path, answer):
        if path == "/data/1":
            operator.faults = [(409, b"over", {})] * 10
        return answer

    operator.change = over
    with serving(operator) as base, pytest.raises(Fenced):
        prepare(DataConfig("operator"), Split(), tmp_path / "w", control(base), log=lambda _: None)
    assert list((tmp_path / "w").iterdir()) == []


def test_the_token_is_read_anew_and_goes_nowhere_else(tmp_path, operator, control):
    seen = []

    def elsewhere(handler):
        seen.append(handler.headers["Authorization"])
        send(handler, 200, b"{}")

    with serving(operator) as base, serving(elsewhere) as other:
        operator.faults = [(302, b"", {"Location": f"{other}/data"})]
        with pytest.raises(Unavailable, match="redirects are not followed"):
            origin(control, base)
        assert seen == []
        reader = origin(control, base)
        (tmp_path / "token").write_text("another")
        with pytest.raises(Fenced, match="wrong token"):
            list(reader.read({"history": START}))


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        ("/data", lambda a: a | {"series": []}, "no PredictiveScaler it selects has history yet"),
        ("/data", lambda a: {"limits": a["limits"]}, r"data.series: None is not a list"),
        ("/data", lambda a: a | {"limits": {}}, r"data.limits.maxPoints: None is not a whole number"),
        ("/data", lambda a: a | {"series": [a["series"][0] | {"key": 3}]}, r"data.series\[0\].key: 3 is not a str"),
        ("/data", lambda a: a | {"series": [a["series"][0] | {"firstTime": "soon"}]}, r"data.series\[0\].firstTime: 'soon'"),
        ("/data", lambda a: a | {"series": [a["series"][0] | {"stepSeconds": 0}]}, r"data.series\[0\].stepSeconds: 0"),
        ("/data", lambda a: a | {"series": [a["series"][0] | {"lastTime": 3}]}, r"lastTime 3 lies before"),
        ("/data", lambda a: a | {"series": a["series"][:1] * 2}, "a key occurs twice"),
        ("/data", lambda a: gzip.compress(b"[1]"), "not an object"),
        ("/data", lambda a: gzip.compress(b"{"), "not JSON"),
        ("/data", lambda a: gzip.compress(b" " * (storage.http.CHUNK * 65)), "more than 67108864 bytes"),
        ("/data/1", lambda a: a | {"values": [1, "x"]}, r"series web/uid-1/metric-0.values: "),
        ("/data/1", lambda a: a | {"values": [[1], [2]]}, "not a flat list"),
        ("/data/1", lambda a: a | {"values": 7}, r"series web/uid-1/metric-0.values: 7 is not a list"),
        ("/data/1", lambda a: a | {"stepSeconds": 60}, "stepSeconds is not the 600 of the list"),
        ("/data/1", lambda a: a | {"t0": None}, r"series web/uid-1/metric-0.t0: None"),
        ("/data/1", lambda a: a | {"values": [1.0] * 50_000}, "more than [0-9]+ bytes"),
    ],
)
def test_an_answer_that_makes_no_sense_is_named(operator, control, path, change, message):
    operator.change = lambda asked, answer: change(answer) if asked == path else answer
    with serving(operator) as base, pytest.raises(DataInvalid, match=message):
        list(origin(control, base).read({"history": START}))


@pytest.mark.parametrize("status", [403, 413, 422])
def test_what_the_operator_refuses_is_told(operator, control, status):
    operator.faults = [(status, b"window: at most 90 days", {})]
    with serving(operator) as base, pytest.raises(DataInvalid, match=f"{status}: window: at most 90 days"):
        origin(control, base)


def test_too_many_series(operator, control):
    with serving(operator) as base, pytest.raises(DataInvalid, match="3 series, at most 2 are taken"):
        origin(control, base, maxSeries=2)


def test_no_operator_outside_a_cluster(tmp_path):
    assert Control.from_env({}) is None
    with pytest.raises(DataInvalid, match="FORESAIL_CONTROL_URL"):
        prepare(DataConfig("operator"), Split(), tmp_path, log=lambda _: None)


def download(url, target, clock, secret=Secret(), most=storage.MAX_BYTES, heard=lambda more: None):
    """As for https:// addresses; the server here has no certificate."""
    Download(url, target, secret, most, heard).run(clock.waiting())


def test_a_file_at_an_address(tmp_path):
    tries = []

    def answer(handler):
        tries.append(handler.path)
        if handler.path.startswith("/moved.csv"):
            send(handler, 302, Location="/here.csv")
        elif len(tries) < 3:
            send(handler, 503)
        else:
            send(handler, 200, b"t,v\n1,2\n")

    clock = Clock()
    with serving(answer) as base:
        download(f"{base}/moved.csv?secret=1", tmp_path / "x", clock)
    assert (tmp_path / "x").read_bytes() == b"t,v\n1,2\n" and len(clock.slept) == 1


def test_a_file_that_moved_to_another_host_is_not_fetched(tmp_path):
    asked = []
    with serving(lambda h: asked.append(h.path)) as other:
        with serving(lambda h: send(h, 302, Location=f"{other}/inner")) as base:
            with pytest.raises(DataInvalid, match="sends to another host") as raised:
                download(f"{base}/a.csv?signature=secret", tmp_path / "x", Clock())
    assert asked == [] and "secret" not in str(raised.value)


def test_a_file_that_is_too_large_is_left(tmp_path):
    with serving(lambda h: send(h, 200, b"x" * 2000)) as base, pytest.raises(DataInvalid, match="more than 1000 bytes"):
        download(f"{base}/a.csv", tmp_path / "x", Clock(), most=1000)


def test_a_missing_file_is_told_at_once(tmp_path):
    with serving(lambda h: send(h, 404, b"gone")) as base, pytest.raises(DataInvalid, match="404: gone"):
        download(f"{base}/a.csv", tmp_path / "x", Clock())


def test_credentials_of_the_secret_go_to_the_address_alone(tmp_path):
    seen = []

    def answer(handler):
        seen.append(handler.headers["Authorization"])
        send(handler, 200, b"t,v\n")

    folder = tmp_path / "secret"
    folder.mkdir()
    with serving(answer) as base:
        (folder / "username").write_text("ann\n")
        with pytest.raises(DataInvalid, match="password is missing, and username is there"):
            download(f"{base}/a.csv", tmp_path / "x", Clock(), Secret(folder))
        (folder / "password").write_text("geheim")
        download(f"{base}/a.csv", tmp_path / "x", Clock(), Secret(folder))
        (folder / "token").write_text("t0ken\n")
        download(f"{base}/a.csv", tmp_path / "x", Clock(), Secret(folder))
        (folder / "ca.crt").write_text("geheim")
        with pytest.raises(DataInvalid, match=r"ca\.crt is no certificate") as raised:
            download(f"{base}/a.csv", tmp_path / "x", Clock(), Secret(folder))
    assert seen == ["Basic YW5uOmdlaGVpbQ==", "Bearer t0ken"] and "geheim" not in str(raised.value)


class Cutting:
    """A server of one file that breaks the connection after a third of it; knows ranges where `tag` names the file."""

    def __init__(self, body, tag='"one"', cuts=2):
        self.body, self.tag, self.cuts = body, tag, cuts
        self.asked = []

    def __call__(self, handler):
        begin = 0
        span, mark = handler.headers["Range"], handler.headers["If-Range"]
        self.asked.append((span, mark))
        if span and mark == self.tag:
            begin = int(span.removeprefix("bytes=").removesuffix("-"))
        rest = self.body[begin:]
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Length", str(len(rest)))
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(self.body) - 1}/{len(self.body)}")
        if self.tag:
            handler.send_header("ETag", self.tag)
        handler.end_headers()
        self.cuts -= 1
        handler.wfile.write(rest if self.cuts < 0 else rest[: len(rest) // 3])
        handler.close_connection = True


@pytest.fixture
def body(rng):
    return rng.bytes(5 << 20)


def test_a_file_that_is_cut_off_goes_on_where_it_was(tmp_path, body):
    server, heard = Cutting(body), []
    with serving(server) as base:
        download(f"{base}/a.csv", tmp_path / "x", Clock(), heard=heard.append)
    assert (tmp_path / "x").read_bytes() == body
    first, second = len(body) // 3, len(body) // 3 + (len(body) - len(body) // 3) // 3
    assert server.asked == [(None, None), (f"bytes={first}-", '"one"'), (f"bytes={second}-", '"one"')]
    assert sum(heard) == len(body) and len(heard) > 4, "each piece is told once"


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_mark_of_the_file_it_is_fetched_anew(tmp_path, body, tag):
    server, heard = Cutting(body, tag), []
    with serving(server) as base:
        download(f"{base}/a.csv", tmp_path / "x", Clock(), heard=heard.append)
    assert (tmp_path / "x").read_bytes() == body and server.asked == [(None, None)] * 3
    assert sum(heard) == len(body), "what comes again is no progress"


def test_a_file_that_changes_on_the_way_is_fetched_anew(tmp_path, body):
    server = Cutting(body, cuts=1)

    def answer(handler):
        if server.asked:
            server.body, server.tag = body[::-1] + b"longer", '"two"'
        server(handler)

    with serving(answer) as base:
        download(f"{base}/a.csv", tmp_path / "x", Clock())
    assert (tmp_path / "x").read_bytes() == body[::-1] + b"longer"


def test_patience_is_for_a_server_that_sends_nothing(tmp_path, body):
    """Each try takes longer than all of the patience, and brings a third of the rest."""
    clock = Clock()
    server = Cutting(body, cuts=5)

    def answer(handler):
        clock.now += http.PATIENCE_S
        server(handler)

    with serving(answer) as base:
        download(f"{base}/a.csv", tmp_path / "x", clock)
    assert (tmp_path / "x").read_bytes() == body


def test_a_full_disk_is_not_waited_for(tmp_path, body):
    with serving(lambda h: send(h, 200, body)) as base, pytest.raises(OSError, match="No space left") as raised:
        download(f"{base}/a.csv", Path("/dev/full"), Clock())
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize("status", [401, 403])
def test_what_is_refused_names_the_secret(tmp_path, status):
    (tmp_path / "token").write_text("t0ken")
    clock = Clock()
    with serving(lambda h: send(h, status, b"go away")) as base:
        with pytest.raises(DataInvalid, match=f"{status}: go away; it was asked without credentials: data.credentialsSecretRef"):
            download(f"{base}/a.csv", tmp_path / "x", clock)
        with pytest.raises(DataInvalid, match="with the credentials of data.credentialsSecretRef") as raised:
            download(f"{base}/a.csv", tmp_path / "x", clock, Secret(tmp_path))
    assert clock.slept == [] and "t0ken" not in str(raised.value)


def test_a_certificate_that_is_not_trusted_is_not_tried_again(tmp_path, certificate):
    clock = Clock()
    with serving(lambda h: send(h, 200, b"t,v\n"), certificate) as base:
        with pytest.raises(DataInvalid, match=r"its certificate is not trusted \(self.signed certificate\); ca.crt of data.credentialsSecretRef"):
            download(f"{base}/a.csv", tmp_path / "x", clock)
        assert clock.slept == []
        (tmp_path / "ca.crt").write_bytes(certificate.with_suffix(".crt").read_bytes())
        download(f"{base}/a.csv", tmp_path / "x", clock, Secret(tmp_path))
    assert (tmp_path / "x").read_bytes() == b"t,v\n"


def test_a_run_learns_from_a_file_at_an_address_and_hears_how_much_has_come(tmp_path, rng, certificate, monkeypatch):
    t = START + STEP * np.arange(SIZE)
    body = ("t,v\n" + "".join(f"{at},{v:.3f}\n" for at, v in zip(t, 100 + rng.normal(0, 5, SIZE)))).encode()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "ca.crt").write_bytes(certificate.with_suffix(".crt").read_bytes())
    monkeypatch.setenv("FORESAIL_DATA_CREDENTIALS", str(tmp_path / "secret"))
    heard = []
    with serving(lambda h: send(h, 200, body), certificate) as base:
        config = DataConfig("uri", f"{base}/loads/web.csv?signature=geheim")
        ready = prepare(config, Split(), tmp_path / "w", now=lambda: START + 31 * 86400, log=lambda _: None, fetched=heard.append)
    assert heard == [len(body)] and ready.quality["series"][0]["series"] == "web"
    assert "geheim" not in (ready.folder / "manifest.json").read_text()


def test_a_reader_that_is_stopped_leaves_nobody_waiting(operator, control):
    """SIGTERM ends the main thread between two series: a thread that waits for an operator that is away must not hold it."""
    waits = threading.Event()
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        waits.set()
        source._left.wait(10)

    def answer(handler):
        return send(handler, 503) if "/data/1?" in handler.path else operator(handler)

    with serving(answer) as base:
        source = OperatorOrigin(control(base), DataConfig("operator"), http.Waiting(sleep=sleep, patience_s=60))
        rows = source.read({"history": START})
        next(rows)
        assert waits.wait(10)
        rows.close()
    assert len(slept) == 1, "it had begun one pause, and does not try again"
