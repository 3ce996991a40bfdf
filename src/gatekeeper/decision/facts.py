"""The facts that a decision rests on, and the decisions themselves. All values; nothing here acts.

`launch.gather` and `client.renew` make facts; `freshness` and `decide` read them; `plan` turns an
`Allow` into what is executed; `notice` writes the words of the others.
"""

from __future__ import annotations

from gatekeeper.values import Absent as Absent  # noqa: PLC0414 - a fact, and what the layers below say too
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.documents.api import Problem
    from gatekeeper.documents.launch_token import Exclusion, Identity, LaunchToken
    from gatekeeper.trust.root import TrustedRoot


# Whose state it is.
OWN = "own"
FOREIGN = "foreign"
NONE = "none"


# What the renewal said (a fact like the others).
class NotTried(Value):
    """No renewal was tried."""


class Renewed(Value):
    """The service issued a new token, which stands in the state."""


class Refused(Value):
    """The service answered with a code of GK2xx to GK4xx. The tokens concerned are deleted already."""

    code: str
    problem: Problem | None = None


class Untrusted(Value):
    """The answer doesn't hold (GK5xx): signature, issuer, rollback. Nothing of it was kept."""

    code: str
    detail: str


class Unreachable(Value):
    """No usable answer. `code` is GK601, GK602 or GK603."""

    code: str
    detail: str


# What PATH holds.
class NotInstalled(Value):
    """PATH holds none of the tool's executables."""

    names: tuple[str, ...]


class Loop(Value):
    """All that PATH finds under the name leads back to gatekeeper."""

    path: str


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


# Where the launch happens.
class NoRepository(Value):
    """The working directory is in no git repository: no zone."""


class Repository(Value):
    """A git repository with its remotes, canonical (`host/path`). No remotes at all is an empty tuple."""

    remotes: tuple[str, ...]


class UnreadableRepository(Value):
    """A repository whose remotes can't be known for certain. Counts as excluded."""

    reason: str


EVERYWHERE = "*"


def is_for_everywhere(token: LaunchToken) -> bool:
    """Say whether no place could refuse this token, so that nobody need look where the launch happens."""
    return EVERYWHERE in token.locations and not token.exclude


# How an executable compares with the token's identities.
class Recognised(Value):
    """One alternative holds, whole."""

    identity: Identity


class WrongVersion(Value):
    """The package is right and its version is outside every range."""

    version: str
    ranges: tuple[str, ...]


class NotRecognised(Value):
    """No alternative names this executable, or its digest is another."""

    reason: str


class DigestNeeded(Value):
    """An alternative lists digests and the executable's is not known yet."""


class Facts(Value):
    """Everything about one launch. Times are Unix seconds; `high_water` is None without a state.

    `newest_signed_at` is the newest `iat` among what was verified, 0 without any.
    """

    word: str
    now: int
    high_water: int | None
    newest_signed_at: int
    state: str
    root: TrustedRoot | Absent
    token: LaunchToken | Absent
    executable: Executable | NotInstalled | Loop
    match: Recognised | WrongVersion | NotRecognised | DigestNeeded | None
    exclusion: Exclusion | None
    renewal: NotTried | Renewed | Refused | Untrusted | Unreachable


# Decisions. `if decision:` would always be true and mypy would not object, so truth is refused.
class Decision(Value):
    """The base of the four decisions."""

    tool: str

    def __bool__(self) -> bool:
        raise RuntimeError("a decision is matched, never tested for truth")


class Allow(Decision):
    """Launch. `unreachable` is set where the token should have been renewed and could not be."""

    token: LaunchToken
    executable: Executable
    unreachable: Unreachable | None = None


class Pending(Decision):
    """Not yet: somebody has to act (GK4xx)."""

    code: str
    detail: str = ""
    problem: Problem | None = None


class Refuse(Decision):
    """Policy says no (GK3xx, GK403, GK405, GK408)."""

    code: str
    detail: str = ""
    rule: str = ""
    problem: Problem | None = None


class Undetermined(Decision):
    """Couldn't decide: sign-in, trust, network, clock, state, environment. Not a denial."""

    code: str
    detail: str = ""
    problem: Problem | None = None


if TYPE_CHECKING:
    AnyDecision = Allow | Pending | Refuse | Undetermined
    Renewal = NotTried | Renewed | Refused | Untrusted | Unreachable
    Match = Recognised | WrongVersion | NotRecognised | DigestNeeded
    Location = NoRepository | Repository | UnreadableRepository
