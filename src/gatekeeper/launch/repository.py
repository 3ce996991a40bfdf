"""Which repository the working directory is in, and what its remotes are, without starting git.

git's own rules find it: `.git` directories and files, linked worktrees, submodules, bare layouts; its
configuration is read with includes, `insteadOf` and every worktree's own settings. A submodule counts with its
superprojects, since both are the code that the tool sees.

What an environment says is counted in addition, never instead, so that no variable hides a repository:
`GIT_DIR`, `GIT_COMMON_DIR` and `GIT_WORK_TREE` add repositories, `GIT_CONFIG_*` add the remotes that git would
use under them; `GIT_CEILING_DIRECTORIES` and limits at file systems are ignored. The same holds for an include
whose condition isn't decided here. Nothing is guessed: what can't be read makes the repository unreadable, and
so does what git might take for a repository where its test in full fails (`GIT_OBJECT_DIRECTORY` changes it).
Not counted: a repository around this one that doesn't name it as a submodule, submodules below, and addresses
that stand only in `branch.*`.
"""

from __future__ import annotations

from gatekeeper.decision.obstacles import NoRepository, Repository, UnreadableRepository
from gatekeeper.errors import Malformed
from gatekeeper.launch.git_config import parse_git_config
from gatekeeper.launch.git_files import GitFiles, list_directory, read_file, read_link, stat_file
from gatekeeper.launch.remotes import canonical_names, urls_of
from gatekeeper.launch.ssh_hosts import is_plain_ssh, real_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gatekeeper.decision.obstacles import Location
    from gatekeeper.launch.git_config import Entry
    from gatekeeper.workstation.world import World

    # A git directory, and the top of the working tree that it was found from ("" where there is none).
    Checkout = tuple[str, str]

_MAX_POINTER_BYTES = 4096
_MAX_GITMODULES_BYTES = 1024 * 1024
_MAX_CHECKOUTS = 32
_MAX_WORKTREES = 256
_MAX_SETTINGS_IN_ENVIRONMENT = 1000
_REGULAR, _DIRECTORY, _FORMAT = 0o100000, 0o040000, 0o170000
_FALSE = ("false", "no", "off", "0", "")
_SYSTEM_CONFIG = "/etc/gitconfig"
_SSH_VARIABLES = ("GIT_SSH_COMMAND", "GIT_SSH")
_REPLACES_CONFIG = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_COUNT")


def locate(world: World, directory: str, *, home: str, environment: Mapping[str, str]) -> Location:
    """Return where `directory` is. Its files, and the environment, may be hostile.

    Raises:
        OSError: a failure that says nothing about the repository (a broken disk, say).
    """
    try:
        checkouts = _checkouts(world, directory, environment)
        if not checkouts:
            return NoRepository()
        urls: set[str] = set()
        ssh = {environment[name] for name in _SSH_VARIABLES if name in environment}
        for git_directory in checkouts:
            more_urls, more_ssh = _addresses(world, git_directory, home=home, environment=environment)
            urls |= more_urls
            ssh |= more_ssh
        names = canonical_names(urls, real_host=lambda host: _host(world, host, ssh, home=home))
    except Malformed as error:
        return UnreadableRepository(reason=error.reason)
    return Repository(remotes=tuple(sorted(names)))


def _host(world: World, host: str, ssh: set[str], *, home: str) -> str:
    """Return SSH's host, where git starts plain SSH under each of the commands `ssh`."""
    if not all(map(is_plain_ssh, ssh)):
        raise Malformed("git reaches SSH by a command that may lead elsewhere")
    return real_host(world, host, home=home)


# Which repositories


def _checkouts(world: World, directory: str, environment: Mapping[str, str]) -> list[str]:
    """Return the git directories that count, without duplicates."""
    start = _resolved(world, directory)
    waiting = [_discover(world, start)]
    if environment.get("GIT_WORK_TREE"):
        waiting.append(_discover(world, _resolved(world, _joined(start, environment["GIT_WORK_TREE"]))))
    named = [environment[name] for name in ("GIT_DIR", "GIT_COMMON_DIR") if environment.get(name)]
    waiting += [(_named_directory(world, _joined(start, path)), "") for path in named]
    found: list[str] = []
    while waiting:
        checkout = waiting.pop()
        if checkout is None or checkout[0] in found:
            continue
        if len(found) >= _MAX_CHECKOUTS:
            raise Malformed("too many repositories around each other")
        found.append(checkout[0])
        waiting += _superprojects(world, checkout)
    return found


def _discover(world: World, start: str) -> Checkout | None:
    """Walk up from `start` as git does, and return the first repository."""
    for directory in _upwards(start):
        dot_git = f"{directory.rstrip('/')}/.git"
        stat = stat_file(world, dot_git)
        kind = stat.mode & _FORMAT if stat is not None else 0
        if kind == _REGULAR:
            return _pointed_at(world, dot_git, directory), directory
        if kind == _DIRECTORY:
            if _is_git_directory(world, dot_git):
                return _resolved(world, dot_git), directory
            if any(_stands(world, f"{dot_git}/{name}") for name in ("HEAD", "config")):
                raise Malformed("a .git directory is not a whole git directory")
        if _is_git_directory(world, directory):
            return directory, ""
    return None


def _pointed_at(world: World, file: str, directory: str) -> str:
    """Follow a `.git` file, as worktrees and submodules have."""
    target = _pointer(world, file, prefix="gitdir: ")
    if not target:
        raise Malformed("a .git file names no directory")
    return _git_directory(world, _joined(directory, target))


def _named_directory(world: World, path: str) -> str:
    """Return the git directory that a variable names, by way of a `.git` file perhaps."""
    stat = stat_file(world, path)
    if stat is not None and stat.mode & _FORMAT == _REGULAR:
        return _pointed_at(world, path, path.rpartition("/")[0])
    return _git_directory(world, path)


def _git_directory(world: World, path: str) -> str:
    if not _is_git_directory(world, path):
        raise Malformed("what should be a git directory is none")
    return _resolved(world, path)


def _is_git_directory(world: World, path: str) -> bool:
    """Apply git's own test: a HEAD that could be one, `objects`, `refs`.

    git only asks whether the two may be executed, and for `objects` perhaps elsewhere: anything between a clear
    yes and a clear no is `Malformed`, else a repository would be passed over that git uses, or the reverse.
    """
    if not _is_head(world, f"{path}/HEAD"):
        return False
    common = _common_directory(world, path)
    stats = [stat_file(world, f"{common}/{name}") for name in ("objects", "refs")]
    if all(stat is not None and stat.mode & _FORMAT == _DIRECTORY and stat.mode & 0o111 for stat in stats):
        return True
    if stats[1] is not None:  # without `refs` there is no repository for git, whatever the environment says
        raise Malformed("a directory is not a whole git directory")
    return False


def _stands(world: World, path: str) -> bool:
    return read_link(world, path) is not None or stat_file(world, path) is not None


def _is_head(world: World, path: str) -> bool:
    target = read_link(world, path)
    if target is not None:
        return target.startswith("refs/")
    stat = stat_file(world, path)
    if stat is None or stat.mode & _FORMAT != _REGULAR:
        return False
    data = read_file(world, path, max_bytes=_MAX_POINTER_BYTES) or b""
    if data.startswith(b"ref:"):
        return data[4:].lstrip(b" \t\n\r").startswith(b"refs/")
    return len(data) >= 40 and not data[:40].strip(b"0123456789abcdefABCDEF")


def _common_directory(world: World, git_directory: str) -> str:
    target = _pointer(world, f"{git_directory}/commondir", prefix="")
    return _joined(git_directory, target) if target else git_directory


def _pointer(world: World, path: str, *, prefix: str) -> str:
    """Read a file that holds one path, "" where there is none."""
    data = read_file(world, path, max_bytes=_MAX_POINTER_BYTES)
    if data is None:
        return ""
    text = data.decode("utf-8", "surrogateescape")
    if not text.startswith(prefix) or "\0" in text:
        raise Malformed("a .git file names no directory")
    return text[len(prefix) :].rstrip("\r\n")


def _superprojects(world: World, checkout: Checkout) -> Iterator[Checkout | None]:
    """Yield the repositories that hold this one as a submodule."""
    git_directory, top = checkout
    # `git submodule` keeps the git directory inside the superproject's: …/.git/modules/NAME.
    for directory in _upwards(git_directory.rpartition("/")[0]):
        if "/modules/" in git_directory[len(directory) :] and _is_git_directory(world, directory):
            yield directory, ""
            break
    # The older way leaves it in the working tree, and only .gitmodules tells.
    around = _discover(world, top.rpartition("/")[0] or "/") if top not in ("", "/") else None
    if around is not None and around[1] and _names_submodule(world, around[1], top):
        yield around


def _names_submodule(world: World, superproject: str, top: str) -> bool:
    data = read_file(world, f"{superproject}/.gitmodules", max_bytes=_MAX_GITMODULES_BYTES)
    if data is None:
        return False
    relative = top[len(superproject.rstrip("/")) + 1 :]
    return any(
        section == "submodule" and key == "path" and (value or "").strip("/") == relative
        for section, _, key, value in parse_git_config(data)
    )


def _upwards(directory: str) -> Iterator[str]:
    yield directory or "/"
    while directory not in ("", "/"):
        directory = directory.rpartition("/")[0]
        yield directory or "/"


def _joined(base: str, path: str) -> str:
    return path if path.startswith("/") else f"{base.rstrip('/')}/{path}"


def _resolved(world: World, path: str) -> str:
    if stat_file(world, path) is None:
        raise Malformed("a directory is not there")
    return world.realpath(path)


# Which settings


def _addresses(
    world: World, git_directory: str, *, home: str, environment: Mapping[str, str]
) -> tuple[set[str], set[str]]:
    """Return the addresses, and the commands for SSH, under every reading of the configuration that could be git's."""
    common = _resolved(world, _common_directory(world, git_directory))
    if any(list_directory(world, f"{common}/{legacy}") for legacy in ("remotes", "branches")):
        raise Malformed("remotes in files of the old form")
    files = GitFiles(world, home=home)
    urls: set[str] = set()
    ssh: set[str] = set()
    for worktree, own_config in _worktrees(files, common, git_directory):
        for view in _views(environment):
            paths = (*_outer_files(home, environment, view), f"{common}/config", own_config)
            for take_uncertain in (False, True):
                files.uncertain = False
                entries: list[Entry] = []
                for path in filter(None, paths):
                    entries += files.read(path, git_directory=worktree, take_uncertain=take_uncertain)
                entries += files.with_includes(
                    _environment_entries(view), "", git_directory=worktree, take_uncertain=take_uncertain
                )
                urls.update(urls_of(entries))
                ssh.update(value or "" for *name, value in entries if name == ["core", "", "sshcommand"])
                if not files.uncertain:
                    break
    return urls, ssh


def _views(environment: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Return the environments to read the configuration under: without variables of git's, and with them."""
    parameters = environment.get("GIT_CONFIG_PARAMETERS", "").lower()
    if any(word in parameters for word in ("remote", "url", "include", "sshcommand")):
        raise Malformed("settings of git's in the environment can't be judged")
    return [{}, environment] if any(name in environment for name in _REPLACES_CONFIG) else [{}]


def _worktrees(files: GitFiles, common: str, git_directory: str) -> list[tuple[str, str]]:
    """Return the worktrees whose settings count, each with its own file of settings ("" for none)."""
    own_settings = any(
        (section, key) == ("extensions", "worktreeconfig") and (value or "true").lower() not in _FALSE
        for section, _, key, value in files.parsed(f"{common}/config")
    )
    if not own_settings:
        return [(git_directory, "")]
    names = list_directory(files.world, f"{common}/worktrees")
    if len(names) > _MAX_WORKTREES:
        raise Malformed("too many worktrees")
    directories = {git_directory, common, *(f"{common}/worktrees/{name}" for name in names)}
    return [(directory, f"{directory}/config.worktree") for directory in sorted(directories)]


def _outer_files(home: str, environment: Mapping[str, str], view: Mapping[str, str]) -> list[str]:
    """Return the system's and the person's files, in git's order."""
    system = view.get("GIT_CONFIG_SYSTEM", _SYSTEM_CONFIG)
    paths = [] if view.get("GIT_CONFIG_NOSYSTEM", "").lower() not in _FALSE else [system]
    if "GIT_CONFIG_GLOBAL" in view:
        return [*paths, view["GIT_CONFIG_GLOBAL"]]
    if environment.get("XDG_CONFIG_HOME"):
        paths.append(f"{environment['XDG_CONFIG_HOME']}/git/config")
    elif home:
        paths.append(f"{home}/.config/git/config")
    return [*paths, f"{home}/.gitconfig"] if home else paths


def _environment_entries(view: Mapping[str, str]) -> list[Entry]:
    """Return the settings of `GIT_CONFIG_COUNT`, `GIT_CONFIG_KEY_n` and `GIT_CONFIG_VALUE_n`."""
    count = view.get("GIT_CONFIG_COUNT") or "0"
    if count.strip("0123456789") or len(count) > 4 or int(count) > _MAX_SETTINGS_IN_ENVIRONMENT:
        raise Malformed("settings of git's in the environment can't be judged")
    entries: list[Entry] = []
    for at in range(int(count)):
        name, value = view.get(f"GIT_CONFIG_KEY_{at}", ""), view.get(f"GIT_CONFIG_VALUE_{at}")
        section, _, rest = name.partition(".")
        subsection, _, key = rest.rpartition(".")
        if not section or not key or value is None:
            raise Malformed("settings of git's in the environment can't be judged")
        entries.append((section.lower(), subsection, key.lower(), value))
    return entries
