"""Training data in object stores, read through real programs that speak their protocols.

`make test` has built them; where only Python was set up the tests are skipped, and counted as such.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from foresail_models.dataset import DataConfig, DataInvalid, Split, Unavailable, http, prepare, stores
from foresail_models.dataset.credentials import Secret

from . import runs

BINARIES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "foresail" / "bin"


def program(name):
    """The newest build, with the mark that skips its test where there is none."""
    found = sorted(BINARIES.glob(f"{name}-*/{name}"), key=lambda p: p.stat().st_mtime)
    mark = pytest.mark.skipif(not found, reason=f"{name} is not built (e2e/build.sh {name})")
    return (found[-1] if found else None), mark


GATEWAY, needs_gateway = program("versitygw")
GCS, needs_gcs = program("fake-gcs-server")


@contextmanager
def running(arguments, port):
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def port():
    return runs.free_port()


@pytest.fixture
def bucket(tmp_path, rng):
    """A folder that a store serves as bucket `loads`."""
    folder = tmp_path / "store" / "loads" / "web"
    folder.mkdir(parents=True)
    t = 1_790_035_200 + 600 * np.arange(30 * 144)
    pq.write_table(pa.table({"t": t, "v": 100 + rng.normal(0, 5, t.size)}), folder / "shop.parquet")
    return folder.parents[1]


def ready(uri, work):
    return prepare(DataConfig("uri", uri), Split(), work, now=lambda: 1_800_000_000.0, log=lambda _: None)


@pytest.fixture
def secret(tmp_path, monkeypatch):
    """Writes the keys of a Secret as kubelet would, and says where they are as the pod would."""
    folder = tmp_path / "secret"
    folder.mkdir()
    monkeypatch.setenv("FORESAIL_DATA_CREDENTIALS", str(folder))

    def write(**keys):
        for key, value in keys.items():
            (folder / key).write_text(value + "\n")

    return write


@needs_gateway
def test_s3(tmp_path, bucket, port, secret):
    secret(AWS_ACCESS_KEY_ID="user", AWS_SECRET_ACCESS_KEY="password", AWS_REGION="us-east-1", AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    listen = ["--access", "user", "--secret", "password", "--port", f"127.0.0.1:{port}", "--quiet", "posix", str(bucket)]
    with running([GATEWAY, *listen], port):
        folder = ready("s3://loads/web", tmp_path / "folder")
        file = ready("s3://loads/web/shop.parquet", tmp_path / "file")
        assert folder.quality["totals"]["used"] == file.quality["totals"]["used"] == 1
        assert folder.quality["series"][0]["series"] == "shop"
        with pytest.raises(DataInvalid, match="s3://loads/none: there is no such file or folder"):
            ready("s3://loads/none", tmp_path / "none")
        secret(AWS_SECRET_ACCESS_KEY="wrong")
        with pytest.raises(DataInvalid, match=r"s3://loads/web: refused to AWS_ACCESS_KEY_ID of data.credentialsSecretRef .*ACCESS_DENIED") as raised:
            ready("s3://loads/web", tmp_path / "denied")
        assert raised.value.exit_code == 78 and "wrong" not in str(raised.value)


@needs_gcs
def test_gs(tmp_path, bucket, port, secret):
    secret(STORAGE_EMULATOR_HOST=f"http://127.0.0.1:{port}")
    listen = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory", "-data", str(bucket)]
    with running([GCS, *listen], port):
        folder = ready("gs://loads/web", tmp_path / "folder")
        assert folder.quality["totals"]["used"] == 1
        with pytest.raises(DataInvalid, match=r"gs://loads/none\.csv: there is no such file or folder"):
            ready("gs://loads/none.csv", tmp_path / "none")


class Answering:
    """Stands in for a store that answers all alike: no real one refuses in each of its ways."""

    def __init__(self, status, body):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def answering():
    made = []

    def make(status, body=b""):
        made.append(Answering(status, body))
        return made[-1].url

    yield make
    for each in made:
        each.server.shutdown()
        each.server.server_close()


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (403, "InvalidAccessKeyId"), (401, "Unauthorized"), (400, "ExpiredToken"), (301, "PermanentRedirect")])
def test_s3_that_refuses_is_told_at_once(tmp_path, answering, secret, status, code):
    url = answering(status, f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>no</Message></Error>".encode())
    secret(AWS_ACCESS_KEY_ID="geheim", AWS_SECRET_ACCESS_KEY="geheim", AWS_REGION="us-east-1", AWS_ENDPOINT_URL=url)
    with pytest.raises(DataInvalid, match="refused to AWS_ACCESS_KEY_ID of data.credentialsSecretRef") as raised:
        ready("s3://loads/web.csv", tmp_path / "w")
    assert raised.value.exit_code == 78 and "geheim" not in str(raised.value)


@pytest.mark.parametrize("status", [401, 403])
def test_gs_that_refuses_is_told_at_once(tmp_path, answering, secret, status):
    secret(STORAGE_EMULATOR_HOST=answering(status, b'{"error": {"code": %d, "message": "no"}}' % status), token="geheim")
    with pytest.raises(DataInvalid, match="refused to token of data.credentialsSecretRef") as raised:
        ready("gs://loads/web.csv", tmp_path / "w")
    assert "geheim" not in str(raised.value)


def test_a_key_file_that_is_none_is_named(tmp_path, secret):
    secret(**{"gcloud-application-credentials.json": "{}"})
    with pytest.raises(DataInvalid, match=r"refused to gcloud-application-credentials.json of data.credentialsSecretRef: .*key.json|refused to gcloud-application-credentials.json"):
        ready("gs://loads/web.csv", tmp_path / "w")


@pytest.mark.parametrize("ca", [None, "no certificate"])
def test_s3_whose_certificate_is_not_trusted_is_told_at_once(tmp_path, secret, certificate, ca):
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    secret(**keys, AWS_ENDPOINT_URL=f"https://127.0.0.1:{server.server_port}", **({} if ca is None else {"ca.crt": ca}))
    try:
        with pytest.raises(DataInvalid, match="its certificate is not trusted; ca.crt of data.credentialsSecretRef"):
            ready("s3://loads/web.csv", tmp_path / "w")
    finally:
        server.shutdown()
        server.server_close()


def test_s3_that_is_ill_is_waited_for(tmp_path, answering, secret):
    secret(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_REGION="us-east-1", AWS_ENDPOINT_URL=answering(503))
    files, who = stores.s3(Secret(tmp_path / "secret"))
    slept = []
    store = stores.Store(files, who, tmp_path, http.Waiting(lambda: sum(slept), slept.append, lambda: 1.0, patience_s=5))
    with pytest.raises(Unavailable, match="did not answer"):
        store.info("loads/web.csv", "s3://loads/web.csv")
    assert slept == [1, 2]


class Breaking:
    """A file system whose reads end early, `cuts` times; a fault that no store can be asked for."""

    def __init__(self, path, cuts):
        self.path, self.cuts, self.begun = path, cuts, []
        self.local = fs.LocalFileSystem()

    def get_file_info(self, path):
        return self.local.get_file_info(path)

    @contextmanager
    def open_input_file(self, path):
        with self.local.open_input_file(path) as file:
            breaking = self.cuts > 0
            self.cuts -= 1
            outer = self

            class File:
                def seek(self, at):
                    outer.begun.append(at)
                    file.seek(at)
                    self.left = 2

                def read(self, size):
                    self.left -= 1
                    if breaking and self.left < 0:
                        raise OSError("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 56")
                    return file.read(size)

            yield File()


def test_a_copy_that_is_cut_off_goes_on_where_it_was(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(stores, "PIECE", 1000)
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    path = tmp_path / "there" / "a.csv"
    path.write_bytes(rng.bytes(6500))
    heard, files = [], Breaking(path, 2)
    store = stores.Store(files, "", tmp_path / "here", http.Waiting(sleep=lambda _: None), heard.append)
    copy = store.local(files.get_file_info(str(path)), "s3://loads/a.csv")
    assert copy.read_bytes() == path.read_bytes() and files.begun == [0, 2000, 4000]
    assert heard == [1000] * 6 + [500]


def test_a_file_that_changes_while_it_is_copied_is_not_taken(tmp_path):
    (tmp_path / "here").mkdir()
    path = tmp_path / "a.csv"
    path.write_bytes(b"t,v\n1,2\n")
    files = fs.LocalFileSystem()
    store = stores.Store(files, "", tmp_path / "here", heard=lambda _: os.utime(path, (1, 1)))
    with pytest.raises(Unavailable, match="s3://loads/a.csv: changed while it was copied"):
        store.local(files.get_file_info(str(path)), "s3://loads/a.csv")


def test_a_list_may_know_the_time_of_a_file_better_than_the_file(tmp_path):
    """As with MinIO: milliseconds in a list, seconds of a single object."""
    (tmp_path / "here").mkdir()
    path = tmp_path / "a.csv"
    path.write_bytes(b"t,v\n1,2\n")
    listed = fs.FileInfo(str(path), fs.FileType.File, mtime_ns=1_790_000_000_345_000_000, size=8)
    assert stores.Store(fs.LocalFileSystem(), "", tmp_path / "here").local(listed, "s3://loads/a.csv").read_bytes() == path.read_bytes()


def test_bytes_that_come_are_told(tmp_path, bucket, monkeypatch):
    """What is fetched is progress, before there is a series."""
    monkeypatch.setattr(stores, "s3", lambda _: (fs.SubTreeFileSystem(str(bucket), fs.LocalFileSystem()), "nobody"))
    told = []
    prepare(DataConfig("uri", "s3://loads/web"), Split(), tmp_path / "w", now=lambda: 1_800_000_000.0, log=lambda _: None, fetched=told.append)
    assert told == [(bucket / "loads" / "web" / "shop.parquet").stat().st_size]
