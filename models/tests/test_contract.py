"""The shipped file keeps the contract, and its card describes this very file."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import pytest

from foresail_models import contract, golden


def test_inputs_outputs_and_metadata(session, card):
    inputs = {i.name: (i.type, i.shape[1:]) for i in session.get_inputs()}
    assert inputs == {"context": ("tensor(float)", [512]), "seasonal": ("tensor(float)", [4, 128])}
    assert [(o.name, o.type, o.shape[1:]) for o in session.get_outputs()] == [("quantiles", "tensor(float)", [64, 13])]
    assert all(isinstance(i.shape[0], str) for i in session.get_inputs()), "the batch must be dynamic"
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata.pop(contract.GOLDEN_KEY)
    assert metadata == card["contract"]
    assert metadata["foresail.task"] == "forecast"
    assert metadata["foresail.name"] == "loadcast"
    assert json.loads(metadata["foresail.quantile_levels"]) == list(contract.QUANTILE_LEVELS)
    assert json.loads(metadata["foresail.season_lags_days"]) == [1, 2, 7, 14]


def test_graph_runs_on_older_runtimes(model_path):
    proto = onnx.load(model_path)
    assert [(o.domain, o.version) for o in proto.opset_import if o.domain == ""] == [("", 18)]
    assert {node.domain for node in proto.graph.node} <= {""}, "no operators outside the standard"
    assert not {"DFT", "STFT"} & {node.op_type for node in proto.graph.node}
    assert proto.ir_version <= 10
    assert not any(t.external_data for t in proto.graph.initializer), "one file holds everything"


def test_file_is_small_and_is_the_one_on_the_card(model_path, card):
    data = model_path.read_bytes()
    assert len(data) <= contract.MAX_FILE_BYTES
    assert hashlib.sha256(data).hexdigest() == card["sha256"]
    text = model_path.with_name("model-card.md").read_text()
    assert card["sha256"] in text
    assert "{{" not in text, "a field of the template was not filled"


def test_card_scores_beat_both_baselines(card):
    assert "nab_rest" not in [s["name"] for s in card["training"]["sources"]]
    for minutes in ("15", "60"):
        scores = card["evaluation"]["aggregate"]["traces"][minutes]
        assert scores["series"] >= 20
        wql = scores["relative_wql"]
        assert wql["model"] < min(1, *(v for k, v in wql.items() if k != "model"))


@pytest.mark.parametrize("carried", [False, True])
def test_golden_vectors(session, model_path, card, carried):
    """Those beside the file, and the few that travel in it."""
    if carried:
        text = session.get_modelmeta().custom_metadata_map[contract.GOLDEN_KEY]
        assert len(text) < 64 * 1024
        stored = json.loads(text)
        assert [case["name"] for case in stored["cases"]] == list(golden.EMBEDDED)
    else:
        stored = json.loads(model_path.with_name("golden.json").read_text())
        assert stored["modelSha256"] == card["sha256"]
        assert len(stored["cases"]) >= 5
    for case in stored["cases"]:
        context, seasonal = golden.from_json(case["context"]), golden.from_json(case["seasonal"])
        (got,) = session.run(None, {"context": context[None], "seasonal": seasonal[None]})
        expected = golden.from_json(case["quantiles"])
        largest = max(1e-9, *(np.nanmax(np.abs(a), initial=0) for a in (context, seasonal, expected)))
        np.testing.assert_allclose(got[0, case["steps"]], expected, atol=stored["tolerance"] * largest, rtol=0)


def test_the_command_that_adds_golden_vectors_changes_nothing_else(model_path, card, tmp_path):
    """From the file without them it makes the very file that ships, and from that one the same again."""
    proto = onnx.load(model_path)
    kept = [entry for entry in proto.metadata_props if entry.key != contract.GOLDEN_KEY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(kept)
    bare = proto.SerializeToString(deterministic=True)
    (tmp_path / "loadcast.onnx").write_bytes(bare)
    for name in ("model-card.json", "model-card.md"):
        text = model_path.with_name(name).read_text()
        (tmp_path / name).write_text(text.replace(card["sha256"], hashlib.sha256(bare).hexdigest()))
    for _ in range(2):
        assert golden.publish(tmp_path) == card["sha256"]
        for name in ("loadcast.onnx", "golden.json", "model-card.json", "model-card.md"):
            assert (tmp_path / name).read_bytes() == model_path.with_name(name).read_bytes()
    (tmp_path / "loadcast.onnx").write_bytes(bare + b"\x00")
    with pytest.raises(ValueError, match="is not the file"):
        golden.publish(tmp_path)
