"""Every configuration key, in one table: type, default, variable, layers, words.

Settings are checked by it; the schema, the reference page and the environment's page are made from it.
A launch reads it, so it imports nothing but `documents.address`, `strict` and `values`. Where values come from and which
layer wins is for `settings`.
"""

from __future__ import annotations

from gatekeeper.documents.address import check_address
from gatekeeper.documents.address import host_of as host_of  # noqa: PLC0414 - of a value of `service`
from gatekeeper.documents.address import is_loopback as is_loopback  # noqa: PLC0414
from gatekeeper.errors import Malformed
from gatekeeper.strict import b64url_decode
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Layers, highest first.
MANAGED = "managed"
FLAG = "flag"
ENVIRONMENT = "environment"
USER = "user"
SYSTEM = "system"
LAYERS = (MANAGED, FLAG, ENVIRONMENT, USER, SYSTEM)
FILES = (MANAGED, USER, SYSTEM)

# Where the managed layer exists, these come from it alone: half a trust anchor from each of two hands is none.
TRUST_KEYS = ("service", "trust_roots", "trust_threshold")

MAX_PINS = 16
STORES = ("keyring", "file", "memory")
VERIFIERS = ("own", "library")

_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PROFILE_CHARACTERS = _LETTERS + _LETTERS.upper() + _DIGITS + "_-"
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off")


class Key(Value):
    """One key. `kind` is a type of the JSON Schema's; `layers` are those that may set it.

    `variable` is the environment variable that sets it, "" without one. `in_profile` says whether
    `profiles.NAME.KEY` may set it for one profile.
    """

    name: str
    kind: str
    default: object
    layers: tuple[str, ...]
    words: str
    variable: str = ""
    in_profile: bool = True
    least: int = 1
    choices: tuple[str, ...] = ()


URL = "url"
TEXT = "text"
PATH = "path"
BOOLEAN = "boolean"
INTEGER = "integer"
PROFILE = "profile"
THUMBPRINTS = "thumbprints"
CHOICE = "choice"

KEYS: tuple[Key, ...] = (
    Key(
        name="service",
        kind=URL,
        default="",
        layers=LAYERS,
        variable="GATEKEEPER_SERVICE",
        words="The service's address and, exactly so, its issuer. https; plain http for loopback alone.",
    ),
    Key(
        name="trust_roots",
        kind=THUMBPRINTS,
        default=(),
        layers=FILES,
        words="The thumbprints (RFC 7638, 43 characters) of the service's root keys.",
    ),
    Key(
        name="trust_threshold",
        kind=INTEGER,
        default=0,
        layers=FILES,
        words="How many of trust_roots must have signed the first root document: 1 for one pin, else 2.",
    ),
    Key(
        name="min_root_version",
        kind=INTEGER,
        default=0,
        least=0,
        layers=FILES,
        words="The oldest version of the root document that is accepted.",
    ),
    Key(
        name="profile",
        kind=PROFILE,
        default="default",
        layers=LAYERS,
        variable="GATEKEEPER_PROFILE",
        in_profile=False,
        words="Which profile applies where --profile names none.",
    ),
    Key(
        name="credential_store",
        kind=CHOICE,
        default="keyring",
        layers=LAYERS,
        variable="GATEKEEPER_CREDENTIAL_STORE",
        choices=STORES,
        words="Where the device key and the refresh token stand. Saying file in the environment is consent to it.",
    ),
    Key(
        name="allow_file_store",
        kind=BOOLEAN,
        default=True,
        layers=FILES,
        words="Whether a file readable by you alone may hold the credential where no keyring answers.",
    ),
    Key(
        name="verifier",
        kind=CHOICE,
        default="own",
        layers=FILES,
        choices=VERIFIERS,
        words="What checks signatures at a launch: gatekeeper's own P-256, or the library.",
    ),
    Key(
        name="ca_bundle",
        kind=PATH,
        default="",
        layers=LAYERS,
        variable="GATEKEEPER_CA_BUNDLE",
        words="A file of certificates (PEM) to believe in place of the system's trust store.",
    ),
    Key(
        name="enforce_from",
        kind=TEXT,
        default="",
        layers=(MANAGED,),
        in_profile=False,
        words="The date of a rollout. Read but not acted on by this version: it enforces at once.",
    ),
    Key(
        name="offline",
        kind=BOOLEAN,
        default=False,
        layers=(FLAG, ENVIRONMENT),
        variable="GATEKEEPER_OFFLINE",
        in_profile=False,
        words="Make no call to the service.",
    ),
    Key(
        name="no_input",
        kind=BOOLEAN,
        default=False,
        layers=(FLAG, ENVIRONMENT),
        variable="GATEKEEPER_NO_INPUT",
        in_profile=False,
        words="Never ask anything on the terminal. A variable CI says the same.",
    ),
)
BY_NAME: dict[str, Key] = {key.name: key for key in KEYS}

# Variables that are no configuration key: where things are, and what is shown.
OTHER_VARIABLES: tuple[tuple[str, str], ...] = (
    ("GATEKEEPER_CONFIG_DIR", "The directory of the user's config.toml."),
    ("GATEKEEPER_STATE_DIR", "The directory of launch tokens, root documents and the catalogue."),
    ("GATEKEEPER_LOG", "debug shows where a bug happened."),
)


def find_key(name: str) -> Key | None:
    """Return the key that a configuration name means, `profiles.NAME.KEY` included, or None."""
    parts = name.split(".")
    if len(parts) == 3 and parts[0] == "profiles":
        key = BY_NAME.get(parts[2])
        return key if key is not None and key.in_profile and _is_profile(parts[1]) else None
    return BY_NAME.get(name)


def check_value(key: Key, value: object) -> object:
    """Return the value as settings use it. A file or device management gave it; it may be anything.

    Raises:
        Malformed: it is none of the key's values. The reason says what is expected.
    """
    return _CHECKS[key.kind](key, value)


def parse_variable(key: Key, text: str) -> object:
    """Return what an environment variable's text says for the key. Raises `Malformed` as `check_value` does."""
    if key.kind != BOOLEAN:
        return check_value(key, text)
    word = text.strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise Malformed("true or false is expected")


def _is_profile(text: str) -> bool:
    # It names a directory, so nothing that a path could read differently.
    return 0 < len(text) <= 64 and not text.strip(_PROFILE_CHARACTERS) and text[0] not in "-_"


def _url(_key: Key, value: object) -> object:
    if not isinstance(value, str):
        raise Malformed("an address such as https://gatekeeper.acme.example is expected")
    return check_address(value)


def _thumbprints(_key: Key, value: object) -> object:
    if not isinstance(value, (list, tuple)) or not value or len(value) > MAX_PINS:
        raise Malformed(f"a list of 1 to {MAX_PINS} thumbprints is expected")
    pins = []
    for pin in value:
        if not isinstance(pin, str) or len(pin) != 43:
            raise Malformed("each thumbprint has 43 characters (base64url of SHA-256)")
        try:
            b64url_decode(pin)
        except Malformed:
            raise Malformed("a thumbprint is not canonical base64url") from None
        pins.append(pin)
    if len(set(pins)) != len(pins):
        raise Malformed("a thumbprint stands twice")
    return tuple(pins)


def _integer(key: Key, value: object) -> object:
    if type(value) is not int or not key.least <= value < 2**31:
        raise Malformed(f"a whole number of at least {key.least} is expected")
    return value


def _boolean(_key: Key, value: object) -> object:
    if not isinstance(value, bool):
        raise Malformed("true or false is expected")
    return value


def _choice(key: Key, value: object) -> object:
    if value not in key.choices:
        raise Malformed(f"one of {', '.join(key.choices)} is expected")
    return value


def _profile(_key: Key, value: object) -> object:
    if not isinstance(value, str) or not _is_profile(value):
        raise Malformed("a profile's name has letters, digits, - and _, at most 64")
    return value


def _path(_key: Key, value: object) -> object:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise Malformed("an absolute path is expected")
    return value


def _text(_key: Key, value: object) -> object:
    # `enforce_from`: absent or malformed means now, so its form is judged where it is used.
    if not isinstance(value, str) or len(value) > 256:
        raise Malformed("a text is expected")
    return value


_CHECKS: dict[str, Callable[[Key, object], object]] = {
    URL: _url,
    THUMBPRINTS: _thumbprints,
    INTEGER: _integer,
    BOOLEAN: _boolean,
    CHOICE: _choice,
    PROFILE: _profile,
    PATH: _path,
    TEXT: _text,
}
