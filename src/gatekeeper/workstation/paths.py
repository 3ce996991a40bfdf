"""Where things stand: the few directories that a launch needs, from environment and home alone.

The platform's rules (XDG on Linux, and on macOS where its variables are set) are repeated here because
`platformdirs` costs a launch more than everything else together; a test holds the two equal. Nothing here
touches the disk. A relative path is never used: what a launch reads must not depend on where it is started.
"""

from __future__ import annotations

import sys

from gatekeeper.errors import GatekeeperError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

APP = "gatekeeper"
MANAGED_FILE = "/etc/gatekeeper/managed.json"
MANAGED_DIRECTORY = "/etc/gatekeeper/managed.d"
SYSTEM_CONFIG_FILE = "/etc/gatekeeper/config.toml"
CONFIG_FILE_NAME = "config.toml"

_MACOS = "Library/Application Support"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+")
MAX_NAME_CHARS = 64


def is_file_name(name: str) -> bool:
    """Say whether a name of ours (tool, executable, profile) is safe as a file's: no separator, no leading dot, ASCII."""
    return 0 < len(name) <= MAX_NAME_CHARS and name[0] not in ".-+" and _NAME.issuperset(name)


def state_directory(environment: Mapping[str, str], home: str, *, platform: str = sys.platform) -> str:
    """Return where the state stands. GatekeeperError GK106 without a home, or where a variable is no absolute path."""
    return _directory(
        environment,
        home,
        platform=platform,
        own="GATEKEEPER_STATE_DIR",
        xdg="XDG_STATE_HOME",
        below_home=".local/state",
    )


def config_directory(environment: Mapping[str, str], home: str, *, platform: str = sys.platform) -> str:
    """Return where the person's configuration stands. Errors as `state_directory`."""
    return _directory(
        environment,
        home,
        platform=platform,
        own="GATEKEEPER_CONFIG_DIR",
        xdg="XDG_CONFIG_HOME",
        below_home=".config",
    )


def data_directory(environment: Mapping[str, str], home: str, *, platform: str = sys.platform) -> str:
    """Return where shims and the file store of credentials stand. Errors as `state_directory`."""
    return _directory(
        environment, home, platform=platform, own="", xdg="XDG_DATA_HOME", below_home=".local/share"
    )


def shims_directory(environment: Mapping[str, str], home: str, *, platform: str = sys.platform) -> str:
    """Return where shims stand, which a launch skips on PATH. Errors as `state_directory`."""
    return f"{data_directory(environment, home, platform=platform)}/shims"


def profile_directory(state: str, profile: str) -> str:
    """Return one profile's folder of the state directory. GatekeeperError GK101 for a name that is no folder's."""
    if not is_file_name(profile):
        raise GatekeeperError(
            "GK101",
            f"{profile!r} can't be the name of a profile: letters, digits, '-', '_', '.' and '+', at most 64.",
        )
    return f"{state}/profiles/{profile}"


def _directory(
    environment: Mapping[str, str], home: str, *, platform: str, own: str, xdg: str, below_home: str
) -> str:
    chosen = environment.get(own, "") if own else ""
    if chosen:
        # A relative one would let a repository bring its own state or configuration along.
        if not chosen.startswith("/"):
            raise GatekeeperError(
                "GK106",
                f"{own} is {chosen!r}, which is not an absolute path.",
                remedy=f"set {own} to an absolute path",
            )
        return _tidy(chosen)
    base = environment.get(xdg, "")
    if base.startswith("/"):  # the XDG specification says that a relative one is ignored
        return f"{_tidy(base)}/{APP}".replace("//", "/")
    if not home.startswith("/"):
        raise GatekeeperError(
            "GK106", "There is no home directory.", remedy=f"set HOME, or {own or xdg}, to an absolute path"
        )
    return f"{_tidy(home)}/{_MACOS if platform == 'darwin' else below_home}/{APP}".replace("//", "/")


def _tidy(path: str) -> str:
    return path.rstrip("/") or "/"
