"""What a Jinja template uses: names, attribute chains, and whether it can be rendered at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Template:
    """What a string does when it is rendered.

    Args:
        chains: dotted names that it reads (`dag_run.conf`, `var.value.region`, `macros.datetime.now`), longest first.
        names: the variables that it needs from outside.
        error: why it cannot be rendered; None when it can.
        line: 1-based line of the error in the string.
    """

    chains: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    error: str | None = None
    line: int = 1


def is_template(text: str) -> bool:
    """Say whether a string has anything that Jinja would replace."""
    return "{{" in text or "{%" in text


@lru_cache(maxsize=4096)
def read_template(text: str) -> Template:
    """Read a template; one without anything to replace has no names."""
    if not is_template(text):
        return Template()
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        tree = Environment().parse(text)  # noqa: S701 - it is parsed, never rendered
    except TemplateSyntaxError as error:
        return Template(error=error.message, line=error.lineno)
    chains = set()
    for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Name)):
        if chain := _chain(node):
            chains.add(chain)
    # jinja2.meta would compile the template, and refuse the filters that Airflow adds
    loaded = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    stored = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    return Template(frozenset(chains), frozenset(loaded - stored))


def _chain(node: object) -> str | None:
    from jinja2 import nodes

    match node:
        case nodes.Name(name=name):
            return str(name)
        case nodes.Getattr(node=inner, attr=attr):
            base = _chain(inner)
            return f"{base}.{attr}" if base else None
        case nodes.Getitem(node=inner, arg=nodes.Const(value=key)):
            base = _chain(inner)
            return f"{base}.{key}" if base else None
        case nodes.Call(node=inner):
            base = _chain(inner)
            return f"{base}()" if base else None
    return None


def calls_in(text: str) -> list[tuple[str, str]]:
    """Return the calls in a template that take a constant: (`var.value.get`, `region`), (`conn.get`, `lake`)."""
    if not is_template(text):
        return []
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        tree = Environment().parse(text)  # noqa: S701 - it is parsed, never rendered
    except TemplateSyntaxError:
        return []
    found = []
    for node in tree.find_all(nodes.Call):
        if node.args and isinstance(node.args[0], nodes.Const) and (chain := _chain(node.node)):
            found.append((chain, str(node.args[0].value)))
    return found


SINGLE_BRACE = re.compile(
    r"(?<![{$\\])\{\s?(ds|ds_nodash|ts|ts_nodash|logical_date|data_interval_start|data_interval_end|run_id"
    r"|execution_date|next_ds|prev_ds|dag_run\.[a-z_.]+|params\.\w+|macros\.[\w.]+\(.*?\))\s?\}(?!\})"
)
"""One brace where Jinja needs two: `{ds}`, or `{ ds }` that an f-string has made of two."""


def keyword_calls_in(text: str, keyword: str, unless: str = "") -> list[tuple[str, str]]:
    """Return the calls in a template that take constants by a keyword: (`ti.xcom_pull`, `extract`)."""
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        tree = Environment().parse(text)  # noqa: S701 - it is parsed, never rendered
    except TemplateSyntaxError:
        return []
    found = []
    for node in tree.find_all(nodes.Call):
        given = {k.key: k.value for k in node.kwargs}
        value, chain = given.get(keyword), _chain(node.node)
        if chain is None or unless in given:
            continue
        for item in value.items if isinstance(value, nodes.List | nodes.Tuple) else [value]:
            if isinstance(item, nodes.Const) and isinstance(item.value, str):
                found.append((chain, item.value))
    return found
