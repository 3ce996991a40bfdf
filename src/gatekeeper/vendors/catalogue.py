"""The built-in catalogue: the assistants that people use, as data, and how an organisation's file goes over it.

Facts alone: whether a tool is open, approved or closed is never said here. Cold: it reads TOML.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


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
