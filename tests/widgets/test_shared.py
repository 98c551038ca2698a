"""Time, words, colours, numbers and formulas: what all views stand on."""

from __future__ import annotations

import gc
import json
import re
import weakref
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import labtorch_widgets as lab
import pytest
from labtorch_widgets.shared import colour, numbers, words
from labtorch_widgets.shared.cursor import TimeCursor, cursor_of, nearest
from labtorch_widgets.shared.formula import mathml
from labtorch_widgets.shared.view import STATIC

from tests.widgets import fake

SOURCES = Path(lab.__file__).parents[1] / "js" / "src"


class Watcher:
    def __init__(self) -> None:
        self.told: list[bool] = []

    def hear(self, *, now: bool) -> None:
        self.told.append(now)


def test_a_cursor_follows_the_newest_step_until_it_is_moved() -> None:
    program = fake.Program()
    cursor = TimeCursor(program.recording)
    assert cursor.step is None and cursor.look() is None
    program.step(), program.step()
    assert cursor.live and cursor.step == 1
    cursor.move(0)
    program.step()
    assert not cursor.live and cursor.step == 0
    cursor.shift(1)
    assert cursor.step == 1
    cursor.shift(99)
    assert cursor.step == 2
    cursor.move(None)
    assert cursor.live


def test_a_cursor_goes_to_the_nearest_step_that_is_kept() -> None:
    assert nearest([0, 10, 20], 14) == 10
    assert nearest([0, 10, 20], 15) == 10
    assert nearest([0, 10, 20], 16) == 20
    assert nearest([5], -3) == nearest([5], 99) == 5


def test_a_step_let_go_while_it_is_asked_for_is_replaced_by_its_neighbour() -> None:
    recording = fake.recorded(5)
    cursor = TimeCursor(recording)
    cursor.move(2)
    real = recording.snapshot

    def forgets(step: int = -1) -> Any:
        if step == 2:
            recording.kept.pop(2, None)
            raise LookupError("step 2 is not kept")
        return real(step)

    recording.snapshot = forgets  # type: ignore[method-assign]
    found = cursor.look()
    assert found is not None and found[0] == 1


def test_a_cursor_tells_its_watchers_and_keeps_none_alive() -> None:
    cursor, watcher = TimeCursor(fake.recorded(2)), Watcher()
    cursor.watch(watcher.hear)
    cursor.move(0)
    cursor.advance()
    assert watcher.told == [True, False]
    alive = weakref.ref(watcher)
    del watcher
    gc.collect()
    assert alive() is None
    cursor.move(1)


def test_views_of_one_recording_share_their_moment() -> None:
    recording = fake.recorded(3)
    first, second = lab.graph(recording), lab.graph(recording)
    assert first.cursor is second.cursor
    first.cursor.move(1)
    assert second.frame["time"]["shown"] == 1
    graph, snapshot = recording.graph(), recording.snapshot()
    assert cursor_of((graph, snapshot)).step == 2
    with pytest.raises(TypeError, match="cannot show a str"):
        lab.graph("model")


def test_both_languages_say_everything() -> None:
    english, chinese = words.CATALOGUE["en"], words.CATALOGUE["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        places = sorted(re.findall(r"{(\w+)}", text))
        assert sorted(re.findall(r"{(\w+)}", chinese[key])) == places, key


def test_no_word_is_missing_or_left_over() -> None:
    code = "".join(path.read_text() for path in SOURCES.rglob("*.ts"))
    code += "".join(path.read_text() for path in Path(lab.__file__).parent.rglob("*.py"))
    # keys put together at run time: `graph.kind.${kind}`, f"loss.{name}"
    built = tuple(re.findall(r"`([\w.]+\.)\$\{", code) + re.findall(r'f"([\w.]+\.)\{', code))
    unused = [
        key for key in words.CATALOGUE["en"] if f'"{key}"' not in code and not key.startswith(built)
    ]
    assert unused == []


def test_the_language_switches_views_that_are_open() -> None:
    view = lab.graph(fake.recorded(1))
    try:
        lab.language("zh-CN")
        assert view.language == "zh" and lab.language() == "zh"
    finally:
        lab.language("en")
    assert view.language == "en"
    with pytest.raises(ValueError, match="no language 'tlh'"):
        lab.language("tlh")
    assert lab.graph(fake.recorded(1), lang="zh").language == "zh"


def test_the_scale_is_orange_below_zero_and_blue_above() -> None:
    assert colour.signed(-2, 2) == "#f59322"
    assert colour.signed(0, 2) == "#e8eaeb"
    assert colour.signed(5, 2) == "#0877bd"
    assert colour.signed(1, 0) == "#e8eaeb"
    assert colour.symlog(0) == 0 and colour.symlog(1e9) == 1
    assert colour.symlog(-1e-3) == -colour.symlog(1e-3)
    assert 0 < colour.symlog(1e-5) < colour.symlog(1e-4)


def test_numbers_go_to_the_browser_as_json() -> None:
    data = numbers.plain({"a": [float("nan"), -float("inf"), 1 / 3, 7, None, True]})
    assert json.dumps(data, allow_nan=False) == '{"a": ["nan", "-inf", 0.33333, 7, null, true]}'


def test_numbers_are_written_as_people_read_them() -> None:
    assert numbers.spoken(-0.01234) == "−0.0123"
    assert numbers.spoken(1.5e-7) == "1.5e−7"
    assert numbers.spoken("nan") == "NaN" and numbers.spoken(float("inf")) == "∞"
    assert numbers.shape_text([64, 10]) == "64 × 10" and numbers.shape_text([]) == "()"


@pytest.mark.parametrize(
    "latex",
    [
        r"\bar W = \bar y^{\top} x",
        r"\bar{x} = \bar{y} \odot \begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}",
        r"\ell = \frac{1}{n} \sum_i (\hat y_i - y_i)^2",
        r"\mathrm{relu}(x) = \max(0, x)",
    ],
)
def test_formulas_become_mathml(latex: str) -> None:
    root = ET.fromstring(mathml(latex))
    assert root.tag.endswith("}math")
    assert not [leaf.text for leaf in root.iter() if leaf.text and "\\" in leaf.text]


def test_a_name_of_several_letters_is_one_identifier() -> None:
    assert ">relu<" in mathml(r"\mathrm{relu}(x)")


def test_a_formula_that_cannot_be_set_is_shown_as_text() -> None:
    assert "<script>" not in mathml(r"\begin{nowhere} <script>alert(1)</script>")


def test_bundles_stay_small_and_ask_the_network_for_nothing() -> None:
    scripts = sorted(STATIC.glob("*.js"))
    views = sorted(path.parent.name for path in SOURCES.glob("*/index.ts"))
    assert [path.stem for path in scripts] == views
    for path in scripts:
        text = path.read_text()
        assert len(text) < 150_000
        urls = set(re.findall(r"https?://[^\"'`\s)]+", text))
        assert urls <= {
            "http://www.w3.org/1998/Math/MathML",
            "http://www.w3.org/1999/xhtml",
            "http://www.w3.org/1999/xlink",
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/2000/xmlns/",
            "http://www.w3.org/XML/1998/namespace",
        }
