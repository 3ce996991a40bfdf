"""Where things stand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation import state as paths

PLACES = [
    (paths.state_directory, "XDG_STATE_HOME", platformdirs.user_state_path),
    (paths.config_directory, "XDG_CONFIG_HOME", platformdirs.user_config_path),
    (paths.data_directory, "XDG_DATA_HOME", platformdirs.user_data_path),
]


@pytest.mark.parametrize(("place", "variable", "theirs"), PLACES)
@pytest.mark.parametrize("value", [None, "", "relative/dir", "/elsewhere", "/elsewhere/", "/"])
def test_the_directories_are_those_of_platformdirs(
    place: Any, variable: str, theirs: Callable[..., Path], value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every form of the XDG variable, the launch path and platformdirs name the same directory."""
    home = "/home/ada"
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv(variable, raising=False)
    environment = {"HOME": home}
    if value is not None:
        monkeypatch.setenv(variable, value)
        environment[variable] = value
    ours = place(environment, home, platform=sys.platform)
    assert Path(ours) == theirs("gatekeeper", appauthor=False)


@pytest.mark.parametrize("place", [place for place, _, _ in PLACES])
def test_without_a_home_the_variable_is_named(place: Any) -> None:
    """No home and no variable is GK106, and the remedy names what to set."""
    with pytest.raises(GatekeeperError) as caught:
        place({}, "")
    assert caught.value.code == "GK106"
    assert "HOME" in caught.value.remedy


@pytest.mark.parametrize(
    ("place", "variable"),
    [
        (paths.state_directory, "GATEKEEPER_STATE_DIR"),
        (paths.config_directory, "GATEKEEPER_CONFIG_DIR"),
    ],
)
def test_our_own_variables_win_and_must_be_absolute(place: Any, variable: str) -> None:
    """An absolute GATEKEEPER_* variable is taken as it is; a relative one would let a repository choose, and is GK106."""
    environment = {"XDG_STATE_HOME": "/x", "XDG_CONFIG_HOME": "/x", variable: "/own/place/"}
    assert place(environment, "/home/ada") == "/own/place"
    with pytest.raises(GatekeeperError) as caught:
        place({variable: "./state"}, "/home/ada")
    assert caught.value.code == "GK106"
    assert variable in caught.value.detail


@given(st.text(max_size=80))
def test_a_profile_or_tool_never_leaves_its_directory(name: str) -> None:
    """Whatever the name, the path made of it has exactly one more segment, or there is none."""
    if not paths.is_file_name(name):
        with pytest.raises(GatekeeperError) as caught:
            paths.profile_directory("/state", name)
        assert caught.value.code == "GK101"
        return
    made = paths.profile_directory("/state", name)
    assert Path(made).parent == Path("/state/profiles")
    assert name not in {"", ".", ".."}
    assert name.isascii()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0b", "-x", ".hidden", "ä", "a b", "x" * 65])
def test_names_that_are_no_files(name: str) -> None:
    """Separators, leading dots and dashes, white space, other alphabets and long names are refused."""
    assert not paths.is_file_name(name)


@pytest.mark.parametrize("name", ["claude", "cursor-agent", "a.b", "A_1", "x" * 64, "g++"])
def test_names_that_are_files(name: str) -> None:
    """Ordinary names of tools are accepted."""
    assert paths.is_file_name(name)
