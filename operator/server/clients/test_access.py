"""Clients that nobody of this project wrote, over TLS with a certificate of their own."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from .conftest import DATATYPES, ROOT, identity_model, put, serving

# The certificates of the other tests, so that no second program has to make them.
MAKE = """
import { writeFileSync } from 'node:fs';
import { selfSigned } from './operator/metricsources/testing/certificate.ts';
for (const commonName of ['server', 'client', 'stranger']) {
  const { cert, key } = selfSigned(Date.now(), { commonName });
  writeFileSync(`${process.argv[1]}/${commonName}.crt`, cert);
  writeFileSync(`${process.argv[1]}/${commonName}.key`, key);
}
"""


@dataclass(frozen=True)
class Mutual:
    http: str
    grpc: str
    folder: Path

    def context(self, name: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.folder / "server.crt")
        # The certificate is its own authority, which newer rules for authorities do not foresee.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if name is not None:
            context.load_cert_chain(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        return context

    def http_client(self, name: str) -> tritonclient.http.InferenceServerClient:
        return tritonclient.http.InferenceServerClient(
            self.http, ssl=True, ssl_context_factory=lambda: self.context(name)
        )

    def grpc_client(self, name: str) -> tritonclient.grpc.InferenceServerClient:
        file = lambda suffix: str(self.folder / f"{name}.{suffix}")  # noqa: E731
        return tritonclient.grpc.InferenceServerClient(
            self.grpc,
            ssl=True,
            root_certificates=str(self.folder / "server.crt"),
            private_key=file("key"),
            certificate_chain=file("crt"),
        )


@pytest.fixture(scope="module")
def mutual(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    node = ROOT / "node_modules" / ".bin" / "node"
    subprocess.run([node, "--input-type=module", "-e", MAKE, folder], cwd=ROOT, check=True)
    repository = tmp_path_factory.mktemp("repository")
    put(repository, "identity", "1", identity_model())
    flags = [
        *("--auth", "mtls", "--client-ca-file", folder / "client.crt"),
        *("--tls-cert-file", folder / "server.crt", "--tls-private-key-file", folder / "server.key"),
    ]
    context = Mutual("", "", folder).context(None)
    with serving(repository, *flags, tls=context) as found:
        yield Mutual(found.http, found.grpc, folder)


def all_inputs(module):
    """The model wants every input; what counts is one."""
    made = []
    for name, kind in DATATYPES.items():
        tensor = module.InferInput(name, [1, 2], name)
        data = [["a", "b"]] if name == "BYTES" else [[1.5, -2.5]] if name == "FP32" else [[0, 1]]
        tensor.set_data_from_numpy(np.array(data, dtype=kind))
        made.append(tensor)
    return made


def test_http_with_a_certificate(mutual):
    answer = mutual.http_client("client").infer("identity", all_inputs(tritonclient.http))
    assert answer.as_numpy("FP32_out").tolist() == [[1.5, -2.5]]


def test_grpc_with_a_certificate(mutual):
    answer = mutual.grpc_client("client").infer("identity", all_inputs(tritonclient.grpc))
    assert answer.as_numpy("FP32_out").tolist() == [[1.5, -2.5]]


def test_a_stranger_is_refused_but_may_ask_for_health(mutual):
    client = mutual.http_client("stranger")
    assert client.is_server_ready()
    with pytest.raises(InferenceServerException, match="certificate"):
        client.get_server_metadata()
    with pytest.raises(InferenceServerException):
        mutual.grpc_client("stranger").get_server_metadata()


def test_without_a_certificate_the_answer_is_401(mutual):
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"https://{mutual.http}/v2", context=mutual.context(None))
    assert error.value.code == 401
    assert list(json.load(error.value)) == ["error"]
