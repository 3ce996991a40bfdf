"""git's files through `World`: reading with bounds, and what a configuration's includes bring in.

Everything here may be hostile, so everything is bounded: a file that is there and can't be read is
`Malformed`, and so is one include too many. A conditional include whose condition isn't decided here is left
to the caller, which counts the repository both with it and without.
"""

from __future__ import annotations

from errno import EACCES, EFBIG, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM

from gatekeeper.decision.locations import matches
from gatekeeper.errors import Malformed
from gatekeeper.launch.git_config import parse_git_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.launch.git_config import Entry
    from gatekeeper.workstation.world import Stat, World

_MAX_CONFIG_BYTES = 4 * 1024 * 1024
_MAX_INCLUDE_DEPTH = 10  # git's own
_MAX_FILES = 64
_MAX_INCLUDES = 1024  # a file that includes itself twice would double with every level
_ABSENT = (ENOENT, ENOTDIR)
_UNREADABLE = (EACCES, EPERM, ELOOP, EINVAL, EFBIG, EISDIR, ENAMETOOLONG)


def read_file(world: World, path: str, *, max_bytes: int) -> bytes | None:
    """Read a file of git's, None where there is none.

    Raises:
        Malformed: it is there and can't be read.
        OSError: a failure that says nothing about the file.
    """
    try:
        return world.open_read(path, max_bytes=max_bytes)[0]
    except OSError as error:
        _must_be_absent(error)
        return None


def stat_file(world: World, path: str) -> Stat | None:
    """Stat a file of git's, None where there is none. Raises as `read_file` does."""
    try:
        return world.stat(path)
    except OSError as error:
        _must_be_absent(error)
        return None


def read_link(world: World, path: str) -> str | None:
    """Return a symbolic link's target, None where there is none. Raises as `read_file` does."""
    try:
        return world.readlink(path)
    except OSError as error:
        if error.errno != EINVAL:
            _must_be_absent(error)
        return None


def list_directory(world: World, path: str) -> list[str]:
    """List a directory of git's, empty where there is none. Raises as `read_file` does."""
    try:
        return world.listdir(path)
    except OSError as error:
        _must_be_absent(error)
        return []


def _must_be_absent(error: OSError) -> None:
    if error.errno in _ABSENT:
        return
    if error.errno in _UNREADABLE:
        raise Malformed("a file of git's can't be read") from error
    raise error


class GitFiles:
    """The files of git's configuration that one look at a repository reads, each read once.

    `uncertain` says that an include was met whose condition isn't decided here.
    """

    def __init__(self, world: World, *, home: str) -> None:
        self.world = world
        self.home = home
        self.uncertain = False
        self._parsed: dict[str, list[Entry]] = {}
        self._includes_left = _MAX_INCLUDES

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
        self._includes_left -= 1
        if depth > _MAX_INCLUDE_DEPTH or self._includes_left < 0:
            raise Malformed("git's configuration includes too much")
        out: list[Entry] = []
        for entry in entries:
            section, subsection, key, value = entry
            out.append(entry)
            if key != "path" or (section != "includeif" and (section, subsection) != ("include", "")):
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
            _must_be_absent(error)
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
