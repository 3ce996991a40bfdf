"""What a handler gets: the service that runs, and the call that came, as far as it was authenticated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gatekeeper.service.people.roles import ConsoleRoles
from gatekeeper.values import Value

if TYPE_CHECKING:
    from starlette.requests import Request

    from gatekeeper.service.audit.checkpoints import Newest
    from gatekeeper.service.audit.feed import Sink
    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.issue.status_list import StatusLists
    from gatekeeper.service.people.console_sessions import ConsoleSession
    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.provider import Provider
    from gatekeeper.service.people.scim_settings import ScimSettings
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.people.workload_keys import WorkloadKeys
    from gatekeeper.service.store.transactions import Store
    from gatekeeper.service.store.turns import Turns
    from gatekeeper.service.web.limits import Limiter
    from gatekeeper.service.web.operations import Operation
    from gatekeeper.service.web.waiting import Waiting
    from gatekeeper.service.worker import Job
    from gatekeeper.trust.dpop import Proof

Clock = Callable[[], int]


class Service(Value):
    """One running service. `clock` gives Unix seconds; `nonce_secret` is shared with the other replicas."""

    store: Store
    turns: Turns
    authority: Authority
    status_lists: StatusLists
    waiting: Waiting
    nonce_secret: bytes
    clock: Clock
    operations: tuple[Operation, ...]
    workload_keys: WorkloadKeys | None = None  # None without [[ci]]
    scim: ScimSettings | None = None  # None without [scim]
    newest: Newest | None = None  # the audit log's newest head, for token answers
    feeds: tuple[Sink, ...] = ()  # where the audit log is fed to
    console: ConsoleRoles = ConsoleRoles()  # who audits and operates in the console
    provider: Provider | None = None  # None without [oidc]
    limiter: Limiter | None = None  # None limits nobody
    jobs: tuple[Job, ...] = ()  # background work of the features, beside the worker's steps

    @property
    def issuer(self) -> str:
        """The exact issuer."""
        return self.authority.issuer

    @property
    def has_provider(self) -> bool:
        """Whether people can sign in with the company's identity provider."""
        return self.provider is not None


class Call(Value):
    """A call of anyone. `now` is read once, so that one call sees one time."""

    service: Service
    request: Request
    now: int


class SessionCall(Call):
    """A call of somebody who is signed in at the console; where it is a form, it is one of ours."""

    session: ConsoleSession


class ProvenCall(Call):
    """A call with a DPoP proof that holds: someone has the key `proof.jkt`. Its `jti` is not yet used up."""

    proof: Proof


class SignedInCall(Call):
    """A call of an enrolled device, with an access token bound to the key that was proved."""

    subject: Subject
    device: Device
