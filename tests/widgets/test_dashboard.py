"""The dashboard: the right views for a model, one moment for all, without a browser."""

from __future__ import annotations

import linecache
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import pytest
from labtorch_widgets.dashboard import fit

from tests.widgets import fake
from tests.widgets.models import HEAD, MODELS

pytestmark = pytest.mark.filterwarnings("error:.*stops watching:RuntimeWarning")


def program(name: str) -> dict[str, Any]:
    """What the program defines, as if it stood in a cell."""
    source, file = HEAD + MODELS[name], f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace: dict[str, Any] = {}
    exec(compile(source, file, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("name", MODELS)
def test_other_peoples_models_are_watched_with_one_line(name: str) -> None:
    cell = program(name)
    dashboard = lab.watch(cell["model"])
    losses = [cell["step"]() for _ in range(4)]
    assert dashboard.recording.step_count == 4
    assert [loss for _, loss in dashboard.recording.losses] == pytest.approx(losses, rel=1e-6)
    for view in (*(dashboard.view(each) for each in dashboard.opened), dashboard.bar):
        view.refresh(now=True)
        ET.fromstring(view.still())
    assert dashboard.bar.frame["step"] == dashboard.recording.steps[-1]  # 3, if it was measured
    for kind in fit.fitting(dashboard.names()):  # also those that are closed at first
        dashboard.show(kind)
        view = dashboard.view(kind)
        assert view.cursor is dashboard.cursor
        cell["step"]()
        view.refresh(now=True)
        ET.fromstring(view.still())
    dashboard.cursor.move(0)
    assert dashboard.bar.frame["step"] == 0
    dashboard.close()


def test_views_are_those_that_fit() -> None:
    assert "graph" in lab.watch(fake.recorded(2)).opened
    assert "graph" in fit.fitting(set())


def test_views_are_named_opened_and_closed() -> None:
    dashboard = lab.watch(fake.recorded(2), views=[])
    assert repr(dashboard) == "Dashboard()"
    dashboard.show("graph")
    assert repr(dashboard) == "Dashboard(graph)" and len(dashboard.children) == 2
    dashboard.hide("graph")
    with pytest.raises(LookupError, match="'graph' is not open"):
        dashboard.view("graph")
    with pytest.raises(ValueError, match="no view 'grpah': there are graph"):
        dashboard.show("grpah")
    with pytest.raises(TypeError, match="cannot show a int"):
        lab.watch(3)


def test_two_dashboards_of_one_model_share_the_moment_two_models_do_not() -> None:
    first, second = program("shared modules"), program("resnet")
    a, b, c = lab.watch(first["model"]), lab.watch(first["model"]), lab.watch(second["model"])
    assert a.cursor is b.cursor and a.cursor is not c.cursor
    for _ in range(3):
        first["step"](), second["step"]()
    a.cursor.move(1)
    assert (b.bar.frame["step"], c.cursor.step) == (1, 2)
    assert {n["name"] for n in c.recording.graph()["nodes"]} >= {"conv2d", "batch_norm"}
    assert "conv2d" not in {n["name"] for n in a.recording.graph()["nodes"]}


def test_what_a_page_sends_is_checked() -> None:
    dashboard = lab.watch(fake.recorded(2))
    told: list[Any] = []
    dashboard.bar.send = lambda content, *_: told.append(content)
    for content in (
        None, 3, {}, {"command": 5}, {"command": "nothing"}, {"command": "show"},
        {"command": "show", "name": "<b>", "open": True}, {"command": "show", "x": 1},
        {"command": "language", "code": "tlh"}, {"command": "seek", "step": "x"},
        {"command": "drawn", "serial": None},
    ):  # fmt: skip
        dashboard.bar._on_message(None, content, [])
    assert [each["answer"] for each in told] == ["show", "show", "show", "language", "seek"]
    assert all(each["complaint"] for each in told)
    assert dashboard.opened and dashboard.bar.cursor.live
