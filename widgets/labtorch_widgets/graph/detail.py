"""All that is known of one node: what it computes, how it differentiates, who wrote it."""

from __future__ import annotations

from typing import Any

from ..shared.formula import mathml
from ..shared.numbers import plain
from .fold import Outline


def describe(outline: Outline, node_id: int) -> dict[str, Any]:
    """The part of a node's pane that stays the same from step to step."""
    node = outline.nodes[node_id]
    return {
        "key": outline.node_keys[node_id],
        "name": node["name"] or node["kind"],
        "kind": node["kind"],
        "function": node["function"],
        "modules": [
            {"name": scope["name"], "type": scope["type"]} for scope in outline.path(node_id)
        ],
        "shape": list(node["shape"]),
        "dtype": node["dtype"],
        "device": node["device"],
        "requiresGrad": node["requires_grad"],
        "inputs": [
            {
                "argument": edge["argument"],
                "from": outline.nodes[edge["source"]]["name"],
                "shape": list(edge["shape"]),
            }
            for edge in outline.edges
            if edge["target"] == node_id
        ],
        "arguments": [
            {"name": name, "value": repr(value) if isinstance(value, str) else str(plain(value))}
            for name, value in node["arguments"].items()
        ],
        "formula": _formula(node["formula"]),
        "vjps": [
            {"input": vjp["input"], "formula": _formula(vjp["formula"])} for vjp in node["vjps"]
        ],
        "saved": [dict(saved) for saved in node["saved"]],
        "source": dict(node["source"]) if node["source"] else None,
    }


def _formula(latex: str) -> dict[str, str] | None:
    return {"latex": latex, "mathml": mathml(latex)} if latex else None


def measures(row: Any) -> dict[str, Any]:
    """The part of a node's pane that each step changes."""
    return plain(
        {
            "value": row["value"],
            "grad": row["grad"],
            "forwardSeconds": row["forward_seconds"],
            "backwardSeconds": row["backward_seconds"],
        }
    )


def glance(row: Any) -> dict[str, Any]:
    """What a box shows of its node: a few numbers of its value and of its gradient."""
    return {"value": _moments(row["value"]), "grad": _moments(row["grad"])}


def _moments(summary: Any) -> dict[str, Any] | None:
    if summary is None:
        return None
    moments = {name: summary[name] for name in ("mean", "std", "min", "max", "norm")}
    moments |= {"nan": summary["nan"], "inf": summary["inf"]}
    moments["single"] = all(size == 1 for size in summary["shape"])
    return plain(moments, digits=4)
