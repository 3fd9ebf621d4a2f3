"""The ranking of inputs finds what a model was made to look at."""

from __future__ import annotations

import json

import numpy as np
import pytest

from foresail_models import contract, importance

from . import generated
from .test_evaluate import folder as folder  # noqa: PLC0414 - a fixture


def test_parts_are_the_whole_input_once():
    seen = {"context": np.zeros((1, 512)), "seasonal": np.zeros((1, 4, 128))}
    for part in importance.parts():
        seen[part.tensor][part.index] += 1
    assert all((count == 1).all() for count in seen.values())


def test_an_exchange_moves_only_its_part_and_keeps_the_newest_value(rng):
    feed = generated.batch(rng, 6)
    last = rng.normal(size=(6, 1)).astype(np.float32)
    scale = np.ones((6, 1), np.float32) * 2
    every = importance.groups(importance.parts())
    other = np.array([1, 2, 3, 4, 5, 0])
    changed = importance.exchanged(feed, every["1 day ago"], last, scale, other)
    np.testing.assert_array_equal(changed["context"], feed["context"])
    np.testing.assert_array_equal(changed["seasonal"][:, 1:], feed["seasonal"][:, 1:])
    known = np.isfinite(feed["seasonal"][other, 0])
    np.testing.assert_array_equal(np.isfinite(changed["seasonal"][:, 0]), known)
    changed = importance.exchanged(feed, every["whole context"], last, scale, other)
    np.testing.assert_array_equal(changed["context"][:, -1], feed["context"][:, -1])
    same = importance.exchanged(feed, every["all seasons"], last, scale, np.arange(6))
    np.testing.assert_allclose(same["seasonal"], feed["seasonal"], rtol=1e-3, atol=1e-3 * np.nanmax(np.abs(feed["seasonal"])))


def test_a_daily_series_rests_on_its_seasons(model_path, folder):
    report = importance.measure(model_path, folder, count=60)
    assert report["series"] == 3, "a trace and two panel columns; short and constant ones are left out"
    ratio = report["wql_ratio"]
    assert ratio["all seasons"]["exchanged_60"] > 1.1
    assert ratio["whole context"]["hidden_15"] > 1.0
    assert ratio["all seasons"]["exchanged_60"] > ratio["context, steps 257 to 512 back"]["exchanged_60"]


def test_a_card_keeps_one_section(tmp_path):
    report = {"command": "c", "series": 1, "windows_per_series": 2, "wql_ratio": {"part": {"exchanged_15": 1.5}}}
    (tmp_path / "model-card.json").write_text('{"name": "x"}')
    (tmp_path / "model-card.md").write_text("# x\n\n## Limits\n- none\n")
    for _ in range(2):
        importance.into_card(tmp_path, report)
    text = (tmp_path / "model-card.md").read_text()
    assert text.count("What the forecasts rest on") == 1
    assert "| part | 1.500 | - | - | - |" in text
    assert text.endswith("## Limits\n- none\n")
    assert json.loads((tmp_path / "model-card.json").read_text()) == {"name": "x", "importance": report}
    (tmp_path / "model-card.md").write_text("# x\n")
    with pytest.raises(ValueError, match="Limits"):
        importance.into_card(tmp_path, report)


def test_a_graph_without_its_normalisation_is_refused(tmp_path, model_path):
    import onnx

    proto = onnx.load(model_path)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == contract.TENSOR_SCALE:
                    names[i] = "other"
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match=contract.TENSOR_SCALE):
        importance.Graph(tmp_path / "m.onnx")


def test_the_shipped_card_has_it(card, model_path):
    ratios = card["importance"]["wql_ratio"]
    assert set(ratios) == set(importance.groups(importance.parts()))
    assert importance.table(card["importance"]) in model_path.with_name("model-card.md").read_text()
