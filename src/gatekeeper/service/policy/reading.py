"""Reading a policy's TOML so that everything wrong with it is said at once, each with its key and a hint.

A key that nobody knows is an error, for a misspelt limit is no limit. Each problem names file and line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.durations import parse_duration
from gatekeeper.service.policy.toml_lines import lines_of_keys

FILE = "catalogue.toml"
Path = tuple[str, ...]


class Problems:
    """What is wrong with one file (`text` is what stands in it), in the order found."""

    def __init__(self, text: str = "", *, file: str = FILE) -> None:
        self.file = file
        self.found: list[str] = []
        self._text = text
        self._lines: dict[Path, int] | None = None
        self.misshapen = False  # something that must be a table is none

    def add(self, path: Path, what: str, hint: str = "") -> None:
        """Note one problem of the key at `path`."""
        key = ".".join(part if part.isprintable() else repr(part) for part in path)
        line = self.line_of(path)
        problem = f"{self.file}{f':{line}' if line else ''}: {key}: {what}." + (f" {hint}" if hint else "")
        if problem not in self.found:
            self.found.append(problem)

    def line_of(self, path: Path) -> int:
        """Return the line of the key, else of the nearest table around it, else 0."""
        if self._lines is None:
            self._lines = lines_of_keys(self._text)
        for end in range(len(path), 0, -1):
            if path[:end] in self._lines:
                return self._lines[path[:end]]
        return 0

    def raise_any(self) -> None:
        """Raise what was found, if anything was.

        Raises:
            GatekeeperError: GK101, with every problem on its own line and in the fact `problems`.
        """
        if self.found:
            raise GatekeeperError("GK101", "\n".join(self.found), facts={"problems": list(self.found)})


class Section:
    """One table of the file, read key by key. A value of the wrong type counts as absent and is a problem."""

    def __init__(self, values: object, path: Path, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self.values: Mapping[str, object] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            problems.add(path, "must be a table")
            problems.misshapen = True

    def check_keys(self, known: Iterable[str]) -> None:
        """Note every key that is not known."""
        for key in self.values:
            if key not in known:
                self.add(key, "unknown key", meant(key, known))

    def add(self, key: str, what: str, hint: str = "") -> None:
        """Note a problem of one key of this table."""
        self.problems.add((*self.path, key), what, hint)

    def child(self, key: str) -> Section:
        """Return the table under `key`; an empty one where there is none."""
        return Section(self.values.get(key, {}), (*self.path, key), self.problems)

    def children(self, key: str) -> dict[str, Section]:
        """Return the tables under the table `key`, by their names."""
        parent = self.child(key)
        return {name: parent.child(name) for name in parent.values}

    def text(self, key: str, default: str = "", *, max_chars: int = 200) -> str:
        """Return a text that people will read in their terminals: no control or invisible characters."""
        value = self.values.get(key, default)
        if isinstance(value, str) and len(value) <= max_chars and is_plain(value):
            return value
        self.add(key, f"must be a text of at most {max_chars} characters, without control characters")
        return default

    def choice(self, key: str, default: str, choices: tuple[str, ...]) -> str:
        """Return one of `choices`."""
        value = self.values.get(key, default)
        if isinstance(value, str) and value in choices:
            return value
        self.add(key, f"must be one of {', '.join(choices)}", meant(str(value), choices))
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of plain texts, without repetitions; absent is empty."""
        value = self.values.get(key, [])
        if isinstance(value, list):
            texts = [item for item in value if isinstance(item, str) and item and is_plain(item)]
            if len(texts) == len(value):
                return tuple(dict.fromkeys(texts))
        self.add(key, "must be a list of texts")
        return ()

    def duration(self, key: str, default: int) -> int:
        """Return a duration in seconds."""
        value = self.values.get(key)
        if value is None:
            return default
        try:
            return parse_duration(value if isinstance(value, str) else "")
        except GatekeeperError:
            self.add(key, "is no duration", 'Write "30d", "12h", "90m" or "45s".')
            return default

    def count(self, key: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self.values.get(key, default)
        if type(value) is int and low <= value <= high:
            return value
        self.add(key, f"must be a whole number from {low} to {high}")
        return default


def meant(word: str, known: Iterable[str]) -> str:
    """Return the question whether a known word was meant, or "" where none is near."""
    near = get_close_matches(word, list(known), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def is_plain(text: str) -> bool:
    """Say whether a text is one line without control or invisible characters."""
    return not any(unicodedata.category(c)[0] == "C" or unicodedata.category(c) in {"Zl", "Zp"} for c in text)
