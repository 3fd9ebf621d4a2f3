"""Configurations: what is missing has a default, what is wrong is named by its key, and both at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from foresail_models import config
from foresail_models.config import Folder
from foresail_models.errors import ConfigError

from . import runs

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
def test_the_shipped_configurations_are_good(path):
    if "members" in path.read_text() or path.stem == "workload":
        pytest.skip("of another program")
    run = config.load(path, data={"from": "folder", "path": "x"})
    assert run.recipe.name == path.stem
    assert run.recipe.model == config.defaults()["families"][run.recipe.family]


def test_gaps_are_filled_and_names_with_dots_reach_into_blocks():
    run = config.parse(
        {
            "family": "gru",
            "hyperparameters": {"model.width": "32", "learning_rate": "0.01", "steps": "50", "augment": {"flip": 0.5}},
            "data": {"from": "operator", "windowHours": 48},
        },
        "web",
    )
    recipe = run.recipe
    assert (recipe.name, recipe.model["width"], recipe.learning_rate, recipe.steps) == ("web", 32, 0.01, 50)
    assert recipe.model["hidden"] == 128 and recipe.augment.flip == 0.5 and recipe.augment.mix == 0.2
    assert run.data.origin == "operator" and run.data.window_hours == 48
    assert run.resolved["steps"] == 50 and run.resolved["data"] == {"from": "operator", "windowHours": 48}


def test_the_command_line_wins(tmp_path):
    path = runs.write(tmp_path / "train.json", {"family": "linear", "steps": 5})
    run = config.load(path, steps=9, data={"from": "folder", "path": "d"})
    assert run.recipe.steps == 9 and run.data == Folder(Path("d"))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"family": "prophet"}, "family: 'prophet' is not one of bilstm, gru"),
        ({"hyperparameters": {"patiance": 3}}, "patiance: unknown key"),
        ({"hyperparameters": {"model.depth": 3}}, r"model \(family gru\).depth: unknown key"),
        ({"hyperparameters": {"model": {"width": 0}}}, "model.width: 0 is not within"),
        ({"hyperparameters": {"steps": "many"}}, "steps: 'many' is not a whole number"),
        ({"hyperparameters": {"steps": 1.5}}, "steps: 1.5 is not a whole number"),
        ({"hyperparameters": {"steps": True}}, "steps: True is not a whole number"),
        ({"hyperparameters": {"learning_rate": "nan"}}, "learning_rate: 'nan' is not a number"),
        ({"hyperparameters": {"learning_rate": 0}}, "learning_rate: 0 is not within"),
        ({"hyperparameters": {"batch": 100, "shards": 8}}, "batch: 100 is not a multiple of shards, 8"),
        ({"hyperparameters": {"precision": "int8"}}, "precision: 'int8' is not one of auto"),
        ({"hyperparameters": {"steps_s": []}}, "steps_s: "),
        ({"hyperparameters": {"augment": {"flop": 1}}}, "augment.flop: unknown key"),
        ({"hyperparameters": 3}, "hyperparameters: 3 is not a table"),
        ({"seed": -1}, "seed: -1 is not within"),
        ({"checkpoint": {"keep": 0}}, "checkpoint.keep: 0 is not within"),
        ({"checkpoint": {"every": 5}}, "checkpoint.every: unknown key"),
        ({"accelerator": "tpu"}, "accelerator: 'tpu' is not one of auto, cpu, cuda"),
        ({"data": {"from": "folder", "path": "x", "uri": "y"}}, "data.uri: unknown key"),
        ({"data": {"from": "moon"}}, "data.from: 'moon'"),
        ({"data": None}, "data: missing"),
        ({"split": {"train": 0.9}}, "split: "),
        ({"incumbent": {"file": "x"}}, "incumbent.file: unknown key"),
        ({"secret": 1}, "secret: unknown key"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    values = {"family": "gru", "data": {"from": "folder", "path": "x"}} | change
    with pytest.raises(ConfigError, match=f"^{message}"):
        config.parse(values, "small")


def test_a_wrong_key_is_told_without_pytorch(tmp_path):
    """Exit 78: the operator does not try again. PyTorch takes seconds to load, and is not needed to say so."""
    path = runs.write(tmp_path / "train.json", {"family": "gru", "data": {"from": "folder", "path": "x"}, "stepz": 1})
    code = f"""
import sys
from foresail_models import train
code = train.main(["--config", {str(path)!r}])
sys.exit(99 if "torch" in sys.modules else code)
"""
    done = subprocess.run([sys.executable, "-c", code], env=runs.environment(), capture_output=True, text=True)
    assert done.returncode == 78, done.stderr
    assert done.stderr.startswith("foresail-train: stepz: unknown key")
    (tmp_path / "torn.json").write_text('{"family": ')
    assert runs.finish(runs.start(tmp_path / "torn.json", tmp_path))[0] == 78
