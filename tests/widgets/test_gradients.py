"""Gradient flow and the doctor without a browser: rows, series, stills, words."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.gradients import sentences
from labtorch_widgets.gradients.history import COLUMNS, History
from labtorch_widgets.shared.words import CATALOGUE

from tests.widgets import fake


def test_rows_are_the_modules_in_order_of_depth() -> None:
    view = lab.gradients(fake.recorded(5))
    rows = view.frame["rows"]
    assert [(row["name"], row["type"]) for row in rows] == [("fc1", "Linear"), ("fc2", "Linear")]
    assert [part["name"] for part in rows[0]["parts"]] == ["weight", "bias"]
    parts = rows[0]["parts"]
    assert rows[0]["norm"] == pytest.approx(math.hypot(*(p["grad"] for p in parts)), rel=1e-4)
    view.show("activations")
    assert [row["type"] for row in view.frame["rows"]] == ["linear", "relu", "linear"]


def test_series_are_read_once_a_step_and_thinned_without_losing_a_spike() -> None:
    recording = fake.recorded(600)
    recording.kept[301]["rows"][1]["grad"]["norm"] = 1e9
    asked: list[int] = []
    plain = recording.snapshot
    recording.snapshot = lambda step=-1: asked.append(step) or plain(step)  # type: ignore
    history = History(recording)
    assert history.catch_up() and history.catch_up()
    assert sorted(asked) == recording.steps
    found = history.series("grad", 0)
    assert len(found["steps"]) <= COLUMNS and found["per"] == 3
    assert found["matrix"].max() == pytest.approx(1e9)
    window = history.series("grad", 50)
    assert window["steps"] == list(range(550, 600)) and window["matrix"].max() < 100


def test_a_distribution_has_all_of_its_elements_in_every_step() -> None:
    history = History(fake.recorded(20))
    history.catch_up()
    found = history.distribution("fc1", "weight", "grad", 0)
    assert found is not None and found["steps"] == list(range(20))
    np.testing.assert_allclose(found["matrix"].sum(0), 1, rtol=1e-5)
    assert history.distribution("no such layer", "weight", "grad", 0) is None


@pytest.mark.parametrize("make", [lab.gradients, lab.doctor])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_stills_are_svg_also_with_nothing_or_nan_in_them(make: Any, language: str) -> None:
    for recording in (fake.FakeRecording(), fake.recorded(4), fake.recorded(6, spoil=3)):
        view = make(recording, lang=language)
        ET.fromstring(view.still())
        assert repr(view).startswith(("GradientsView(", "DoctorView("))


def test_the_doctor_speaks_plain_text() -> None:
    view = lab.doctor(fake.recorded(6, spoil=3), lang="en")
    assert repr(view) == "DoctorView(nonfinite)"
    assert "The loss is NaN" in str(view) and "linear (fc2)" in str(view)
    assert "Nothing wrong found" in str(lab.doctor(fake.recorded(3), lang="en"))


@pytest.mark.parametrize(
    "message",
    [
        {"command": "what", "what": 7},
        {"command": "statistic", "statistic": None},
        {"command": "window", "steps": "x"},
        {"command": "open", "key": {}, "part": [], "of": 3},
        {"command": "open", "key": "gone"},
        {"command": "close", "more": 1},
    ],
)
def test_malformed_messages_change_nothing(message: dict[str, Any]) -> None:
    view = lab.gradients(fake.recorded(3))
    rows = view.frame["rows"]
    view._on_message(view, message, [])
    assert view.frame["rows"] == rows
    view.refresh(now=True)


CAUSES = (
    *("saturated", "sigmoid", "tanh", "small_weights", "large_weights"),
    *("shrinks", "grows"),
)


def test_every_finding_has_its_words() -> None:
    import re
    from pathlib import Path
    from typing import get_args

    from labtorch.observe import doctor

    files = Path(doctor.__file__).parent.glob("*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    said = set(re.findall(r'\bsay\(\s*"(\w+)"', source)) | {"dead", "dead_all"}
    said |= {f"because_{cause}" for cause in CAUSES}
    said |= {"vanishing", "exploding", "forgetting", "amplifying", "learning_rate_of"}
    said |= {"learning_rate", "detached", "no_grad", "not_differentiable", "not_in_loss"}
    for words in CATALOGUE.values():
        assert {f"doctor.kind.{kind}" for kind in get_args(doctor.Kind)} <= words.keys()
        assert {f"doctor.say.{key}" for key in said} <= words.keys()
        advised = set(re.findall(r'advice="(\w+)"', source))
        advised |= {f"because_{cause}" for cause in CAUSES[:5]}
        assert {f"doctor.advice.{key}" for key in advised} <= words.keys()
    assert sentences.shown("flat_share", 0.934) == "93 %"
