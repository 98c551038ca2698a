"""Which nodes, modules and edges of a graph are to be seen, given which modules are open.

Everything seen has a *key* made of its module path and its place among its like, not of its
position in the graph: a node keeps its key when a module opens and when the next step builds a
different graph, so that the browser can tell a move from a change.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Item:
    """Something drawn as a box: a node, or a closed module standing for all it holds."""

    key: str
    kind: str  # a node's kind, or "scope"
    title: str
    parent: str | None  # key of the open module around it
    node: int | None  # the node whose numbers it shows
    type: str = ""
    operations: int = 0
    parameters: int = 0
    level: int = 0


@dataclass
class Group:
    """An open module, drawn as a frame around its content."""

    key: str
    title: str
    type: str
    parent: str | None
    operations: int
    parameters: int


@dataclass
class Link:
    """All tensors that flow between two items; one that is used twice counts once."""

    source: str
    target: str
    shapes: list[list[int]] = field(default_factory=list)
    dtypes: set[str] = field(default_factory=set)
    arguments: list[str] = field(default_factory=list)
    tensors: set[tuple[int, int]] = field(default_factory=set)


@dataclass
class Folded:
    """What is seen. `owner` maps each node of the graph to the key of the item that shows it."""

    items: list[Item]
    groups: list[Group]
    links: list[Link]
    owner: list[str]


class Outline:
    """A graph with its module tree worked out: keys, levels, and what each module holds."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.nodes, self.edges = graph["nodes"], graph["edges"]
        self.scopes = graph["scopes"]
        self.homes = self._homes()
        self.scope_keys = self._scope_keys()
        self.index = {key: i for i, key in enumerate(self.scope_keys)}
        self.node_keys = self._node_keys()
        self.levels = [len(self._chain(scope["id"])) - 1 for scope in self.scopes]
        self.deepest = max(self.levels, default=-1) + 1
        self._count()

    def fold(self, depth: int, toggled: dict[str, bool]) -> Folded:
        """What is seen with modules open down to `depth`, save those that `toggled` decides."""
        opened = [
            toggled.get(key, level < depth)
            for key, level in zip(self.scope_keys, self.levels, strict=True)
        ]
        owner: list[str] = []
        items: dict[str, Item] = {}
        shown: set[int] = set()
        for node in self.nodes:
            chain = self._chain(self.homes[node["id"]])
            closed = next((scope for scope in chain if not opened[scope]), None)
            shown.update(chain[: chain.index(closed)] if closed is not None else chain)
            if closed is None:
                item = self._node_item(node, chain)
            else:
                item = self._scope_item(closed)
            items.setdefault(item.key, item)
            owner.append(item.key)
        return Folded(
            list(items.values()),
            [self._group(scope) for scope in sorted(shown)],
            self._links(owner),
            owner,
        )

    def path(self, node: int) -> list[Any]:
        """The modules around a node, outermost first."""
        return [self.scopes[i] for i in self._chain(self.homes[node])]

    # The module tree

    def _chain(self, scope: int | None) -> list[int]:
        chain: list[int] = []
        while scope is not None:
            chain.append(scope)
            scope = self.scopes[scope]["parent"]
        return chain[::-1]

    def _homes(self) -> list[int | None]:
        """Each node's module; a tensor that came from nowhere lives with those that use it."""
        homes: list[int | None] = [node["scope"] for node in self.nodes]
        users: dict[int, list[int]] = defaultdict(list)
        for edge in self.edges:
            users[edge["source"]].append(edge["target"])
        for node in self.nodes:
            if node["kind"] in ("op", "input") or homes[node["id"]] is not None:
                continue
            chains = [self._chain(homes[user]) for user in users[node["id"]]]
            common = None
            for levels in zip(*chains, strict=False):
                if len(set(levels)) > 1:
                    break
                common = levels[0]
            homes[node["id"]] = common
        return homes

    def _scope_keys(self) -> list[str]:
        keys: list[str] = []
        seen: Counter[str] = Counter()
        for scope in self.scopes:  # parents come before their children: they are entered first
            parent = keys[scope["parent"]] if scope["parent"] is not None else ""
            key = f"{parent}/{scope['name']}"
            seen[key] += 1
            keys.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
        return keys

    def _node_keys(self) -> list[str]:
        keys: list[str] = []
        seen: Counter[str] = Counter()
        for node in self.nodes:
            home = self.homes[node["id"]]
            where = self.scope_keys[home] if home is not None else ""
            key = f"{where}:{node['kind']}:{node['name']}"
            seen[key] += 1
            keys.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
        return keys

    def _count(self) -> None:
        self.operations: Counter[int] = Counter()
        self.parameters: Counter[int] = Counter()
        self.outputs: dict[int, int] = {}
        for node in self.nodes:
            for scope in self._chain(self.homes[node["id"]]):
                if node["kind"] == "op":
                    self.operations[scope] += 1
                    self.outputs[scope] = node["id"]  # the last op is what the module returns
                elif node["kind"] == "parameter":
                    self.parameters[scope] += math.prod(node["shape"])

    # What is drawn

    def _node_item(self, node: Any, chain: list[int]) -> Item:
        parent = self.scope_keys[chain[-1]] if chain else None
        title = node["name"] or node["kind"]
        path = self.scopes[chain[-1]]["path"] if chain else ""
        if node["kind"] in ("parameter", "buffer") and path and title.startswith(path + "."):
            title = title[len(path) + 1 :]
        key = self.node_keys[node["id"]]
        return Item(key, node["kind"], title, parent, node["id"], level=len(chain))

    def _scope_item(self, scope: int) -> Item:
        group = self._group(scope)
        return Item(
            group.key,
            "scope",
            group.title,
            group.parent,
            self.outputs.get(scope),
            group.type,
            group.operations,
            group.parameters,
            self.levels[scope],
        )

    def _group(self, scope: int) -> Group:
        parent = self.scopes[scope]["parent"]
        return Group(
            self.scope_keys[scope],
            self.scopes[scope]["name"],
            self.scopes[scope]["type"],
            self.scope_keys[parent] if parent is not None else None,
            self.operations[scope],
            self.parameters[scope],
        )

    def _links(self, owner: list[str]) -> list[Link]:
        links: dict[tuple[str, str], Link] = {}
        for edge in self.edges:
            ends = owner[edge["source"]], owner[edge["target"]]
            if ends[0] == ends[1]:
                continue
            link = links.setdefault(ends, Link(*ends))
            link.arguments.append(edge["argument"])
            tensor = edge["source"], edge["output"]
            if tensor not in link.tensors:
                link.tensors.add(tensor)
                link.shapes.append(list(edge["shape"]))
                link.dtypes.add(edge["dtype"])
        return list(links.values())
