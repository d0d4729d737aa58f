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
    columns: list[list[str]] = []
    rows: dict[str, float] = {}
    for layer in nx.topological_generations(graph):
        # a task stands at the height of what is before it, so that edges seldom cross
        places = {task: _mean([rows[before] for before in graph.predecessors(task)]) for task in layer}
        columns.append(sorted(layer, key=lambda task: (places[task], task)))
        rows |= {task: row - len(layer) / 2 for row, task in enumerate(columns[-1])}
    return _drawn(graph.edges, columns)


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0


def _drawn(edges: Sequence[tuple[str, str]], columns: Sequence[Sequence[str]]) -> Layout:
    (width, height), (across, down) = BOX, GAP
    tallest = max(map(len, columns))
    corners: dict[str, tuple[float, float]] = {}
    for number, tasks in enumerate(columns):
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
