"""Changes of a file's text that a repair consists of: an argument added, renamed or left out."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass

from harness.checks.source.file import SourceFile

_SILENT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """One change: the characters from `start` up to `end` become `text`."""

    start: int
    end: int
    text: str


Edits = tuple[Edit, ...]


class Places:
    """The lines of a text, to turn places into offsets; its line ends are single characters."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def of_characters(self, line: int, column: int) -> int:
        """Return the offset of a place that is counted in characters; lines from 1, columns from 0."""
        return self.starts[line - 1] + column

    def of_bytes(self, line: int, column: int) -> int:
        """Return the offset of a place as `ast` counts: its columns are bytes of UTF-8."""
        before = self.lines[line - 1].encode()[:column].decode()
        return self.starts[line - 1] + len(before)


def add_argument(file: SourceFile, call: ast.Call, text: str) -> Edits:
    """Return what gives a call one more keyword argument, at its end."""
    places = Places(file.text)
    assert call.end_lineno is not None
    assert call.end_col_offset is not None
    end = places.of_bytes(call.end_lineno, call.end_col_offset)
    last = ("", 0)
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        stop = places.of_characters(*token.end)
        if stop >= end:
            break
        if token.type not in _SILENT:
            last = (token.string, stop)
    string, after = last
    lead = "" if string == "(" else " " if string == "," else ", "
    return (Edit(after, after, lead + text),)


def change_argument(file: SourceFile, value: ast.expr, name: str, instead: str) -> Edits:
    """Return what gives a keyword argument another name, or leaves it out when there is none.

    There is nothing when the argument does not stand in the call itself, and when more than a constant would be lost.
    """
    keyword = file.names.parents.get(value)
    call = file.names.parents.get(keyword) if isinstance(keyword, ast.keyword) else None
    if not isinstance(keyword, ast.keyword) or keyword.arg != name or not isinstance(call, ast.Call):
        return ()
    if any(other.arg == instead for other in call.keywords):
        return ()
    places = Places(file.text)
    start = places.of_bytes(keyword.lineno, keyword.col_offset)
    if instead:
        return (Edit(start, start + len(name), instead),)
    if not isinstance(value, ast.Constant):
        return ()
    assert value.end_lineno is not None
    assert value.end_col_offset is not None
    end = places.of_bytes(value.end_lineno, value.end_col_offset)
    before = file.text[:start].rstrip()
    if before.endswith(","):
        return (Edit(len(before) - 1, end, ""),)
    after = file.text[end:]
    comma = len(after) - len(after.lstrip().removeprefix(",").lstrip()) if after.lstrip().startswith(",") else 0
    return (Edit(start, end + comma, ""),)


def replace_text(file: SourceFile, node: ast.expr, old: str, new: str) -> Edits:
    """Return what writes another string in the place of a plain one."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    places = Places(file.text)
    start, end = places.of_bytes(node.lineno, node.col_offset), places.of_bytes(node.end_lineno, node.end_col_offset)
    written = file.text[start:end]
    return (Edit(start + 1, end - 1, new),) if written in (f'"{old}"', f"'{old}'") else ()


def apply(text: str, edits: Iterable[Edit]) -> str:
    """Return the text with edits made; none of them may overlap another."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def overlap(one: Edits, others: Iterable[Edit]) -> bool:
    """Say whether one of these edits touches one of the others; equal ones are the same change."""
    return any(a != b and a.start <= b.end and b.start <= a.end for a in one for b in others)
