"""The platform's directories, as `platformdirs` knows them: the one place that imports it.

A launch takes the few that it needs from `state`, which repeats the rules without the import; a test holds
the two equal. Variables of ours (GATEKEEPER_CONFIG_DIR, GATEKEEPER_STATE_DIR) are for `state` alone.
"""

from __future__ import annotations

import platformdirs

from gatekeeper.values import Value
from gatekeeper.workstation.state import APP


class Directories(Value):
    """Where this platform keeps each kind of file of one person. None of them needs to exist."""

    config: str
    state: str
    data: str
    cache: str


def platform_directories() -> Directories:
    """Return the directories by the rules of this platform and this process's environment."""
    known = platformdirs.PlatformDirs(APP, appauthor=False)
    return Directories(
        config=known.user_config_dir,
        state=known.user_state_dir,
        data=known.user_data_dir,
        cache=known.user_cache_dir,
    )
