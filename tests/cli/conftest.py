"""Commands on a fake workstation, with a service that answers as the test says and records what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.facts import HOUR, NOW
from tests.fakes.workstation import ISSUER, PROFILE, TRUST, keep, make_workstation
from tests.fakes.world import FakeWorld

from gatekeeper.cli.app import main
from gatekeeper.cli.here import Here
from gatekeeper.client.authorization import DeviceCode, Question
from gatekeeper.client.credentials import Stored
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.client.signin import SignedIn, SignedOut
from gatekeeper.decision.obstacles import Refused, Renewed
from gatekeeper.documents.api import GrantView, NewRequest, Problem, RequestView
from gatekeeper.documents.catalogue import Catalogue, CatalogueTool, render_catalogue
from gatekeeper.documents.launch_token import Identity
from gatekeeper.documents.terms import TermsView
from gatekeeper.trust.published import CATALOGUE_TYP
from gatekeeper.trust.sign import sign_token
from gatekeeper.workstation.keeping import save_catalogue

if TYPE_CHECKING:
    from gatekeeper.cli.calls import Calls
    from gatekeeper.decision.obstacles import Renewal

DAY = 24 * HOUR


def catalogue(**changes: object) -> Catalogue:
    """Make the catalogue of an organisation with an approved, an open and a closed tool."""

    def tool(id_: str, access: str, **more: object) -> CatalogueTool:
        identity = Identity(npm=f"@vendor/{id_}", versions=">=2.1,<3")
        return CatalogueTool(
            id=id_,
            name=id_.title(),
            vendor="v",
            vendor_name="Vendor",
            access=access,
            executables=(id_,),
            identities=(identity,),
        ).replace(**more)

    made = Catalogue(
        issuer=ISSUER,
        subject="u_1",
        version=3,
        issued_at=NOW - HOUR,
        expires_at=NOW + 23 * HOUR,
        jti="c1",
        organisation="Acme",
        help="#ai-approvals",
        tools=(
            tool("claude", "approval", alternatives=("house",)),
            tool("codex", "approval"),
            tool("house", "open"),
            tool("crush", "closed"),
        ),
        rules=(("zone:core", "The core stays free of other vendors' assistants."),),
    )
    return made.replace(**changes)


def keep_catalogue(world: FakeWorld, **changes: object) -> None:
    """Keep a signed catalogue in the state."""
    signed = sign_token(TRUST.policy, typ=CATALOGUE_TYP, claims=render_catalogue(catalogue(**changes)))
    save_catalogue(world, PROFILE, signed.encode())


def request_view(**changes: object) -> RequestView:
    """Make a pending request for codex."""
    made = RequestView(
        id="R-1",
        tool="codex",
        subject_name="ada@acme.example",
        state="pending",
        reason="Refactor the billing service",
        duration="30d",
        zones=(),
        url=f"{ISSUER}/requests/R-1",
        created_at=NOW - 720,
    )
    return made.replace(**changes)


def grant_view(**changes: object) -> GrantView:
    """Make an active grant of claude."""
    made = GrantView(
        id="G-1",
        tool="claude",
        subject_name="ada@acme.example",
        state="active",
        zones=(),
        starts_at=NOW - DAY,
        ends_at=NOW + 30 * DAY,
        request="R-9",
    )
    return made.replace(**changes)


def not_approved(tool: str = "codex") -> Refused:
    """Make the service's answer for a tool that nobody approved."""
    problem = Problem(
        code="GK301",
        status=403,
        title="not approved",
        detail="AI-07: coding agents need security approval.",
        tool=tool,
        request_url=f"{ISSUER}/requests/new?tool={tool}",
        ref="9f2-7c41",
    )
    return Refused(code="GK301", problem=problem)


class FakeCalls:
    """A service that says what it was told to say. An exception among the answers is raised."""

    def __init__(self, world: FakeWorld) -> None:
        self.world = world
        self.asked: list[tuple[Any, ...]] = []
        self.renewals: dict[str, Renewal] = {}
        self.issued: dict[str, bytes] = {}
        self.standing_requests: tuple[RequestView, ...] | Exception = ()
        self.granted: tuple[GrantView, ...] | Exception = ()
        self.recorded: tuple[RequestView, bool] = (request_view(), True)
        self.lost_answers = 0
        self.waiting: tuple[RequestView, ...] = ()
        self.answer: RequestView | BaseException = request_view(
            state="approved", grant="G-2", decided_by="sam@acme.example"
        )
        self.stored = Stored(where="file", path="/home/ada/.local/share/gatekeeper/credential")
        self.signed_out = SignedOut(revoked=True)
        self.usual = "code"
        self.kept_sign_in: SignedIn | None = None
        self.catalogue_error: Exception | None = None

    def renew(self, word: str, *, interactive: bool) -> Renewal:
        """Issue what was prepared, else answer as told."""
        self.asked.append(("renew", word))
        if word in self.issued:
            keep(self.world, self.issued[word], tool=word)
            return Renewed()
        return self.renewals.get(word, not_approved(word))

    def sync(self, *, lease_for: int | None) -> Sequence[tuple[str, Renewal]]:
        """Give every prepared outcome."""
        self.asked.append(("sync", lease_for))
        return list(self.renewals.items())

    def fetch_catalogue(self) -> None:
        """Keep a catalogue in the state."""
        self.asked.append(("fetch_catalogue",))
        if self.catalogue_error is not None:
            raise self.catalogue_error
        keep_catalogue(self.world)

    def standing(self) -> tuple[Sequence[GrantView], Sequence[RequestView]]:
        """Give grants and requests."""
        self.asked.append(("standing",))
        for answer in (self.granted, self.standing_requests):
            if isinstance(answer, Exception):
                raise answer
        return self.granted, self.standing_requests  # type: ignore[return-value]

    def requests(self) -> Sequence[RequestView]:
        """Give requests."""
        self.asked.append(("requests",))
        if isinstance(self.standing_requests, Exception):
            raise self.standing_requests
        return self.standing_requests

    def request(self, request_id: str) -> RequestView:
        """Give one request."""
        self.asked.append(("request", request_id))
        return request_view(id=request_id)

    def create_request(self, new: NewRequest, *, key: str) -> tuple[RequestView, bool]:
        """Record it, unless the answer gets lost."""
        self.asked.append(("create_request", new, key))
        if self.lost_answers:
            self.lost_answers -= 1
            raise ServiceUnreachable("GK601", "timed out")
        return self.recorded

    def cancel_request(self, request_id: str) -> RequestView:
        """Cancel it."""
        self.asked.append(("cancel_request", request_id))
        return request_view(id=request_id, state="cancelled")

    def wait_for(self, request_id: str, *, timeout: float) -> RequestView:
        """Answer at once."""
        self.asked.append(("wait_for", request_id, timeout))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def reply(self, request_id: str, text: str) -> RequestView:
        """Record the answer."""
        self.asked.append(("reply", request_id, text))
        return request_view(id=request_id)

    def inbox(self) -> Sequence[RequestView]:
        """Give what waits for a review."""
        self.asked.append(("inbox",))
        return self.waiting

    def terms(self, tool: str) -> TermsView:
        """Give the terms."""
        self.asked.append(("terms", tool))
        return TermsView(tool=tool, version=2, sha256="ab" * 32, text="Be careful.\n", accepted=False)

    def accept_terms(self, terms: TermsView) -> TermsView:
        """Accept them."""
        self.asked.append(("accept_terms", terms.tool, terms.sha256))
        return terms.replace(accepted=True)

    def sign_in(self, *, code: str, device_name: str) -> SignedIn:
        """Enrol."""
        self.asked.append(("sign_in", code, device_name))
        return SignedIn(
            subject="u_1",
            name="ada@acme.example",
            device="d_1",
            device_name=device_name,
            service=ISSUER,
            stored=self.stored,
        )

    def usual_sign_in(self) -> str:
        """Say what the test wants."""
        self.asked.append(("usual_sign_in",))
        return self.usual

    def sign_in_by_browser(self, *, device_name: str, ask: Callable[[Question], tuple[str, str]]) -> SignedIn:
        """Enrol, once the browser was asked."""
        question = Question(
            service=ISSUER, device_name=device_name, challenge="c" * 43, jkt="k" * 43, state="state-1"
        )
        self.asked.append(("sign_in_by_browser", device_name, *ask(question)))
        return self.sign_in(code="", device_name=device_name)

    def sign_in_by_device_code(
        self, *, device_name: str, show: Callable[[DeviceCode], None], pause: Callable[[float], None]
    ) -> SignedIn:
        """Enrol, once a code was shown."""
        pause(0)
        show(DeviceCode(user_code="BCDF-GHJK", page=f"{ISSUER}/sign-in/device", expires_in=600))
        self.asked.append(("sign_in_by_device_code", device_name))
        return self.sign_in(code="", device_name=device_name)

    def sign_in_again(self) -> SignedIn | None:
        """Say what the test wants."""
        self.asked.append(("sign_in_again",))
        return self.kept_sign_in

    def sign_out(self) -> SignedOut:
        """Forget."""
        self.asked.append(("sign_out",))
        return self.signed_out

    def names(self) -> list[str]:
        """Name the calls so far."""
        return [call[0] for call in self.asked]


if TYPE_CHECKING:
    _is_a_service: Calls = FakeCalls(FakeWorld())


class Desk:
    """One workstation, one service, and a way to run commands on them."""

    def __init__(self, world: FakeWorld, capture: pytest.CaptureFixture[str]) -> None:
        self.world = world
        self.calls = FakeCalls(world)
        self.opened: list[tuple[str, bool]] = []
        self._capture = capture

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command: exit status, stdout, stderr."""
        self._capture.readouterr()
        status = main(arguments, opener=self._open)
        out, err = self._capture.readouterr()
        return status, out, err

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a command with --json, and read the one object that is all of stdout."""
        import json

        status, out, _ = self.run(*arguments, "--json")
        found = json.loads(out)
        assert isinstance(found, dict)
        return status, found

    def _open(self, profile: str, no_input: bool) -> Here:  # noqa: FBT001 - an `Opener`
        self.opened.append((profile, no_input))
        return Here(self.world, profile=profile, no_input=no_input, calls=self.calls)


@pytest.fixture
def make_desk(capsys: pytest.CaptureFixture[str]) -> Callable[[FakeWorld], Desk]:
    """Make a desk on a given workstation."""
    return lambda world: Desk(world, capsys)


@pytest.fixture
def desk(capsys: pytest.CaptureFixture[str]) -> Desk:
    """Give a desk where ada is signed in, claude is approved, and the catalogue is at hand."""
    world = make_workstation()
    keep_catalogue(world)
    return Desk(world, capsys)


@pytest.fixture
def signed_out(capsys: pytest.CaptureFixture[str]) -> Desk:
    """Give a desk that is configured, and where nobody is signed in."""
    world = make_workstation()
    for path in [path for path in world.files if path.startswith(PROFILE)]:
        del world.files[path]
    return Desk(world, capsys)
