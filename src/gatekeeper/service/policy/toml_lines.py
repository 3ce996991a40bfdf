"""On which line of a TOML file each key stands, for messages alone: `tomllib` doesn't tell.

The text has been read by `tomllib` before, or is about to be refused by it; so a form that isn't understood here
costs a line number, never an error. Several tables of an array (`[[expect]]`) are told apart by their number.
"""

from __future__ import annotations

import re

_BARE = r"[A-Za-z0-9_-]+"
_PART = rf"(?:{_BARE}|\"(?:[^\"\\]|\\.)*\"|'[^']*')"
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_KEY})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*({_KEY})[ \t]*=")
_PARTS = re.compile(_PART)
_INLINE = re.compile(rf"(?:^|[{{,])[ \t]*({_KEY})[ \t]*=")
_LONG = re.compile(r'"""|\'\'\'')
_MAX_LINES = 50_000


def lines_of_keys(text: str) -> dict[tuple[str, ...], int]:
    """Return the line (from 1) where each table and key first stands, by its path."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    tables: dict[tuple[str, ...], int] = {}
    long = ""
    for number, line in enumerate(text.split("\n")[:_MAX_LINES], start=1):
        if long:
            long = "" if long in line else long
            continue
        header = _HEADER.match(line)
        assignment = None if header else _ASSIGNMENT.match(line)
        if header:
            table = _parts(header[2])
            if header[1] == "[[":
                tables[table] = tables.get(table, -1) + 1
                table = (*table, str(tables[table]))
            _note(found, table, number)
        elif assignment:
            key = (*table, *_parts(assignment[1]))
            _note(found, key, number)
            for inner in _INLINE.finditer(line[assignment.end() :][:1000]):
                _note(found, (*key, *_parts(inner[1])), number)
            opened = _LONG.findall(line)
            long = opened[-1] if len(opened) % 2 else ""
    return found


def _note(found: dict[tuple[str, ...], int], path: tuple[str, ...], number: int) -> None:
    for end in range(1, min(len(path), 32) + 1):
        found.setdefault(path[:end], number)


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part[1:-1] if part[0] in "\"'" else part for part in _PARTS.findall(key))
