"""Which nodes, modules and edges of a graph are to be seen, given which of its regions are open.

Everything seen has a *key* made of its module path and its place among its like, not of its
position in the graph: a node keeps its key when a module opens and when the next step builds a
different graph, so that the browser can tell a move from a change.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from .regions import Tree


@dataclass
class Item:
    """Something drawn as a box: a node, or a closed region standing for all it holds."""

    key: str
    kind: str  # a node's kind, or "scope"
    title: str
    parent: str | None  # key of the open region around it
    node: int | None  # the node whose numbers it shows
    type: str = ""
    operations: int = 0
    parameters: int = 0
    level: int = 0
    times: int = 0  # of a closed repeat
    region: int | None = None  # of a closed region: its number


@dataclass
class Group:
    """An open region, drawn as a frame around its content."""

    key: str
    title: str
    type: str
    parent: str | None
    operations: int
    parameters: int
    times: int = 0


@dataclass
class Link:
    """All tensors that flow between two items; one that is used twice counts once."""

    source: str
    target: str
    shapes: list[list[int]] = field(default_factory=list)
    dtypes: set[str] = field(default_factory=set)
    arguments: list[str] = field(default_factory=list)
    tensors: set[tuple[int, int]] = field(default_factory=set)

    def add(self, edge: Any) -> None:
        self.arguments.append(edge["argument"])
        tensor = edge["source"], edge["output"]
        if tensor not in self.tensors:
            self.tensors.add(tensor)
            self.shapes.append(list(edge["shape"]))
            self.dtypes.add(edge["dtype"])


@dataclass
class Folded:
    """What is seen. `owner` maps each node of the graph to the key of the item that shows it."""

    items: list[Item]
    groups: list[Group]
    links: list[Link]
    owner: list[str]


class Outline:
    """A graph with its tree of regions worked out: keys, levels, and what each region holds."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.nodes, self.edges = graph["nodes"], graph["edges"]
        self.scopes = graph["scopes"]
        self._scope_chains = self._chains_of_scopes()
        self.homes = self._homes()
        self.scope_keys = self._scope_keys()
        self.node_keys = self._node_keys()
        self.tree = Tree(graph, self.homes, self.scope_keys)
        self.regions = self.tree.regions
        self.index = {region.key: i for i, region in enumerate(self.regions)}
        self.position = {key: i for i, key in enumerate(self.node_keys)}
        self.levels = [
            sum(self.regions[each].kind == "module" for each in self.tree.chain(number)) - 1
            for number in range(len(self.regions))
        ]
        modules = (lv for lv, each in zip(self.levels, self.regions) if each.kind == "module")
        self.deepest = max(modules, default=-1) + 1
        self._count()

    def is_open(self, region: int, depth: int, toggled: dict[str, bool]) -> bool:
        """Modules open level by level; repeats and parts one by one, when asked for."""
        found = self.regions[region]
        default = found.kind == "module" and self.levels[region] < depth
        return toggled.get(found.key, default)

    def fold(self, depth: int, toggled: dict[str, bool]) -> Folded:
        """What is seen with modules open down to `depth`, save what `toggled` decides."""
        closed: dict[int, int | None] = {}  # the outermost closed region around each
        for chain in sorted(self.tree.chains, key=len):
            outer = closed[chain[-2]] if len(chain) > 1 else None
            closes = outer is None and not self.is_open(chain[-1], depth, toggled)
            closed[chain[-1]] = chain[-1] if closes else outer
        owner: list[str] = []
        items: dict[str, Item] = {}
        shown: set[int] = set()
        for node in self.nodes:
            place = self.tree.place[node["id"]]
            shut = None if place is None else closed[place]
            item = items.get(self.node_keys[node["id"]] if shut is None else self.regions[shut].key)
            if item is None:
                chain = self.tree.chain(place)
                shown.update(chain[: chain.index(shut)] if shut is not None else chain)
                item = self._node_item(node, chain) if shut is None else self._region_item(shut)
                items[item.key] = item
            owner.append(item.key)
        return Folded(
            list(items.values()),
            [self._group(each) for each in sorted(shown, key=self._outermost_first)],
            self._links(owner, items),
            owner,
        )

    def path(self, node: int) -> list[Any]:
        """The modules around a node, outermost first."""
        return [self.scopes[i] for i in self._scope_chain(self.homes[node])]

    def around(self, node: int) -> list[int]:
        """The regions around a node, outermost first."""
        return self.tree.chain(self.tree.place[node])

    # The module tree

    def _chains_of_scopes(self) -> list[list[int]]:
        chains: list[list[int]] = []
        for scope in self.scopes:  # parents come before their children: they are entered first
            parent = scope["parent"]
            chains.append([*(chains[parent] if parent is not None else ()), scope["id"]])
        return chains

    def _scope_chain(self, scope: int | None) -> list[int]:
        return [] if scope is None else self._scope_chains[scope]

    def _homes(self) -> list[int | None]:
        """Each node's module; a tensor that came from nowhere lives with those that use it."""
        homes: list[int | None] = [node["scope"] for node in self.nodes]
        users: dict[int, list[int]] = defaultdict(list)
        for edge in self.edges:
            users[edge["source"]].append(edge["target"])
        for node in self.nodes:
            if node["kind"] in ("op", "input") or homes[node["id"]] is not None:
                continue
            chains = [self._scope_chain(homes[user]) for user in users[node["id"]]]
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
        for scope in self.scopes:
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
            for region in self.around(node["id"]):
                if node["kind"] == "op":
                    self.operations[region] += 1
                    self.outputs[region] = node["id"]  # the last op is what a module returns
                elif node["kind"] == "parameter":
                    self.parameters[region] += math.prod(node["shape"])

    # What is drawn

    def _outermost_first(self, region: int) -> tuple[int, int]:
        return len(self.tree.chain(region)), region

    def _node_item(self, node: Any, chain: list[int]) -> Item:
        parent = self.regions[chain[-1]].key if chain else None
        title = node["name"] or node["kind"]
        if node["kind"] in ("parameter", "buffer"):
            home = self.homes[node["id"]]
            path = "" if home is None else self.scopes[home]["path"]
            if path and title.startswith(path + "."):
                title = title[len(path) + 1 :]
        key = self.node_keys[node["id"]]
        return Item(key, node["kind"], title, parent, node["id"], level=len(chain))

    def _region_item(self, region: int) -> Item:
        group = self._group(region)
        return Item(
            group.key,
            "scope",
            group.title,
            group.parent,
            self.outputs.get(region),
            group.type,
            group.operations,
            group.parameters,
            self.levels[region],
            group.times,
            region,
        )

    def _group(self, region: int) -> Group:
        found = self.regions[region]
        return Group(
            found.key,
            found.title,
            found.type,
            self.regions[found.parent].key if found.parent is not None else None,
            self.operations[region],
            self.parameters[region],
            found.times,
        )

    def _links(self, owner: list[str], items: dict[str, Item]) -> list[Link]:
        links: dict[tuple[str, str], Link] = {}
        for edge in self.edges:
            ends = owner[edge["source"]], owner[edge["target"]]
            if ends[0] != ends[1]:
                links.setdefault(ends, Link(*ends)).add(edge)
        for item in items.values():
            if item.region is not None:
                for edge in self.regions[item.region].loop:  # what flows from time to time
                    ends = item.key, item.key
                    links.setdefault(ends, Link(*ends)).add(edge)
        return list(links.values())
