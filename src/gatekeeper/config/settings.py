"""The settings of one command: layers merged per key, each value remembering where it came from.

A launch reads them here: the managed JSON and the environment directly (`layers`), and the TOML files
through a snapshot in the state that `load` wrote, keyed by what changes when a file does. Whatever is
unclear about a TOML file is `NeedsLoad`.
"""

from __future__ import annotations

from gatekeeper.config.keys import (
    BY_NAME,
    ENVIRONMENT,
    KEYS,
    MANAGED,
    SYSTEM,
    THUMBPRINTS,
    TRUST_KEYS,
    USER,
)
from gatekeeper.config.layers import Layer, Problems, check_values, environment_layers, read_managed
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import object_of, optional_text
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.paths import (
    CONFIG_FILE_NAME,
    SYSTEM_CONFIG_FILE,
    config_directory,
    state_directory,
)
from gatekeeper.workstation.records import load_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gatekeeper.config.keys import Key
    from gatekeeper.workstation.world import Stat, World

MAX_SNAPSHOT_BYTES = 1024 * 1024
SNAPSHOT = "config.json"
NOT_THERE = ""


class Settings(Value):
    """What one command goes by. `origins` says for each key which layer and file gave it.

    `trust_roots` may be empty: whoever needs trust says GK104. `trust_threshold` is at least 1.
    """

    service: str
    trust_roots: tuple[str, ...]
    trust_threshold: int
    min_root_version: int
    profile: str
    credential_store: str
    allow_file_store: bool
    verifier: str
    ca_bundle: str
    offline: bool
    no_input: bool
    managed: bool
    state_directory: str
    origins: tuple[tuple[str, str], ...]
    enforce_from: str = ""
    warnings: tuple[str, ...] = ()


class NeedsLoad(Value):
    """The TOML layers must be parsed first: there is no snapshot, or a file is another than it was."""

    reason: str


class Choice(Value):
    """The value that won for a key, and why. `locked` is true where the managed layer decides."""

    value: object
    origin: str
    locked: bool


def read_settings(world: World, *, profile: str = "") -> Settings | NeedsLoad:
    """Return the settings for a launch without parsing TOML. `profile` is the option's, "" without it.

    Raises:
        GatekeeperError: GK101, the managed layer or a variable can't be used; GK102, the managed layer
            locks the profile; GK106, there is no directory for state or configuration.
    """
    state = state_directory(world.environment(), world.home())
    problems = Problems()
    managed = read_managed(world, problems)
    layers = [*managed, *environment_layers(world, problems, profile=profile, overrides={})]
    problems.raise_if_any()
    files = toml_files(world)
    stats = [stat_key(world, path) for _, path in files]
    if any(stat != NOT_THERE for stat in stats):
        snapshot = _from_snapshot(world, state, files, stats)
        if isinstance(snapshot, NeedsLoad):
            return snapshot
        layers += snapshot
    return resolve(layers, state=state, profile=profile, warnings=())


def toml_files(world: World) -> tuple[tuple[str, str], ...]:
    """Return the TOML layers and their files, highest first. GatekeeperError GK106 as `config_directory`."""
    user = config_directory(world.environment(), world.home())
    return ((USER, f"{user}/{CONFIG_FILE_NAME}"), (SYSTEM, SYSTEM_CONFIG_FILE))


def stat_key(world: World, path: str) -> str:
    """Return what changes when a file's content does, "" where there is no file. Other errors give "?": never equal."""
    try:
        return render_stat(world.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return NOT_THERE
    except OSError:
        return "?"


def render_stat(stat: Stat) -> str:
    """Render `Stat.key()` as a text: nanoseconds have more digits than strict JSON takes."""
    return " ".join(str(number) for number in stat.key())


def _from_snapshot(
    world: World, state: str, files: tuple[tuple[str, str], ...], stats: list[str]
) -> list[Layer] | NeedsLoad:
    """Return the TOML layers as `load` left them. Same owner as the files, so nothing is gained by forging it."""
    record = load_record(world, f"{state}/{SNAPSHOT}", max_bytes=MAX_SNAPSHOT_BYTES)
    if isinstance(record, Absent):
        return NeedsLoad(reason=record.reason)
    problems = Problems()
    layers = []
    try:
        for (name, path), stat in zip(files, stats, strict=True):
            kept = object_of(record, name)
            if optional_text(kept, "path") != path or optional_text(kept, "stat") != stat or stat == "?":
                return NeedsLoad(reason=f"{path} changed")
            values = check_values(name, path, object_of(kept, "values"), problems)
            layers.append(Layer(name=name, source=path, values=values))
    except Malformed as error:
        return NeedsLoad(reason=f"the snapshot can't be used: {error.reason}")
    return NeedsLoad(reason="the snapshot can't be used") if problems.found else layers


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
