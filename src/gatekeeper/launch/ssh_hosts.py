"""What SSH takes a host name for: `Host` and `HostName` of its configuration.

People who use two accounts give the same server several names (`Host work` / `HostName github.com`), and each
would otherwise hide the repository behind it. What isn't decided here (`Match`, an include that can't be
followed) makes a name that depends on it `Malformed`. A command that git is given in place of `ssh` may name
another host, another configuration or a proxy; `is_plain_ssh` says whether it could.
"""

from __future__ import annotations

from gatekeeper.errors import Malformed
from gatekeeper.launch.git_files import list_directory, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.workstation.world import World

_MAX_CONFIG_BYTES = 1024 * 1024
_MAX_DEPTH = 16  # ssh's own
_MAX_FILES = 64
_SSH = ("ssh", "/usr/bin/ssh")
_HARMLESS_FLAGS = "46qv"
_HARMLESS_SETTINGS = ("identitiesonly", "identityfile")
# Nothing that a shell would act on, but for a home's `~`.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=@:,~ ")


def is_plain_ssh(command: str) -> bool:
    """Say whether a command of git's settings reaches the host that plain `ssh` would.

    True for `ssh` with `-i FILE`, `-p PORT`, `-4`, `-6`, `-q`, `-v` and `-o` for `IdentitiesOnly` and
    `IdentityFile` alone; anything else, quoting among it, isn't judged.
    """
    words = command.split(" ") if _PLAIN.issuperset(command) else []
    words = [word for word in words if word]
    if not words or words[0] not in _SSH:
        return False
    rest = iter(words[1:])
    for word in rest:
        option, attached = word[:2], word[2:]
        if len(word) > 1 and word[0] == "-" and not word[1:].strip(_HARMLESS_FLAGS):
            continue
        value = attached if option not in ("-i", "-o", "-p") or attached else next(rest, "")
        if option == "-o":
            name, equals, value = value.partition("=")
            if not equals or name.lower() not in _HARMLESS_SETTINGS:
                return False
        elif option not in ("-i", "-p"):
            return False
        if not value:
            return False
    return True


def real_host(world: World, host: str, *, home: str) -> str:
    """Return the host that SSH connects to when it is asked for `host` (lower case both).

    Raises:
        Malformed: the configuration can't be read, or doesn't say without more than the name.
        OSError: a failure that says nothing about the files.
    """
    search = _Search(world, host, home)
    user = search.file(f"{home}/.ssh", f"{home}/.ssh/config", applies=True, depth=0) if home else None
    return user or search.file("/etc/ssh", "/etc/ssh/ssh_config", applies=True, depth=0) or host


class _Search:
    """One look for the first `HostName` that applies: the first value that SSH finds counts."""

    def __init__(self, world: World, host: str, home: str) -> None:
        self.world = world
        self.host = host
        self.home = home
        self.files_left = _MAX_FILES

    def file(self, base: str, path: str, *, applies: bool | None, depth: int) -> str | None:
        """Search a file. `applies` says of the block around its include: yes, or None for can't be told."""
        self.files_left -= 1
        if depth > _MAX_DEPTH or self.files_left < 0:
            raise Malformed("SSH's configuration includes too much")
        outer = applies
        data = read_file(self.world, path, max_bytes=_MAX_CONFIG_BYTES)
        for line in (data or b"").decode("utf-8", "surrogateescape").splitlines():
            keyword, words = _split(line.strip())
            if keyword == "host":
                applies = outer if _host_applies(words, self.host) else False
            elif keyword == "match":
                applies = outer if [word.lower() for word in words] == ["all"] else None
            elif applies is not False and keyword == "hostname":
                if applies is None or len(words) != 1:
                    raise Malformed("SSH's configuration doesn't say which host a remote is")
                return _expanded(words[0], self.host)
            elif applies is not False and keyword == "include":
                for included in [path for word in words for path in self._included(base, word)]:
                    found = self.file(base, included, applies=applies, depth=depth + 1)
                    if found is not None:
                        return found
        return None

    def _included(self, base: str, word: str) -> list[str]:
        if word.startswith("~/") and self.home:
            word = self.home + word[1:]
        path = word if word.startswith("/") else f"{base}/{word}"
        directory, _, name = path.rpartition("/")
        if any(mark in directory for mark in "*?[~%$") or "[" in name:
            raise Malformed("SSH's configuration includes what can't be found here")
        if "*" not in name and "?" not in name:
            return [path]
        names = sorted(list_directory(self.world, directory))
        return [f"{directory}/{n}" for n in names if not n.startswith(".") and _fits(name, n)]


def _split(text: str) -> tuple[str, list[str]]:
    """Split `Keyword value value`, `Keyword=value`, with double quotes around words, `#` before a comment."""
    end = next((at for at, char in enumerate(text) if char in " \t="), len(text))
    rest = text[end:].strip().removeprefix("=").strip()
    words: list[str] = []
    for at, part in enumerate(rest.split('"')):
        plain = [part] if at % 2 else part.split()
        comment = next((n for n, word in enumerate(plain) if word.startswith("#") and not at % 2), None)
        words += plain[:comment]
        if comment is not None:
            break
    return text[:end].lower(), words


def _host_applies(patterns: list[str], host: str) -> bool:
    """Say whether a `Host` line covers the host: one pattern does and no negated one does."""
    positive = False
    for pattern in (word.lower() for word in patterns):
        if pattern.startswith("!") and _fits(pattern[1:], host):
            return False
        positive = positive or _fits(pattern, host)
    return positive


def _fits(pattern: str, text: str) -> bool:
    """Match `*` and `?`."""
    reached = {0}
    for char in pattern:
        if not reached:
            return False
        if char == "*":
            reached = set(range(min(reached), len(text) + 1))
        else:
            reached = {
                at + 1 for at in reached if text[at : at + 1] == char or (char == "?" and at < len(text))
            }
    return len(text) in reached


def _expanded(name: str, host: str) -> str:
    expanded = name.replace("%h", host)
    if "%" in expanded:
        raise Malformed("SSH's configuration doesn't say which host a remote is")
    return expanded.lower().removesuffix(".")
