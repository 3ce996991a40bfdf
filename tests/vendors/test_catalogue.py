"""The built-in catalogue is usable data, and an organisation's file goes over it key by key."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.documents.launch_token import Identity, parse_identities, parse_launch_changes
from gatekeeper.vendors.catalogue import load_builtin, merge

VENDORS, TOOLS = load_builtin()["vendors"], load_builtin()["tools"]
EVERY_TOOL = {
    "claude",
    "codex",
    "copilot",
    "gemini",
    "opencode",
    "aider",
    "cursor-agent",
    "qwen",
    "amp",
    "crush",
    "goose",
}


def test_every_well_known_tool_is_there() -> None:
    """The catalogue names the assistants that people use, each with a vendor's name and a name for people."""
    assert set(TOOLS) == EVERY_TOOL
    assert all(tool["name"] and VENDORS[tool["vendor"]]["name"] for tool in TOOLS.values())


def test_every_tool_is_found_and_recognised_by_something() -> None:
    """Each has executables that are plain names, its id first, and an identity that is a package."""
    for name, tool in TOOLS.items():
        assert tool["executables"][0] == name
        assert not any("/" in executable for executable in tool["executables"])
        identities = parse_identities(tool)
        assert identities
        assert all(one.npm or one.pypi or one.native for one in identities)


def test_no_executable_name_stands_for_two_tools() -> None:
    """A word on the command line means one tool."""
    names = [name for tool in TOOLS.values() for name in tool["executables"]]
    assert len(names) == len(set(names))


def test_what_leads_past_an_administrators_settings_is_unset() -> None:
    """The variables that were seen to bypass managed settings are unset at a launch."""
    unset = {name for tool in TOOLS.values() for name in parse_launch_changes(tool).env_unset}
    assert unset >= {
        "GEMINI_CLI_SYSTEM_SETTINGS_PATH",
        "GEMINI_CLI_SYSTEM_DEFAULTS_PATH",
        "OPENCODE_TEST_MANAGED_CONFIG_DIR",
        "CODEX_OSS_BASE_URL",
    }


def test_the_catalogue_says_facts_alone() -> None:
    """Whether a tool is open, approved or closed, and for how long, is the organisation's to say."""
    facts = {
        "name",
        "vendor",
        "executables",
        "identity",
        "alternatives",
        "launch",
        "surfaces",
        "commit_trailers",
    }
    tables = load_builtin()
    assert set(tables) == {"vendors", "tools"}
    assert all(set(tool) <= facts for tool in tables["tools"].values())


def test_commit_trailers_are_addresses() -> None:
    """Trailers are matched by their address: the model's name in them varies."""
    assert all("@" in trailer for tool in TOOLS.values() for trailer in tool.get("commit_trailers", ()))


def test_an_organisation_overrides_key_by_key() -> None:
    """What the organisation says replaces that key, lists whole; what it leaves out stays."""
    override = {
        "tools": {
            "claude": {
                "identity": {"npm": "@anthropic-ai/claude-code", "versions": ">=2.1,<3"},
                "launch": {"env_set": {"ANTHROPIC_BASE_URL": "https://gateway.acme.example"}},
            },
            "llama": {
                "name": "Llama",
                "vendor": "in-house",
                "executables": ["llama"],
                "identity": {"pypi": "x"},
            },
        },
        "vendors": {"in-house": {"name": "Acme"}},
    }
    merged = merge(load_builtin(), override)
    claude = merged["tools"]["claude"]
    assert parse_identities(claude) == (Identity(npm="@anthropic-ai/claude-code", versions=">=2.1,<3"),)
    assert dict(parse_launch_changes(claude).env_set) == {
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_UPDATES": "1",
        "ANTHROPIC_BASE_URL": "https://gateway.acme.example",
    }
    assert (claude["name"], claude["vendor"], claude["executables"]) == (
        "Claude Code",
        "anthropic",
        ["claude"],
    )
    assert merged["vendors"] == VENDORS | {"in-house": {"name": "Acme"}}
    assert set(merged["tools"]) == EVERY_TOOL | {"llama"}


tables = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
).filter(lambda value: isinstance(value, dict))


@given(builtin=tables, override=tables, third=tables)
def test_merging_overrides_and_changes_neither(
    builtin: dict[str, Any], override: dict[str, Any], third: dict[str, Any]
) -> None:
    """Merging over itself or with nothing changes nothing, the upper wins, and the arguments stay as they are."""
    before = copy.deepcopy((builtin, override))
    merged = merge(builtin, override)
    assert merge(merged, override) == merged
    assert merge(builtin, {}) == builtin
    assert merge({}, builtin) == builtin
    for name, value in override.items():
        if not isinstance(value, dict):
            assert merged[name] == value
    _scribble(merge(merged, third))
    _scribble(merged)
    assert (builtin, override) == before


def _scribble(value: object) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _scribble(inner)
        value["scribble"] = 1
    elif isinstance(value, list):
        value.append(1)
