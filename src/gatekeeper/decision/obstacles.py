"""What may stand in a launch's way: facts that a launch never meets that goes straight through, and its decisions.

All values. `launch` and `client.renew` make the facts, `decide` the decisions, `notice` writes the words of both.
"""

from __future__ import annotations

from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from gatekeeper.decision.facts import Allow, NotTried, Recognised
    from gatekeeper.documents.api import Problem


# What the renewal said, where there was one.
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


# What PATH holds in place of an executable.
class NotInstalled(Value):
    """PATH holds none of the tool's executables."""

    names: tuple[str, ...]


class Loop(Value):
    """All that PATH finds under the name leads back to gatekeeper."""

    path: str


# Where the launch happens.
class NoRepository(Value):
    """The working directory is in no git repository: no zone."""


class Repository(Value):
    """A git repository with its remotes, canonical (`host/path`). No remotes at all is an empty tuple."""

    remotes: tuple[str, ...]


class UnreadableRepository(Value):
    """A repository whose remotes can't be known for certain. Counts as excluded."""

    reason: str


# Why an executable is not recognised.
class WrongVersion(Value):
    """The package is right and its version is outside every range."""

    version: str
    ranges: tuple[str, ...]


class NotRecognised(Value):
    """No alternative names this executable, or its digest is another."""

    reason: str


class DigestNeeded(Value):
    """An alternative lists digests and the executable's is not known yet."""


# The decisions that are no launch.
class Decision(Value):
    """The base of the decisions that are no launch. As with `Allow`, `if decision:` would always be true."""

    tool: str

    def __bool__(self) -> bool:
        raise RuntimeError("a decision is matched, never tested for truth")


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
    AnyDecision: TypeAlias = Allow | Pending | Refuse | Undetermined
    Renewal: TypeAlias = NotTried | Renewed | Refused | Untrusted | Unreachable
    Match: TypeAlias = Recognised | WrongVersion | NotRecognised | DigestNeeded
    Location: TypeAlias = NoRepository | Repository | UnreadableRepository
