"""Places the tasks of a DAG on a page: a column for each step of the order, edges from left to right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

BOX = (150, 26)
"""Width and height of a task, in pixels."""
GAP = (50, 12)


class Node(NamedTuple):
    """One task on the page; `x` and `y` are its upper left corner."""

    name: str
    label: str
    x: float
    y: float


class Layout(NamedTuple):
    """A graph on the page: boxes, and the paths of its edges as SVG writes them."""

    nodes: tuple[Node, ...]
    edges: tuple[str, ...]
    width: float
    height: float


def layout(upstream: Mapping[str, Sequence[str]]) -> Layout:
    """Lay out a DAG by its topological generations.

    Args:
        upstream: task -> the tasks right before it.
    """
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(upstream)
    graph.add_edges_from((before, task) for task, those in upstream.items() for before in those if before in upstream)
    if not upstream or not nx.is_directed_acyclic_graph(graph):
        return Layout((), (), 0, 0)
    for number, layer in enumerate(nx.topological_generations(graph)):
        for task in layer:
            graph.nodes[task]["layer"] = number
    places = nx.multipartite_layout(graph, subset_key="layer", align="vertical")
    columns: dict[int, list[str]] = {}
    for task in sorted(graph, key=lambda task: (places[task][1], task)):
        columns.setdefault(graph.nodes[task]["layer"], []).append(task)
    return _drawn(graph.edges, columns)


def _drawn(edges: Sequence[tuple[str, str]], columns: Mapping[int, Sequence[str]]) -> Layout:
    (width, height), (across, down) = BOX, GAP
    tallest = max(map(len, columns.values()))
    corners: dict[str, tuple[float, float]] = {}
    for number, tasks in columns.items():
        above = (tallest - len(tasks)) * (height + down) / 2
        for row, task in enumerate(tasks):
            corners[task] = (number * (width + across) + 1, above + row * (height + down) + 1)
    paths = []
    for before, after in edges:
        (x1, y1), (x2, y2) = corners[before], corners[after]
        x1, y1, y2 = x1 + width, y1 + height / 2, y2 + height / 2
        middle = (x1 + x2) / 2
        paths.append(f"M{x1:g} {y1:g} C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}")
    nodes = tuple(Node(task, _short(task), x, y) for task, (x, y) in corners.items())
    total = (len(columns) * (width + across) - across + 2, tallest * (height + down) - down + 2)
    return Layout(nodes, tuple(paths), *total)


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:10]}…{name[-11:]}"
