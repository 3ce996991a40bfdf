"""The settings of one command: one value per key, and which layer and file gave it.

A launch reads them here. Where device management and the environment say nothing, they are what `load` left in
the snapshot, for TOML files that are still the ones it read; in every other case `merge` merges the layers.
Whatever is unclear about a TOML file is `NEEDS_LOAD`.
"""

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import integer_of, object_of, optional_text, text_map_of, text_of, texts_of
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.state import (
    CONFIG_FILE_NAME,
    MANAGED_DIRECTORY,
    MANAGED_FILE,
    SYSTEM_CONFIG_FILE,
    config_directory,
    load_record,
    state_directory,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.workstation.world import World

MAX_SNAPSHOT_BYTES = 1024 * 1024
SNAPSHOT = "config.json"
NOT_THERE = ""
USER = "user"
SYSTEM = "system"

# Whatever a key's variable says is not in the snapshot. A test holds this equal to the table of keys.
VARIABLES = (
    "GATEKEEPER_SERVICE",
    "GATEKEEPER_PROFILE",
    "GATEKEEPER_CREDENTIAL_STORE",
    "GATEKEEPER_CA_BUNDLE",
    "GATEKEEPER_OFFLINE",
    "GATEKEEPER_NO_INPUT",
    "CI",
)


class Settings(Value):
    """What one command goes by. `origins` says for each key which layer and file gave it.

    `trust_roots` may be empty: whoever needs trust says GK104. `trust_threshold` is at least 1.
    """

    service: str
    trust_roots: "tuple[str, ...]"
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
    origins: "tuple[tuple[str, str], ...]"
    enforce_from: str = ""
    warnings: "tuple[str, ...]" = ()


# Why the TOML layers must be parsed first: there is no snapshot, or a file is another than it was.
NEEDS_LOAD = Absent(reason="there is no snapshot of the configuration files as they are now")


def kept_settings(world: "World", *, profile: str) -> "Settings | Absent | None":
    """Return what `load` resolved for this profile (the option's, "" without it), None where `merge` must say.

    That is where a variable or device management has a say, or there is no file at all.

    Raises:
        GatekeeperError: GK101, whether there is a managed layer can't be told; GK106, there is no directory
            for state or configuration.
    """
    environment = world.environment()
    if any(map(environment.get, VARIABLES)):
        return None
    state = state_directory(environment, world.home())
    snapshot = current_snapshot(world, state)
    if snapshot is None or isinstance(snapshot, Absent):
        return snapshot
    try:
        members = object_of(object_of(snapshot, "resolved"), f"profile {profile}")
        settings = parse_resolved(members, state=state)
    except Malformed:
        return None
    return None if _is_managed(world) else settings


def _is_managed(world: "World") -> bool:
    for path in (MANAGED_FILE, MANAGED_DIRECTORY):
        try:
            world.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            # Never the person's own values because the organisation's can't be read.
            raise GatekeeperError(
                "GK101", f"{path}: can't be read ({error.strerror}).", remedy=f"correct {path}"
            ) from error
        return True
    return False


def current_snapshot(world: "World", state: str) -> "dict[str, object] | Absent | None":
    """Return the snapshot where it is of the TOML files as they are now, None where there is no such file."""
    files = toml_files(world)
    stats = [stat_key(world, path) for _, path in files]
    if stats == [NOT_THERE] * len(stats):
        return None
    record = load_record(world, f"{state}/{SNAPSHOT}", max_bytes=MAX_SNAPSHOT_BYTES)
    if isinstance(record, Absent):
        return NEEDS_LOAD
    try:
        for (name, path), stat in zip(files, stats, strict=True):
            kept = object_of(record, name)
            if optional_text(kept, "path") != path or optional_text(kept, "stat") != stat or stat == "?":
                return NEEDS_LOAD
    except Malformed:
        return NEEDS_LOAD
    return record


def toml_files(world: "World") -> "tuple[tuple[str, str], ...]":
    """Return the TOML layers and their files, highest first. GatekeeperError GK106 as `config_directory`."""
    user = config_directory(world.environment(), world.home())
    return ((USER, f"{user}/{CONFIG_FILE_NAME}"), (SYSTEM, SYSTEM_CONFIG_FILE))


def stat_key(world: "World", path: str) -> str:
    """Return what changes when a file's content does, "" where there is no file. Other errors give "?": never equal."""
    try:
        return world.stat(path).key()
    except (FileNotFoundError, NotADirectoryError):
        return NOT_THERE
    except OSError:
        return "?"


def parse_resolved(members: "Mapping[str, object]", *, state: str) -> "Settings":
    """Return settings as `render_resolved` kept them. Raises `Malformed`.

    Each value passed its key's check when it was kept. The snapshot is of the same owner as the files, so nothing
    is gained by forging it; the types are looked at because any file may be damaged.
    """
    return Settings(
        trust_roots=texts_of(members, "trust_roots"),
        trust_threshold=integer_of(members, "trust_threshold"),
        min_root_version=integer_of(members, "min_root_version"),
        profile=text_of(members, "profile"),
        managed=False,
        state_directory=state,
        origins=tuple(text_map_of(members, "origins").items()),
        service=optional_text(members, "service"),
        credential_store=text_of(members, "credential_store"),
        verifier=text_of(members, "verifier"),
        ca_bundle=optional_text(members, "ca_bundle"),
        enforce_from=optional_text(members, "enforce_from"),
        allow_file_store=_flag(members, "allow_file_store"),
        offline=_flag(members, "offline"),
        no_input=_flag(members, "no_input"),
    )


def _flag(members: "Mapping[str, object]", name: str) -> bool:
    flag = members.get(name)
    if flag is True or flag is False:
        return flag
    raise Malformed(f"{name} is missing or no flag")
