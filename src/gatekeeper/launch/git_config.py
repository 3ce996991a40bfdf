"""git's configuration: the syntax, and what its includes bring in. Hostile text, read as git reads it.

Whoever can write a repository can write its configuration, so everything is bounded, and what git itself
would not read is `Malformed`: the repository then counts as unreadable. A conditional include whose condition
isn't decided here is left to the caller, which counts the repository both with it and without.
"""

from __future__ import annotations

from errno import EACCES, EFBIG, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM

from gatekeeper.decision.locations import matches
from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.workstation.world import Stat, World

    # Section (lower case), subsection ("" without one), key (lower case), value (None where the key stands alone).
    Entry = tuple[str, str, str, str | None]

_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_MAX_INCLUDE_DEPTH = 10  # git's own
_MAX_FILES = 64
_SPACE = " \t\r\n"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KEY = _LETTERS + "0123456789-"
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "\\": "\\", '"': '"'}
_ABSENT = (ENOENT, ENOTDIR)
_UNREADABLE = (EACCES, EPERM, ELOOP, EINVAL, EFBIG, EISDIR, ENAMETOOLONG)


def read_file(world: World, path: str, *, max_bytes: int) -> bytes | None:
    """Read a file of git's, None where there is none.

    Raises:
        Malformed: it is there and can't be read.
        OSError: a failure that says nothing about the file.
    """
    if "\0" in path:
        raise Malformed("a path holds a NUL")
    try:
        return world.open_read(path, max_bytes=max_bytes)[0]
    except OSError as error:
        return _absent(error)


def stat_file(world: World, path: str) -> Stat | None:
    """Stat a file of git's, None where there is none. Raises as `read_file` does."""
    if "\0" in path:
        raise Malformed("a path holds a NUL")
    try:
        return world.stat(path)
    except OSError as error:
        return _absent(error)


def list_directory(world: World, path: str) -> list[str]:
    """List a directory of git's, empty where there is none. Raises as `read_file` does."""
    try:
        return world.listdir(path)
    except OSError as error:
        _absent(error)
        return []


def _absent(error: OSError) -> None:
    if error.errno in _ABSENT:
        return
    if error.errno in _UNREADABLE:
        raise Malformed("a file of git's can't be read") from error
    raise error


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
        elif char in _LETTERS and section:
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
    if text[at : at + 1] != "]":
        quoted, at = _quoted_subsection(text, at)
        subsection += dot + quoted
    if text[at : at + 1] != "]" or not section:
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
    parts: list[str] = []
    blanks = ""
    in_quotes = False
    while at < len(text) and text[at] != "\n":
        char = text[at]
        at += 1
        if not in_quotes and char in _SPACE:
            blanks += char if parts else ""
            continue
        if not in_quotes and char in "#;":
            at = _line_end(text, at)
            break
        parts.append(blanks)
        blanks = ""
        if char == '"':
            in_quotes = not in_quotes
        elif char != "\\":
            parts.append(char)
        elif text[at : at + 1] == "\n":
            at += 1
        elif text[at : at + 1] in _ESCAPES:
            parts.append(_ESCAPES[text[at]])
            at += 1
        else:
            raise Malformed("git's configuration can't be read")
    if in_quotes:
        raise Malformed("git's configuration can't be read")
    return "".join(parts), at


class GitFiles:
    """The files of git's configuration that one look at a repository reads, each read once.

    `uncertain` says that an include was met whose condition isn't decided here.
    """

    def __init__(self, world: World, *, home: str) -> None:
        self.world = world
        self.home = home
        self.uncertain = False
        self._parsed: dict[str, list[Entry]] = {}

    def parsed(self, path: str) -> list[Entry]:
        """Return one file's own entries, none where there is no file. Raises `Malformed`."""
        if path not in self._parsed:
            if len(self._parsed) >= _MAX_FILES:
                raise Malformed("git's configuration has too many files")
            data = read_file(self.world, path, max_bytes=_MAX_CONFIG_BYTES)
            self._parsed[path] = [] if data is None else parse_git_config(data)
        return self._parsed[path]

    def read(self, path: str, *, git_directory: str, take_uncertain: bool) -> list[Entry]:
        """Return a file's entries with those of its includes, in git's order. Raises `Malformed`."""
        return self.with_includes(
            self.parsed(path), path, git_directory=git_directory, take_uncertain=take_uncertain
        )

    def with_includes(
        self, entries: list[Entry], path: str, *, git_directory: str, take_uncertain: bool, depth: int = 0
    ) -> list[Entry]:
        """Return entries with what they include. `path` is the file that holds them, "" for none."""
        if depth > _MAX_INCLUDE_DEPTH:
            raise Malformed("git's configuration includes too deeply")
        out: list[Entry] = []
        for entry in entries:
            section, subsection, key, value = entry
            out.append(entry)
            if key != "path" or (section, subsection) != ("include", "") and section != "includeif":
                continue
            if section == "includeif":
                holds = self._condition(subsection, path, git_directory)
                if holds is None:
                    self.uncertain = True
                    holds = take_uncertain
                if not holds:
                    continue
            target = self._included(value, path)
            out += self.with_includes(
                self.parsed(target),
                target,
                git_directory=git_directory,
                take_uncertain=take_uncertain,
                depth=depth + 1,
            )
        return out

    def _included(self, value: str | None, path: str) -> str:
        if not value:
            raise Malformed("git's configuration includes nothing")
        if value.startswith("~/") and self.home:
            return self.home + value[1:]
        if value.startswith("/"):
            return value
        if value[0] in "~%" or not path:
            raise Malformed("git's configuration includes what can't be found here")
        return f"{path.rpartition('/')[0]}/{value}"

    def _condition(self, condition: str, path: str, git_directory: str) -> bool | None:
        """Decide `gitdir:` and `gitdir/i:`; None for every other condition and for unusual patterns."""
        keyword, _, pattern = condition.partition(":")
        if keyword not in ("gitdir", "gitdir/i") or not pattern:
            return None
        try:
            candidates = {git_directory, self.world.realpath(git_directory)}
            prefix = ""
            if pattern.startswith("~/"):
                prefix, pattern = self.world.realpath(self.home) + "/", pattern[2:]
            elif pattern.startswith("./"):
                prefix, pattern = self.world.realpath(path.rpartition("/")[0]) + "/", pattern[2:]
            elif not pattern.startswith("/"):
                pattern = "**/" + pattern
        except OSError as error:
            _absent(error)
            return None
        if pattern.endswith("/"):
            pattern += "**"
        if any(mark in pattern for mark in "?[\\~") or not _stars_stand_alone(pattern):
            return None
        if keyword == "gitdir/i":
            prefix, pattern = prefix.lower(), pattern.lower()
            candidates = {candidate.lower() for candidate in candidates}
        return any(c.startswith(prefix) and matches(pattern, c[len(prefix) :]) for c in candidates)


def _stars_stand_alone(pattern: str) -> bool:
    """Say whether every `**` is a whole segment; elsewhere git reads it as `*`."""
    return all(segment == "**" or "**" not in segment for segment in pattern.split("/"))
