"""The facts that a decision rests on, and the one decision that launches. All values; nothing here acts.

`launch.attempt` and `client.renew` make facts; `decide` reads them. What a launch never meets that goes straight
through, and the decisions that stop one, are in `obstacles`; `notice` writes their words.
"""

from gatekeeper.values import Absent as Absent  # noqa: PLC0414 - a fact, and what the layers below say too
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.decision.obstacles import (
        DigestNeeded,
        Loop,
        NotInstalled,
        NotRecognised,
        Refused,
        Renewed,
        Unreachable,
        Untrusted,
        WrongVersion,
    )
    from gatekeeper.documents.launch_token import Exclusion, Identity, LaunchToken
    from gatekeeper.trust.chain import TrustedRoot

# Whose state it is.
OWN = "own"
FOREIGN = "foreign"
NONE = "none"

EVERYWHERE = "*"

# Which condition of an alternative doesn't hold.
PACKAGE = "package"
PUBLISHER = "publisher"
VERSION = "version"
RANGE = "range"
DIGEST = "digest"
DIGEST_UNKNOWN = "digest unknown"


def is_for_everywhere(token: "LaunchToken") -> bool:
    """Say whether no place could refuse this token, so that nobody need look where the launch happens."""
    return EVERYWHERE in token.locations and not token.exclude


class NotTried(Value):
    """No renewal was tried."""


class Executable(Value):
    """What PATH finds, and what is known of it without running it.

    `found` is PATH's entry, `path` its realpath (what is executed is `found`, so that the tool sees itself
    as the shell would start it). `npm`, `pypi` and `native` name what the metadata beside it says;
    `version` as that metadata says, "" where unknown; `sha256` of the realpath's bytes, "" where not computed.
    """

    found: str
    path: str
    npm: str = ""
    pypi: str = ""
    native: str = ""
    version: str = ""
    sha256: str = ""


class Recognised(Value):
    """One alternative holds, whole."""

    identity: "Identity"


class Facts(Value):
    """Everything about one launch. Times are Unix seconds; `high_water` is None without a state.

    `newest_signed_at` is the newest `iat` among what was verified, 0 without any.
    """

    word: str
    now: int
    high_water: "int | None"
    newest_signed_at: int
    state: str
    root: "TrustedRoot | Absent"
    token: "LaunchToken | Absent"
    executable: "Executable | NotInstalled | Loop"
    match: "Recognised | WrongVersion | NotRecognised | DigestNeeded | None"
    exclusion: "Exclusion | None"
    renewal: "NotTried | Renewed | Refused | Untrusted | Unreachable"


class Allow(Value):
    """The decision to launch. `unreachable` is set where the token should have been renewed and could not be."""

    tool: str
    token: "LaunchToken"
    executable: Executable
    unreachable: "Unreachable | None" = None

    def __bool__(self) -> bool:
        # `if decision:` would always be true and mypy would not object, so truth is refused; `obstacles` does the same.
        raise RuntimeError("a decision is matched, never tested for truth")
