"""A run's pod speaks HTTPS to the operator's own face: what it knows the operator by, and whom it tells nothing."""

from __future__ import annotations

import ssl
import subprocess
import urllib.error
from pathlib import Path

import pytest

from foresail_models.dataset import Control, DataConfig, Unavailable, http
from foresail_models.dataset.operator import OperatorOrigin
from foresail_models.errors import ConfigError
from foresail_models.reports import Reports

ROOT = Path(__file__).parents[2]
FACE = ROOT / "operator" / "training" / "testing" / "https-face.ts"
PROGRESS = {"step": 1, "total": 2, "rank": 0, "workers": 1, "loss": 0.5, "score": None, "device": "cpu"}


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    folder = tmp_path_factory.mktemp("face")
    command = [ROOT / "node_modules" / ".bin" / "node", FACE, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process.stdout.readline().strip(), folder
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.fixture
def control(face):
    url, folder = face

    def control(ca):
        env = {"FORESAIL_CONTROL_URL": url, "FORESAIL_TOKEN_FILE": str(folder / "token")}
        return Control.from_env(env | ({} if ca is None else {"FORESAIL_CA_FILE": str(folder / ca)}))

    return control


def at_once():
    """Patience that ends with the first try."""
    return http.Waiting(patience_s=0.0)


def test_an_operator_that_an_authority_of_the_file_has_signed_gives_data_and_takes_reports(control):
    known = control("ca.crt")
    (listed,) = OperatorOrigin(known, DataConfig.parse({"from": "operator"}), at_once()).listing()
    assert listed.label == "shop/web/rps"
    assert Reports(known, None)._post("progress", PROGRESS)


@pytest.mark.parametrize("ca", [None, "other.crt"])
def test_any_other_gets_neither_token_nor_report(control, ca):
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        OperatorOrigin(control(ca), DataConfig.parse({"from": "operator"}), at_once())
    with pytest.raises(urllib.error.URLError) as failed:
        Reports(control(ca), None)._post("progress", PROGRESS)
    assert isinstance(failed.value.reason, ssl.SSLCertVerificationError)


@pytest.mark.parametrize("ca", ["token", "missing.crt"])
def test_a_file_without_authorities_is_named(control, ca):
    with pytest.raises(ConfigError, match=f"FORESAIL_CA_FILE: .*{ca}"):
        OperatorOrigin(control(ca), DataConfig.parse({"from": "operator"}), at_once())
