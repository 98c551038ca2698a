"""What can be read off how a model is put together, and off its data."""

from __future__ import annotations

import math

from labtorch.observe.doctor.case import Case, position
from labtorch.observe.doctor.finding import Finding, Kind, report, say

FAR = 100.0  # mean or standard deviation of an input that ought to be normalised
FAR_TARGET = 30.0
FIRST_LOSS = 3.0  # times ln C, what guessing evenly among C classes costs


def structure(case: Case) -> list[Finding]:
    found = []
    for node in case.nodes:
        at = node["id"]
        if node["name"] in ("cross_entropy", "binary_cross_entropy_with_logits", "nll_loss"):
            before = case.origin(at)
            made = case.nodes[before]["name"]
            wrong = {
                "cross_entropy": "softmax",
                "nll_loss": "softmax",
                "binary_cross_entropy_with_logits": "sigmoid",
            }
            if made == wrong[node["name"]]:
                says = [say("softmax_twice", op=case.label(before), loss=node["name"])]
                key = "nll_loss" if node["name"] == "nll_loss" else "softmax_twice"
                path = case.path(before)
                more = {"node": before, "path": path, "worst": position(path, before)}
                more |= {"source": case.source(before), "advice": key}
                found.append(report("softmax_twice", "warning", says, **more))
            found += _first_loss(case, at)
        if node["name"] == "mse_loss":
            found += _far(case, at, "target", "target_scale", FAR_TARGET)
        elif case.has_weights[at]:
            found += _far(case, at, "input", "input_scale", FAR)
    return found


def _first_loss(case: Case, at: int) -> list[Finding]:
    """Before anything is learned, the loss should be that of guessing evenly."""
    loss = case.snapshot["loss"]
    shape = case.edge(case.into[at][0])["shape"]
    if case.nodes[at]["name"] != "cross_entropy" or len(shape) < 2 or shape[1] < 2:
        return []
    even = math.log(shape[1])
    if case.snapshot["step"] or loss is None or loss < FIRST_LOSS * even:
        return []
    says = [say("first_loss", loss=loss, even=even, classes=shape[1])]
    path = case.path(case.edge(case.into[at][0])["source"])
    more = {"node": at, "path": path, "source": case.source(at), "advice": "first_loss"}
    return [report("first_loss", "warning", says, **more)]


def _far(case: Case, node: int, argument: str, kind: Kind, far: float) -> list[Finding]:
    """Data that are far from the size of the numbers that a fresh model computes."""
    for at in case.into[node]:
        edge = case.edge(at)
        value = case.rows[edge["source"]]["value"]
        if edge["argument"] != argument or case.nodes[edge["source"]]["kind"] == "op":
            continue
        if value is None or not value["dtype"].startswith("float"):
            continue
        mean, std = value["mean"] or 0.0, value["std"] or 0.0
        if max(abs(mean), std) > far:
            name = case.label(edge["source"])
            says = [say(kind, name=name, mean=mean, std=std)]
            more = {"node": edge["source"], "source": case.source(node), "advice": kind}
            return [report(kind, "note", says, **more)]
    return []
