"""What a handler gets: the service that runs, and the call that came, as far as it was authenticated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gatekeeper.values import Value

if TYPE_CHECKING:
    from starlette.requests import Request

    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.issue.status_list import StatusLists
    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.store.transactions import Store
    from gatekeeper.service.web.operations import Operation
    from gatekeeper.service.web.waiting import Waiting
    from gatekeeper.trust.dpop import Proof

Clock = Callable[[], int]


class Service(Value):
    """One running service. `clock` gives Unix seconds; `nonce_secret` is shared with the other replicas."""

    store: Store
    authority: Authority
    status_lists: StatusLists
    waiting: Waiting
    nonce_secret: bytes
    clock: Clock
    operations: tuple[Operation, ...]

    @property
    def issuer(self) -> str:
        """The exact issuer."""
        return self.authority.issuer


class Call(Value):
    """A call of anyone. `now` is read once, so that one call sees one time."""

    service: Service
    request: Request
    now: int


class ProvenCall(Call):
    """A call with a DPoP proof that holds: someone has the key `proof.jkt`. Its `jti` is not yet used up."""

    proof: Proof


class SignedInCall(Call):
    """A call of an enrolled device, with an access token bound to the key that was proved."""

    subject: Subject
    device: Device
