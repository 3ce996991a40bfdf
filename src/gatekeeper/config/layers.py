"""The sources of settings: what device management, options, the environment and parsed files set, checked.

The managed layer is read directly, owner and mode checked on the open descriptor; whatever is unclear about
it is a problem (GK101), because falling back to the person's own values would fall open. A launch reads this,
so it imports little. Which layer wins is for `settings`; parsing TOML for `load`.
"""

from __future__ import annotations

from gatekeeper.config.keys import (
    BY_NAME,
    ENVIRONMENT,
    FLAG,
    KEYS,
    MANAGED,
    check_value,
    find_key,
    parse_variable,
)
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.strict import parse_object
from gatekeeper.values import Value
from gatekeeper.workstation.state import MANAGED_DIRECTORY, MANAGED_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.workstation.world import Stat, World

MAX_FILE_BYTES = 256 * 1024

_ROOT = 0


class Layer(Value):
    """What one source sets, checked. `values` holds dotted names; `source` is a file, "" elsewhere."""

    name: str
    source: str
    values: dict[str, object]

    def origin(self, name: str) -> str:
        """Return where a value of this layer stands, for people."""
        if self.name == ENVIRONMENT:
            key = BY_NAME.get(name)
            return f"environment {key.variable}" if key is not None else ENVIRONMENT
        return f"{self.name} {self.source}" if self.source else self.name


class Problems:
    """Collects everything wrong with the configuration, so that it is reported together, and what was passed over."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.files: list[str] = []
        self.warnings: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Note a problem; `where` is the file or variable to correct."""
        self.found.append(f"{where}: {what}")
        if where not in self.files:
            self.files.append(where)

    def raise_if_any(self) -> None:
        """Raise all that was noted, as one GatekeeperError GK101."""
        if self.found:
            raise GatekeeperError(
                "GK101",
                "; ".join(self.found) + ".",
                remedy="" if "flag" in self.files else f"correct {' and '.join(self.files)}",
                facts={"problems": list(self.found)},
            )


# The managed layer


def read_managed(world: World, problems: Problems) -> list[Layer]:
    """Read what device management wrote, highest first. An empty list means that there is no managed layer.

    A later file of managed.d wins over an earlier one and over managed.json. Anything but a clean read is a
    problem: a file that can't be trusted or parsed must not be passed over.
    """
    paths = [MANAGED_FILE]
    try:
        names = sorted(world.listdir(MANAGED_DIRECTORY))
        paths += [f"{MANAGED_DIRECTORY}/{n}" for n in names if n.endswith(".json") and n[0] != "."]
        if len(paths) > 1:
            _check_directory(world, MANAGED_DIRECTORY, problems)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        problems.add(MANAGED_DIRECTORY, f"can't be listed ({error.strerror})")
    layers = [layer for path in paths if (layer := _read_managed_file(world, path, problems)) is not None]
    if layers:
        _check_directory(world, MANAGED_FILE.rpartition("/")[0], problems)
    return layers[::-1]


def _read_managed_file(world: World, path: str, problems: Problems) -> Layer | None:
    try:
        data, stat = world.open_read(path, max_bytes=MAX_FILE_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        problems.add(path, f"can't be read ({error.strerror})")
        return Layer(name=MANAGED, source=path, values={})
    _check_owner(stat, path, problems)
    values: dict[str, object] = {}
    try:
        members = parse_object(data, max_bytes=MAX_FILE_BYTES)
        values = check_values(MANAGED, path, flatten(members), problems)
    except Malformed as error:
        problems.add(path, f"not the JSON that is expected ({error.reason})")
    return Layer(name=MANAGED, source=path, values=values)


def _check_directory(world: World, path: str, problems: Problems) -> None:
    # Whoever may write the directory may take the file away, and the pins with it.
    try:
        _check_owner(world.stat(path), path, problems)
    except OSError as error:
        problems.add(path, f"can't be examined ({error.strerror})")


def _check_owner(stat: Stat, path: str, problems: Problems) -> None:
    if stat.uid != _ROOT:
        problems.add(path, "must belong to root")
    elif stat.others_may_write():
        problems.add(path, "must not be writable for group or others (chmod go-w)")


# Environment and options


def environment_layers(
    world: World, problems: Problems, *, profile: str, overrides: Mapping[str, object]
) -> list[Layer]:
    """Return what options and variables set. An empty variable sets nothing."""
    flags = {"profile": profile, **overrides} if profile else dict(overrides)
    options = check_values(FLAG, "", flags, problems)
    environment = world.environment()
    values: dict[str, object] = {}
    for key in KEYS:
        text = environment.get(key.variable, "") if key.variable else ""
        if text:
            try:
                values[key.name] = parse_variable(key, text)
            except Malformed as error:
                problems.add(key.variable, error.reason)
    # Nobody is there to answer on CI; every CI platform of note sets this one.
    if "no_input" not in values and environment.get("CI", "").lower() not in ("", "0", "false"):
        values["no_input"] = True
    return [
        Layer(name=FLAG, source="", values=options),
        Layer(name=ENVIRONMENT, source="", values=values),
    ]


# Checking


def flatten(members: Mapping[str, object]) -> dict[str, object]:
    """Return nested `profiles` tables under dotted names. What is no table stays, for `check_values` to refuse."""
    flat: dict[str, object] = {}
    for name, member in members.items():
        if name == "profiles" and isinstance(member, dict):
            for profile, table in member.items():
                if isinstance(table, dict):
                    flat |= {f"profiles.{profile}.{key}": value for key, value in table.items()}
                else:
                    flat[f"profiles.{profile}"] = table
        else:
            flat[name] = member
    return flat


def check_values(
    layer: str, source: str, values: Mapping[str, object], problems: Problems
) -> dict[str, object]:
    """Return the values of a layer that can be used; `source` is its file.

    A known key with a bad value is a problem. A key that is unknown, or not for this layer, is one in the
    managed layer and a warning in the files of people.
    """
    checked: dict[str, object] = {}
    where = source or layer
    for name, value in values.items():
        key = find_key(name)
        if key is None or layer not in key.layers:
            what = (
                f"{name}: unknown key"
                if key is None
                else f"{name}: no key for here ({', '.join(key.layers)})"
            )
            if layer in (MANAGED, FLAG):
                problems.add(where, what)
            else:
                problems.warnings.append(f"{where}: {what}")
            continue
        try:
            checked[name] = check_value(key, value)
        except Malformed as error:
            problems.add(where, f"{name}: {error.reason}")
    return checked
