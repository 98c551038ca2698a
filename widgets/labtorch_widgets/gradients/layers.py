"""Which rows the view has: modules with parameters, and the activations between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Layer:
    """A row. `nodes` are its parameters by name, or the one op whose output it is."""

    key: str  # the same in every graph
    name: str
    type: str
    nodes: dict[str, int] = field(default_factory=dict)


class Layers:
    """The rows of one graph, each list in order of depth: the input's side first."""

    def __init__(self, graph: Any, activations: frozenset[str]) -> None:
        self.nodes, self.scopes = graph["nodes"], graph["scopes"]
        roots = [scope["name"] for scope in self.scopes if scope["parent"] is None]
        owners = [n["scope"] for n in self.nodes if n["kind"] == "parameter"]
        used = {self._root(scope) for scope in owners if scope is not None}
        self.several = len(used) > 1 and len(set(roots)) > 1  # models, whose paths may be equal
        self.parameters = self._parameters()
        self.activations = self._activations(activations)

    def _root(self, scope: int) -> int:
        while (parent := self.scopes[scope]["parent"]) is not None:
            scope = parent
        return scope

    def _prefix(self, scope: int | None) -> str:
        if scope is None or not self.several:
            return ""
        return self.scopes[self._root(scope)]["name"] + "."

    def _parameters(self) -> list[Layer]:
        found: dict[str, Layer] = {}
        for node in self.nodes:
            if node["kind"] != "parameter":
                continue
            scope = node["scope"]
            path, _, own = node["name"].rpartition(".")
            if scope is None:
                key, kind = node["name"], ""
            else:
                key, kind = self._prefix(scope) + path, self.scopes[scope]["type"]
            name = key or self.scopes[scope]["name"] if scope is not None else key
            layer = found.setdefault(key, Layer(key, name, kind))
            layer.nodes.setdefault(own, node["id"])
        return list(found.values())

    def _activations(self, names: frozenset[str]) -> list[Layer]:
        owners = {n["scope"] for n in self.nodes if n["kind"] == "parameter"}
        last = {n["scope"]: n["id"] for n in self.nodes if n["kind"] == "op"}
        found: list[Layer] = []
        count: dict[str, int] = {}
        for node in self.nodes:
            scope = node["scope"]
            ends = scope is not None and scope in owners and last[scope] == node["id"]
            if node["kind"] != "op" or not (ends or node["name"] in names):
                continue
            path = "" if scope is None else self.scopes[scope]["path"]
            leaf = scope is not None and all(s["parent"] != scope for s in self.scopes)
            name = self._prefix(scope) + (
                path if path and leaf else f"{path}.{node['name']}" if path else node["name"]
            )
            count[name] = count.get(name, 0) + 1
            if count[name] > 1:
                name = f"{name} #{count[name]}"
            found.append(Layer(name, name, node["name"], {"": node["id"]}))
        return found
