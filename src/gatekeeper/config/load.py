"""Load the configuration in full: parse the TOML layers, keep their snapshot, list values with origins.

The cold half of `settings`: whatever a launch could not take from the snapshot comes from here, with the
whole of what is wrong in one message. Files that people write are read and never rewritten.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from gatekeeper.config.keys import FLAG, KEYS, MANAGED, SYSTEM, USER
from gatekeeper.config.layers import (
    MAX_FILE_BYTES,
    Layer,
    Problems,
    check_values,
    environment_layers,
    flatten,
    read_managed,
)
from gatekeeper.config.merge import choose, render_value, resolve
from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value
from gatekeeper.workstation.settings import NOT_THERE, SNAPSHOT, Settings, toml_files
from gatekeeper.workstation.state import MANAGED_FILE, save_record, state_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.workstation.world import World


class ListedValue(Value):
    """One key as `config list` shows it. `value` is of JSON types; `locked` means that the managed layer decides."""

    key: str
    value: object
    origin: str
    locked: bool


class ConfigFile(Value):
    """A file that configuration may stand in."""

    layer: str
    path: str
    present: bool


def load_settings(
    world: World, *, profile: str = "", overrides: Mapping[str, object] | None = None
) -> Settings:
    """Return the settings, parsing every layer, and keep the snapshot that launches read.

    `overrides` are options, by key. `Settings.warnings` names keys that were passed over.

    Raises:
        GatekeeperError: GK101, everything wrong in any layer at once; GK102, an option for what the
            managed layer locks; GK106, there is no directory for state or configuration.
    """
    state = state_directory(world.environment(), world.home())
    layers, warnings = _load_layers(world, state, profile=profile, overrides=overrides or {})
    _check_locked(layers, overrides or {})
    return resolve(layers, state=state, profile=profile, warnings=tuple(warnings))


def list_values(
    world: World, *, profile: str = "", overrides: Mapping[str, object] | None = None
) -> tuple[ListedValue, ...]:
    """Return every key with its value in force and where that came from. Errors as `load_settings`."""
    settings = load_settings(world, profile=profile, overrides=overrides)
    state = state_directory(world.environment(), world.home())
    layers, _ = _load_layers(world, state, profile=profile, overrides=overrides or {})
    chosen = choose(layers)
    return tuple(
        ListedValue(
            key=key.name,
            value=render_value(key, getattr(settings, key.name)),
            origin=chosen[key.name].origin,
            locked=chosen[key.name].locked,
        )
        for key in KEYS
    )


def list_files(world: World) -> tuple[ConfigFile, ...]:
    """Return the files of each layer, highest first, whether they are there or not. GatekeeperError GK106."""
    problems = Problems()
    managed = [layer.source for layer in reversed(read_managed(world, problems))]
    files = [(MANAGED, path) for path in managed or [MANAGED_FILE]]
    found = []
    for layer, path in [*files, *toml_files(world)]:
        try:
            world.stat(path)
            present = True
        except OSError:
            present = False
        found.append(ConfigFile(layer=layer, path=path, present=present))
    return tuple(found)


def _load_layers(
    world: World, state: str, *, profile: str, overrides: Mapping[str, object]
) -> tuple[list[Layer], list[str]]:
    problems = Problems()
    layers = read_managed(world, problems)
    layers += environment_layers(world, problems, profile=profile, overrides=overrides)
    snapshot: dict[str, object] = {}
    for name, path in toml_files(world):
        stat, values = _load_toml(world, name, path, problems)
        layers.append(Layer(name=name, source=path, values=values))
        kept = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
        snapshot[name] = {"path": path, "stat": stat, "values": kept}
    problems.raise_if_any()
    files = [layer for layer in layers if layer.name in (USER, SYSTEM)]
    _save_snapshot(world, state, {**snapshot, "resolved": _resolved(files, state)})
    return layers, problems.warnings


def _load_toml(world: World, name: str, path: str, problems: Problems) -> tuple[str, dict[str, object]]:
    try:
        data, stat = world.open_read(path, max_bytes=MAX_FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return NOT_THERE, {}
    except OSError as error:
        problems.add(path, f"can't be read ({error.strerror})")
        return NOT_THERE, {}
    try:
        members = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        problems.add(path, "not UTF-8")
        return NOT_THERE, {}
    except tomllib.TOMLDecodeError as error:
        problems.add(path, f"not TOML: {error}")
        return NOT_THERE, {}
    except (ValueError, RecursionError):  # a number of thousands of digits, thousands of brackets
        problems.add(path, "not TOML: a number is too long or something is nested too deeply")
        return NOT_THERE, {}
    return stat.key(), check_values(name, path, flatten(members), problems)


def _resolved(files: list[Layer], state: str) -> dict[str, object]:
    """Return what the files alone come to, for each profile that a launch may name: `--profile` says it, or nothing."""
    named = {name.split(".")[1] for layer in files for name in layer.values if name.startswith("profiles.")}
    resolved: dict[str, object] = {}
    for profile in ("", *sorted(named)):
        option = [Layer(name=FLAG, source="", values={"profile": profile})] if profile else []
        try:
            settings = resolve([*option, *files], state=state, profile=profile, warnings=())
        except GatekeeperError:
            continue  # told to the launch that asks for it
        resolved[f"profile {profile}"] = render_resolved(settings)
    return resolved


def _save_snapshot(world: World, state: str, snapshot: Mapping[str, object]) -> None:
    """Keep what launches read. A disk that refuses makes launches slower, not wrong."""
    if all(isinstance(kept, dict) and kept.get("stat", NOT_THERE) == NOT_THERE for kept in snapshot.values()):
        return
    try:
        save_record(world, state, SNAPSHOT, snapshot)
    except (GatekeeperError, UnicodeEncodeError):
        return


def _check_locked(layers: list[Layer], overrides: Mapping[str, object]) -> None:
    chosen = choose(layers)
    for name in overrides:
        if name in chosen and chosen[name].locked:
            raise GatekeeperError(
                "GK102", f"{name} is set by {chosen[name].origin}, so no option can change it."
            )


def render_resolved(settings: Settings) -> dict[str, object]:
    """Render settings as `parse_resolved` reads them back, for a snapshot."""
    return {
        "service": settings.service,
        "credential_store": settings.credential_store,
        "verifier": settings.verifier,
        "ca_bundle": settings.ca_bundle,
        "enforce_from": settings.enforce_from,
        "allow_file_store": settings.allow_file_store,
        "offline": settings.offline,
        "no_input": settings.no_input,
        "trust_roots": list(settings.trust_roots),
        "trust_threshold": settings.trust_threshold,
        "min_root_version": settings.min_root_version,
        "profile": settings.profile,
        "origins": dict(settings.origins),
    }
