"""Merge the layers per key: device management, options, environment, the person's file, the system's.

Every way to settings ends here, but for a launch whose settings were merged before (`settings`). The TOML layers
come from the caller, or from the snapshot that `load` wrote, checked again.
"""

from __future__ import annotations

from gatekeeper.config.keys import BY_NAME, ENVIRONMENT, KEYS, MANAGED, THUMBPRINTS, TRUST_KEYS
from gatekeeper.config.layers import Layer, Problems, check_values, environment_layers, read_managed
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import object_of
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.settings import NEEDS_LOAD, Settings, current_snapshot, kept_settings, toml_files
from gatekeeper.workstation.state import state_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gatekeeper.config.keys import Key
    from gatekeeper.workstation.world import World


class Choice(Value):
    """The value that won for a key, and why. `locked` is true where the managed layer decides."""

    value: object
    origin: str
    locked: bool


def read_settings(world: World, *, profile: str = "") -> Settings | Absent:
    """Return the settings without parsing TOML. `profile` is the option's, "" without it. Errors as `merge_settings`."""
    kept = kept_settings(world, profile=profile)
    return kept if isinstance(kept, Settings) else merge_settings(world, profile=profile)


def merge_settings(world: World, *, profile: str) -> Settings | Absent:
    """Return the settings from every layer, the TOML ones by their snapshot.

    Raises:
        GatekeeperError: GK101, the managed layer or a variable can't be used; GK102, the managed layer
            locks the profile; GK106, there is no directory for state or configuration.
    """
    state = state_directory(world.environment(), world.home())
    problems = Problems()
    managed = read_managed(world, problems)
    layers = [*managed, *environment_layers(world, problems, profile=profile, overrides={})]
    problems.raise_if_any()
    snapshot = current_snapshot(world, state)
    if isinstance(snapshot, Absent):
        return snapshot
    if snapshot is not None:
        kept = _from_snapshot(world, snapshot)
        if isinstance(kept, Absent):
            return kept
        layers += kept
    return resolve(layers, state=state, profile=profile, warnings=())


def _from_snapshot(world: World, snapshot: Mapping[str, object]) -> list[Layer] | Absent:
    """Return the TOML layers as `load` left them."""
    problems = Problems()
    layers = []
    try:
        for name, path in toml_files(world):
            values = check_values(name, path, object_of(object_of(snapshot, name), "values"), problems)
            layers.append(Layer(name=name, source=path, values=values))
    except Malformed:
        return NEEDS_LOAD
    return NEEDS_LOAD if problems.found else layers


def resolve(layers: list[Layer], *, state: str, profile: str, warnings: tuple[str, ...]) -> Settings:
    """Merge checked layers, highest first. `profile` is the option's.

    Raises:
        GatekeeperError: GK101, the threshold exceeds the pins; GK102, an option sets what is locked.
    """
    chosen = choose(layers)
    if profile and chosen["profile"].locked and chosen["profile"].value != profile:
        raise GatekeeperError(
            "GK102", f"profile is set by {chosen['profile'].origin}, so --profile can't change it."
        )
    values: dict[str, Any] = {name: choice.value for name, choice in chosen.items()}
    pins = values["trust_roots"]
    count = len(pins) if isinstance(pins, tuple) else 0
    # Two of several by default: one stolen root key of three must not be enough.
    threshold = values["trust_threshold"] or (1 if count <= 1 else 2)
    if count and isinstance(threshold, int) and threshold > count:
        raise GatekeeperError(
            "GK101",
            f"trust_threshold is {threshold} ({chosen['trust_threshold'].origin}), and trust_roots "
            f"({chosen['trust_roots'].origin}) has {count}.",
            remedy="pin as many trust_roots as trust_threshold asks for",
        )
    values["trust_threshold"] = threshold
    values["allow_file_store"] = _may_use_file(chosen)
    return Settings(
        **values,  # each passed its key's check
        managed=any(layer.name == MANAGED for layer in layers),
        state_directory=state,
        origins=tuple((name, choice.origin) for name, choice in chosen.items()),
        warnings=warnings,
    )


def choose(layers: list[Layer]) -> dict[str, Choice]:
    """Return the winning value of every key, from checked layers, highest first."""
    selected = _choose_one(BY_NAME["profile"], layers, "")
    profile = selected.value if isinstance(selected.value, str) else ""
    return {key.name: _choose_one(key, layers, profile) for key in KEYS}


def _choose_one(key: Key, layers: list[Layer], profile: str) -> Choice:
    managed = any(layer.name == MANAGED for layer in layers)
    only_managed = managed and key.name in TRUST_KEYS
    for layer in layers:
        if only_managed and layer.name != MANAGED:
            continue
        # Within a layer the profile's own value comes first; across layers the higher one wins all the same.
        for name in (f"profiles.{profile}.{key.name}", key.name):
            if name in layer.values:
                locked = layer.name == MANAGED
                return Choice(value=layer.values[name], origin=layer.origin(name), locked=locked)
    return Choice(value=key.default, origin="default", locked=only_managed)


def _may_use_file(chosen: Mapping[str, Choice]) -> bool:
    """Say whether a file may hold the credential. Asking for it by variable is consent, unless managed says no."""
    allowed, store = chosen["allow_file_store"], chosen["credential_store"]
    asked = store.value == "file" and store.origin.startswith(ENVIRONMENT)
    return bool(allowed.value) or (asked and not allowed.locked)


def render_value(key: Key, value: object) -> object:
    """Return a value as JSON and TOML have it."""
    return list(value) if key.kind == THUMBPRINTS and isinstance(value, tuple) else value
