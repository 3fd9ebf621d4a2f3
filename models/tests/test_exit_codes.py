"""The operator tells by a number how a run ended: what it expects is what the errors here say."""

from __future__ import annotations

import re
from pathlib import Path

from foresail_models.errors import ConfigError, Fenced, Stopped, VolumeFull
from foresail_models.search.outage import Away

EXPECTED = Path(__file__).parents[2] / "operator" / "api" / "trainingjob" / "exit-codes.ts"


def test_the_operator_knows_how_a_run_ended():
    named = {"config": ConfigError, "away": Away, "stopped": Stopped, "fenced": Fenced, "full": VolumeFull}
    expected = {name: int(code) for name, code in re.findall(r"^  (\w+): (\d+),$", EXPECTED.read_text(), re.M)}
    assert expected == {name: error.exit_code for name, error in named.items()}
