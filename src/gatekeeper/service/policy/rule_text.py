"""The text of `access.cedar` as separate rules with their lines, so that every error says where.

The engine names rules by position only and its parser gives no lines, so the text is cut here: a rule ends at the
first `;` outside texts and comments. What is too long or nested too deep is refused here, because the engine's
parser would take the process with it (`cedar`).
"""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.values import Value

MAX_RULES = 500
_MAX_RULE_CHARS = 8 * 1024
_MAX_DEPTH = 32


class Statement(Value):
    """One rule as written, from `line` on; `fault` says why it can't be given to the engine, else ""."""

    text: str
    line: int
    fault: str = ""

    def line_of(self, word: str) -> int:
        """Return the line on which a word stands, else the first one."""
        before, found, _ = self.text.partition(word) if word else ("", "", "")
        return self.line + before.count("\n") if found else self.line


def statements(text: str) -> list[Statement]:
    """Cut the text into rules. What stands after the last `;` is one more, unless it is blank or a comment."""
    found: list[Statement] = []
    begin: int | None = None
    depth = deepest = counted = 0
    line = 1
    for at, sign in _signs(text):
        if begin is None:
            begin, depth, deepest = at, 0, 0
            line, counted = line + text.count("\n", counted, at), at
        if sign in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in ")]}":
            depth -= 1
        elif sign == ";":
            found.append(_statement(text[begin : at + 1], line, deepest))
            begin = None
    if begin is not None:
        found.append(_statement(text[begin:], line, deepest))
    return found


def _signs(text: str) -> Iterator[tuple[int, str]]:
    """Yield every character outside comments and blanks; a text between quotes is its first quote."""
    at = 0
    while at < len(text):
        sign = text[at]
        if text.startswith("//", at):
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif sign == '"':
            yield at, sign
            at = _end_of_text(text, at + 1)
        else:
            if not sign.isspace():
                yield at, sign
            at += 1


def _end_of_text(text: str, at: int) -> int:
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _statement(text: str, line: int, deepest: int) -> Statement:
    fault = ""
    if len(text) > _MAX_RULE_CHARS:
        fault = f"is longer than {_MAX_RULE_CHARS} characters"
    elif deepest > _MAX_DEPTH:
        fault = f"nests brackets deeper than {_MAX_DEPTH}"
    return Statement(text=text, line=line, fault=fault)
