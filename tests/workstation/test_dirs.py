"""The launch path's rules for directories and the platform's are the same where they overlap."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gatekeeper.workstation.dirs import platform_directories
from gatekeeper.workstation.state import config_directory, data_directory, state_directory


@pytest.mark.skipif(sys.platform == "win32", reason="XDG is for POSIX")
@pytest.mark.parametrize("xdg", [True, False])
def test_paths_and_platformdirs_agree(own_home: Path, monkeypatch: pytest.MonkeyPatch, *, xdg: bool) -> None:
    """With and without the XDG variables, both name the same directories."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        if xdg:
            monkeypatch.setenv(name, f"{own_home}/elsewhere/{name}")
        else:
            monkeypatch.delenv(name, raising=False)
    known, home = platform_directories(), str(own_home)
    assert config_directory(os.environ, home) == known.config
    assert state_directory(os.environ, home) == known.state
    assert data_directory(os.environ, home) == known.data
    assert known.cache.endswith("gatekeeper")
