"""What SQL text does to which table, as far as its words show it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from harness.checks.source.values import HOLE

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r"'(?:[^']|'')*'")
_JINJA = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_BLOCK = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_NAME = rf"((?:[\w${HOLE}]+|\"[^\"]+\"|`[^`]+`)(?:\.(?:[\w${HOLE}]+|\"[^\"]+\"|`[^`]+`))*)"
_VERBS = {
    "insert": rf"\binsert\s+into\s+(?:table\s+)?{_NAME}",
    "overwrite": rf"\binsert\s+overwrite\s+(?:table\s+)?{_NAME}",
    "merge": rf"\bmerge\s+into\s+{_NAME}",
    "delete": rf"\bdelete\s+from\s+(?:only\s+)?{_NAME}",
    "truncate": rf"\btruncate\s+(?:table\s+)?(?:only\s+)?{_NAME}",
    "update": rf"\bupdate\s+(?:only\s+)?{_NAME}\s+set\b",
    "create": r"\bcreate\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+|unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?"
    + _NAME,
    "drop": rf"\bdrop\s+table\s+(?:if\s+exists\s+)?{_NAME}",
    "copy": rf"\bcopy\s+(?:into\s+)?{_NAME}\b[^;]*?\bfrom\b",
    "read": rf"\b(?:from|join|using)\s+{_NAME}",
}
_PATTERNS = {verb: re.compile(pattern, re.IGNORECASE) for verb, pattern in _VERBS.items()}
_START = re.compile(
    r"\s*\(?\s*(insert|merge|delete|truncate|update|create|drop|copy|select|with|alter|replace|call|begin)\b(?=\s)",
    re.IGNORECASE,
)
_GUARD = re.compile(
    r"\bon\s+conflict\b|\bon\s+duplicate\s+key\b|\bnot\s+exists\b|\binsert\s+or\s+(?:replace|ignore)\b|\bexcept\b",
    re.IGNORECASE,
)
WRITES = ("insert", "overwrite", "merge", "delete", "truncate", "update", "create", "drop", "copy")


@dataclass(frozen=True)
class Statement:
    """One thing that SQL text does.

    Args:
        verb: insert, overwrite, merge, delete, truncate, update, create, drop, copy or read.
        table: as written, lower case, without quotes; parts that are not known are holes.
        guarded: an insert that says what to do with rows that are there already.
    """

    verb: str
    table: str
    guarded: bool = False


def is_sql(text: str) -> bool:
    """Say whether a string begins like a statement."""
    return bool(_START.match(_cleaned(text))) and len(text.split()) > 2


@lru_cache(maxsize=4096)
def statements(text: str) -> tuple[Statement, ...]:
    """Return what SQL text does, in the order of its statements."""
    found: list[Statement] = []
    for part in _cleaned(text).split(";"):
        guarded = bool(_GUARD.search(part))
        deleted = [m.span(1) for m in _PATTERNS["delete"].finditer(part)]
        for verb, pattern in _PATTERNS.items():
            for match in pattern.finditer(part):
                if verb == "read" and match.span(1) in deleted:
                    continue
                found.append(Statement(verb, match[1].replace('"', "").replace("`", "").lower(), guarded))
    return tuple(found)


def tables(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tables that SQL text reads, and those that it writes."""
    found = statements(text)
    local = set(re.findall(r"\b(\w+)\s+as\s*\(", text.lower()))
    reads = {s.table for s in found if s.verb == "read"} - local - _NOT_TABLES
    return frozenset(reads), frozenset(s.table for s in found if s.verb in WRITES)


def _cleaned(text: str) -> str:
    return _STRING.sub("''", _JINJA.sub(HOLE, _BLOCK.sub(" ", _COMMENT.sub(" ", text))))


_NOT_TABLES = {"unnest", "generate_series", "stdin", "values", "lateral", "select", "now", "dual"}
