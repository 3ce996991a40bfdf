"""The syntax of git's configuration: hostile text, read as git reads it. No effects.

Whoever can write a repository can write its configuration. What git itself would not read is `Malformed`:
the repository then counts as unreadable.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Section (lower case), subsection ("" without one), key (lower case), value (None where the key stands alone).
    Entry = tuple[str, str, str, str | None]

_SPACE = " \t\r\n"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KEY = _LETTERS + "0123456789-"
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "\\": "\\", '"': '"'}


def parse_git_config(data: bytes) -> list[Entry]:
    """Parse one file.

    Raises:
        Malformed: git would stop at this file, or it holds a NUL.
    """
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff").replace("\r\n", "\n")
    if "\0" in text:
        raise Malformed("git's configuration holds a NUL")
    entries: list[Entry] = []
    section = subsection = ""
    at = 0
    while at < len(text):
        char = text[at]
        if char in _SPACE:
            at += 1
        elif char in "#;":
            at = _line_end(text, at)
        elif char == "[":
            section, subsection, at = _header(text, at + 1)
        elif char in _LETTERS:  # even before any section, where git keeps it under no name
            key, value, at = _variable(text, at)
            entries.append((section, subsection, key, value))
        else:
            raise Malformed("git's configuration can't be read")
    return entries


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _header(text: str, at: int) -> tuple[str, str, int]:
    """Read `section]`, `section.subsection]` or `section "subsection"]`."""
    start = at
    while text[at : at + 1] and text[at] in _KEY + ".":
        at += 1
    # The old form folds the subsection's case, as git does.
    section, dot, subsection = text[start:at].lower().partition(".")
    if text[at : at + 1] != "]" or at == start:
        quoted, at = _quoted_subsection(text, at)
        subsection += dot + quoted
    if text[at : at + 1] != "]" or at == start:
        raise Malformed("git's configuration can't be read")
    return section, subsection, at + 1


def _quoted_subsection(text: str, at: int) -> tuple[str, int]:
    start = at
    while text[at : at + 1] and text[at] in " \t\r":
        at += 1
    if at == start or text[at : at + 1] != '"':
        raise Malformed("git's configuration can't be read")
    at += 1
    parts: list[str] = []
    while text[at : at + 1] not in ("", "\n", '"'):
        if text[at] == "\\":
            at += 1
            if text[at : at + 1] in ("", "\n"):
                break
        parts.append(text[at])
        at += 1
    if text[at : at + 1] != '"':
        raise Malformed("git's configuration can't be read")
    return "".join(parts), at + 1


def _variable(text: str, at: int) -> tuple[str, str | None, int]:
    start = at
    while text[at : at + 1] and text[at] in _KEY:
        at += 1
    key = text[start:at].lower()
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    if text[at : at + 1] in ("", "\n"):
        return key, None, at
    if text[at] != "=":
        raise Malformed("git's configuration can't be read")
    value, at = _value(text, at + 1)
    return key, value, at


def _value(text: str, at: int) -> tuple[str, int]:
    end = _line_end(text, at)
    line = text[at:end]
    if not any(mark in line for mark in '"\\#;'):
        return line.strip(_SPACE), end
    value = blanks = ""
    in_quotes = False
    while at < len(text) and text[at] != "\n":
        char = text[at]
        at += 1
        if not in_quotes and char in _SPACE:
            blanks += char if value else ""
            continue
        if not in_quotes and char in "#;":
            at = _line_end(text, at)
            break
        value += blanks
        blanks = ""
        if char == '"':
            in_quotes = not in_quotes
        elif char != "\\":
            value += char
        elif text[at : at + 1] in ("", "\n"):  # the end of a file ends a line, too
            at += 1
        elif text[at : at + 1] in _ESCAPES:
            value += _ESCAPES[text[at]]
            at += 1
        else:
            raise Malformed("git's configuration can't be read")
    if in_quotes:
        raise Malformed("git's configuration can't be read")
    return value, at
