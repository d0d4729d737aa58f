"""Findings that a comment in the file hides, and why: `# harness: ignore[DAG301] the upstream has no history`.

`# harness: ignore DAG301 - reason` says the same. The comment counts for its own line; for a statement of several
lines, anywhere on its first or last line; alone on a line, for the next one.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

from harness.models.base import Frozen

_COMMENT = re.compile(
    r"#\s*harness:\s*ignore\b\s*(?:\[(?P<listed>[^\]]*)\]|(?P<plain>(?:[A-Z]{2,}\d{3}\s*,?\s*)+))?(?P<reason>.*)$"
)
_ID = re.compile(r"[A-Z]{2,}\d{3}")


class Suppression(Frozen):
    """One comment that hides findings.

    Args:
        line: of the comment.
        target: line whose findings it hides.
        rules: ids that it names; empty for a bare ignore, which hides nothing.
        reason: the words after them; empty when there are none.
    """

    line: int
    target: int
    rules: tuple[str, ...]
    reason: str


def suppressions(text: str) -> list[Suppression]:
    """Return the suppression comments of a file; none when it cannot be read as Python."""
    if "harness:" not in text:
        return []
    try:
        return list(_read(text))
    except (tokenize.TokenError, SyntaxError):
        return []


def _read(text: str) -> Iterator[Suppression]:
    code_lines: set[int] = set()
    found: list[tuple[int, re.Match[str]]] = []
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (match := _COMMENT.match(token.string)):
            found.append((token.start[0], match))
        elif token.type not in silent:
            code_lines.update(range(token.start[0], token.end[0] + 1))
    for line, match in found:
        alone = line not in code_lines
        target = min((n for n in code_lines if n > line), default=line) if alone else line
        rules = tuple(_ID.findall(match["listed"] or match["plain"] or ""))
        reason = match["reason"].strip(" \t-:\N{EN DASH}\N{EM DASH}")
        words = reason if re.search(r"\w", reason) else ""
        yield Suppression(line=line, target=target, rules=rules, reason=words)
