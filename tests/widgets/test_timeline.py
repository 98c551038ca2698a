"""The op timeline without a browser: its bars are the recording's times."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.timeline.bars import bars

import labtorch as torch
from labtorch import nn, observe, optim
from tests.widgets import fake


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.body(x))


@pytest.fixture(scope="module")
def recording() -> Any:
    torch.manual_seed(0)
    model, criterion = Net(), nn.MSELoss()
    x, y = torch.randn(64, 6), torch.randn(64, 1)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    with observe.record(budget=1e9) as recording:
        for _ in range(12):
            sgd.zero_grad()
            criterion(model(x), y).backward()
            sgd.step()
    return recording


def test_every_timed_op_has_its_bar_with_its_times(recording: Any) -> None:
    view = lab.timeline(recording)
    rows = recording.snapshot()["rows"]
    drawn = {(bar[1], bar[3]): bar for bar in view.frame["bars"] if bar[0] == "op"}
    ops = [n for n in recording.graph()["nodes"] if n["kind"] == "op"]
    assert len(drawn) == 2 * len(ops)
    for node in ops:
        for phase in ("forward", "backward"):
            bar = drawn[node["id"], phase]
            assert bar[4] == pytest.approx(rows[node["id"]][f"{phase}_start"], rel=1e-5)
            assert bar[5] == pytest.approx(rows[node["id"]][f"{phase}_seconds"], rel=1e-5)


def test_bars_of_modules_hold_their_ops_and_gaps_fill_the_rest(recording: Any) -> None:
    graph, timings = recording.graph(), recording.timings()
    found = bars(graph, timings["rows"], timings["duration"])
    ops = [bar for bar in found if bar.kind == "op"]
    gaps = [bar for bar in found if bar.kind == "gap"]
    assert sum(b.seconds for b in ops + gaps) == pytest.approx(timings["duration"])
    body = next(s["id"] for s in graph["scopes"] if s["name"] == "body")
    inner = {s["id"] for s in graph["scopes"] if s["parent"] == body}
    over = next(b for b in found if (b.kind, b.of, b.phase) == ("scope", body, "forward"))
    for bar in ops:
        if graph["nodes"][bar.of]["scope"] in inner and bar.phase == "forward":
            assert over.start <= bar.start
            assert bar.start + bar.seconds <= over.start + over.seconds + 1e-12
    phases = [bar.phase for bar in found if bar.kind == "phase"]
    assert phases == ["forward", "backward", "rest"]


def test_two_backward_passes_in_a_step_are_two_phases() -> None:
    w = torch.randn(4, requires_grad=True)
    with observe.record(budget=1e9) as recording:
        w.exp().sum().backward()
        w.sin().sum().backward()
    found = bars(recording.graph(), recording.timings()["rows"], recording.timings()["duration"])
    phases = [bar.phase for bar in found if bar.kind == "phase"]
    assert phases == ["forward", "backward", "forward", "backward", "rest"]


@pytest.mark.parametrize("by", ["op", "module", "line", "call"])
def test_the_table_adds_up_to_all_ops(recording: Any, by: str) -> None:
    view = lab.timeline(recording)
    view.tabulate(by)
    rows = recording.snapshot()["rows"]
    total = sum((r["forward_seconds"] or 0) + (r["backward_seconds"] or 0) for r in rows)
    table = view.frame["table"]
    assert sum(row["total"] for row in table) == pytest.approx(total, rel=1e-3)
    assert [row["total"] for row in table] == sorted((r["total"] for r in table), reverse=True)
    assert sum(row["calls"] for row in table) == 6
    if by == "op":
        linear = next(row for row in table if row["label"] == "linear")
        assert linear["calls"] == 3 and linear["flops"] == 64 * (
            2 * 6 * 32 + 32 + 2 * 32 * 32 + 32 + 65
        )
    if by == "line":
        assert any("self.head(self.body(x))" in row["label"] for row in table)
    if by == "module":
        assert any(row["label"].endswith("body.0") for row in table)
    view.tabulate(None)
    assert view.frame["table"] is None


def test_medians_are_over_the_kept_steps(recording: Any) -> None:
    view = lab.timeline(recording)
    node = next(n["id"] for n in recording.graph()["nodes"] if n["name"] == "relu")
    view.open_node(node)
    seconds = [
        recording.snapshot(s)["rows"][node]["forward_seconds"]
        for s in recording.steps
        if recording.snapshot(s)["graph"] == recording.graph()["key"]
    ]
    assert view.frame["steps"] == len(seconds) > 5
    assert view.frame["usual"]["forward"][0] == pytest.approx(np.median(seconds), rel=1e-3)
    view.close_node()
    assert view.frame["usual"] is None


def test_memory_peaks_at_what_is_saved(recording: Any) -> None:
    memory = lab.timeline(recording).frame["memory"]
    sizes = [size for _, size in memory["stairs"]]
    assert memory["peak"]["bytes"] == max(sizes) and sizes[-1] == 0
    # the outputs of both activations, and what the loss keeps of the prediction
    assert max(sizes) >= 2 * 64 * 32 * 4
    assert sum(block["bytes"] for block in memory["blocks"]) == max(sizes)


def test_views_of_one_recording_rewind_together(recording: Any) -> None:
    view, other = lab.timeline(recording), lab.timeline(recording)
    view._on_message(None, {"command": "seek", "step": 4}, [])
    assert view.frame["time"]["shown"] == other.frame["time"]["shown"] == 4
    assert other.frame["duration"] == pytest.approx(recording.snapshot(4)["duration"], rel=1e-4)
    view.cursor.move(None)


def test_measuring_is_owned_up_to() -> None:
    w = torch.randn(4, requires_grad=True)
    with observe.record(budget=0) as recording:
        for _ in range(30):
            w.exp().sum().backward()
            observe.mark_step()
        recording.measure_next()
        w.exp().sum().backward()
        observe.mark_step()
    frame = lab.timeline(recording).frame
    assert 0 < frame["measuring"] < frame["duration"]
    kept = recording.steps
    assert len(kept) < 31 and frame["unmeasured"] > 0


@pytest.mark.parametrize(
    "message",
    [
        {"command": "open", "node": 10**6},
        {"command": "open", "node": "conv"},
        {"command": "open"},
        {"command": "table", "by": "colour"},
        {"command": "table", "by": []},
        {"command": "seek", "step": []},
    ],
)
def test_a_message_that_makes_no_sense_changes_nothing(recording: Any, message: Any) -> None:
    view = lab.timeline(recording)
    view._on_message(None, message, [])
    view.refresh(now=True)
    assert view.frame["bars"] and view.frame["table"] is None and view.frame["opened"] is None


def test_before_anything_is_recorded_it_says_so() -> None:
    with observe.record() as recording:
        pass
    view = lab.timeline(recording)
    assert view.frame["bars"] == [] and "when a step has been recorded" in view.still()


def test_a_step_that_failed_in_the_middle_shows_what_ran() -> None:
    w = torch.randn(4, requires_grad=True)
    with observe.record(budget=1e9) as recording, pytest.raises(RuntimeError):
        w.exp() @ torch.ones(7)
    frame = lab.timeline(recording).frame
    assert [bar[0] for bar in frame["bars"]].count("op") == 1


def test_a_single_step_and_a_file_can_be_shown(recording: Any, tmp_path: Any) -> None:
    snapshot = fake.recorded(2).snapshot()
    assert lab.timeline((fake.GRAPH, snapshot)).frame["bars"]
    recording.save(tmp_path / "r.gz")
    loaded = lab.timeline(observe.Recording.load(tmp_path / "r.gz"))
    assert loaded.frame["bars"] == lab.timeline(recording).frame["bars"]


def test_text_and_still_are_fit_for_a_notebook_without_a_kernel(recording: Any) -> None:
    view = lab.timeline(recording)
    data = view._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert data["text/plain"] == "TimelineView()"
    picture = data["image/svg+xml"]
    assert ET.fromstring(picture).tag.endswith("svg") and "backward" in picture
    json.dumps(view.frame, allow_nan=False)
