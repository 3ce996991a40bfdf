"""The built-in catalogue: the assistants that people use, as data, and how an organisation's file goes over it.

Facts alone: whether a tool is open, approved or closed is never said here. Cold: it reads TOML.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

from gatekeeper.documents.launch_token import (
    Identity,
    LaunchChanges,
    parse_identities,
    parse_launch_changes,
)
from gatekeeper.strict import object_of, text_of, texts_of
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class VendorTool(Value):
    """What is known of one tool. `executables` are names, never paths; `commit_trailers` are e-mail addresses."""

    id: str
    name: str
    vendor: str
    vendor_name: str
    executables: tuple[str, ...]
    identities: tuple[Identity, ...]
    alternatives: tuple[str, ...] = ()
    launch: LaunchChanges = LaunchChanges()
    commit_trailers: tuple[str, ...] = ()


def load_builtin() -> dict[str, Any]:
    """Return the tables of the built-in catalogue, a fresh copy each time."""
    return tomllib.loads((files("gatekeeper.vendors") / "catalogue.toml").read_text("utf-8"))


def merge(builtin: Mapping[str, object], override: Mapping[str, object]) -> dict[str, Any]:
    """Return `builtin` with `override` over it, key by key: tables merge, all else replaces. Neither is changed."""
    merged: dict[str, Any] = {name: _copy(value) for name, value in builtin.items()}
    for name, value in override.items():
        below = merged.get(name)
        if isinstance(value, dict):
            merged[name] = merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[name] = _copy(value)
    return merged


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return merge(value, {})
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def parse_tools(tables: Mapping[str, object]) -> tuple[VendorTool, ...]:
    """Read the facts of every tool in a catalogue's tables; what else stands there is left to `service.policy`.

    Raises:
        Malformed: a fact is missing or has the wrong shape.
    """
    vendors = object_of(tables, "vendors")
    tools = object_of(tables, "tools")
    return tuple(_parse_tool(id_, object_of(tools, id_), vendors) for id_ in tools)


def _parse_tool(id_: str, tool: Mapping[str, object], vendors: Mapping[str, object]) -> VendorTool:
    vendor = text_of(tool, "vendor")
    return VendorTool(
        id=id_,
        name=text_of(tool, "name"),
        vendor=vendor,
        vendor_name=text_of(object_of(vendors, vendor), "name"),
        executables=texts_of(tool, "executables"),
        identities=parse_identities(tool),
        alternatives=texts_of(tool, "alternatives"),
        launch=parse_launch_changes(tool),
        commit_trailers=texts_of(tool, "commit_trailers"),
    )
