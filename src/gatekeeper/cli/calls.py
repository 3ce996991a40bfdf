"""What commands ask of the service, as one port: `ServiceCalls` goes to `gatekeeper.client`, tests bring their own.

The client's modules (and with them httpx and keyring) are imported by the first call, so that a command
that needs none of them stays light. Every method raises `ServiceRefused`, `ServiceUnreachable` or `TrustError`,
unless it says otherwise.
"""

from __future__ import annotations

GLANCE_TIMEOUT = 4.0  # seconds: what is held here is shown instead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from gatekeeper.client.authorization import DeviceCode, Question
    from gatekeeper.client.session import Session
    from gatekeeper.client.signin import SignedIn, SignedOut
    from gatekeeper.decision.obstacles import Renewal
    from gatekeeper.documents.api import GrantView, NewRequest, RequestView
    from gatekeeper.documents.terms import TermsView
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

    class Calls(Protocol):
        """The service, from a command's point of view."""

        def renew(self, word: str, *, interactive: bool) -> Renewal:
            """Get a new launch token for a tool. What comes of it is a value; nothing is raised for it."""

        def sync(self, *, lease_for: int | None) -> Sequence[tuple[str, Renewal]]:
            """Renew everything that is held or granted; the outcome of each tool."""

        def fetch_catalogue(self) -> None:
            """Get the catalogue, verify it and keep it in the state."""

        def standing(self) -> tuple[Sequence[GrantView], Sequence[RequestView]]:
            """Return the own grants and access requests, of every state, or fail soon: whoever looks needn't wait."""

        def requests(self) -> Sequence[RequestView]:
            """Return the own access requests, of every state."""

        def request(self, request_id: str) -> RequestView:
            """Return one access request."""

        def create_request(self, new: NewRequest, *, key: str) -> tuple[RequestView, bool]:
            """Ask. False where the same request stood already. `key` makes a repeated call harmless."""

        def cancel_request(self, request_id: str) -> RequestView:
            """Withdraw a request."""

        def wait_for(self, request_id: str, *, timeout: float) -> RequestView:
            """Wait until a request is answered or `timeout` seconds are over, and return it as it then is."""

        def reply(self, request_id: str, text: str) -> RequestView:
            """Answer the question about a request."""

        def inbox(self) -> Sequence[RequestView]:
            """Return the requests that wait for one's review."""

        def terms(self, tool: str) -> TermsView:
            """Return the terms of a tool."""

        def accept_terms(self, terms: TermsView) -> TermsView:
            """Accept these terms, signed by this device."""

        def sign_in(self, *, code: str, device_name: str) -> SignedIn:
            """Redeem a one-time code: enrol this device and keep its credential."""

        def usual_sign_in(self) -> str:
            """Return how people sign in with this service: "browser" or "code"."""

        def sign_in_by_browser(
            self, *, device_name: str, ask: Callable[[Question], tuple[str, str]]
        ) -> SignedIn:
            """Sign in with a code that a browser got; `ask` gets it, and says for which redirect address."""

        def sign_in_by_device_code(
            self, *, device_name: str, show: Callable[[DeviceCode], None], pause: Callable[[float], None]
        ) -> SignedIn:
            """Sign in once somebody confirmed the code that `show` was given."""

        def sign_in_again(self) -> SignedIn | None:
            """Bind this state to the sign-in that is kept."""

        def sign_out(self) -> SignedOut:
            """Give the credential back and forget what is kept here. Works without the service, too."""


class ServiceCalls:
    """The real service, through `gatekeeper.client`."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._opened: Session | None = None

    def renew(self, word: str, *, interactive: bool) -> Renewal:
        """Renew one tool's token."""
        from gatekeeper.client.renew import renew

        return renew(self._world, self._settings, word, interactive=interactive)

    def sync(self, *, lease_for: int | None) -> Sequence[tuple[str, Renewal]]:
        """Renew every tool's token."""
        from gatekeeper.client.renew import sync

        return sync(self._world, self._settings, lease_for=lease_for)

    def fetch_catalogue(self) -> None:
        """GET /v1/catalogue, and before it the newest root document."""
        from gatekeeper.client.catalogue import refresh_catalogue
        from gatekeeper.client.root import refresh_root, require_current
        from gatekeeper.client.turn import own_turn

        session = self._session()
        with own_turn(self._world, session.directory):
            now = self._world.now()
            root = refresh_root(self._world, self._settings, session.http, session.directory, now=now)
            refresh_catalogue(
                session,
                require_current(root, now=now),
                subject=session.credential.subject,
                now=now,
                force=True,
            )

    def standing(self) -> tuple[Sequence[GrantView], Sequence[RequestView]]:
        """GET /v1/grants and /v1/requests."""
        from gatekeeper.client.requests import list_grants, list_requests
        from gatekeeper.client.session import open_session

        session = open_session(self._world, self._settings, timeout=GLANCE_TIMEOUT)
        return list_grants(session), list_requests(session)

    def requests(self) -> Sequence[RequestView]:
        """GET /v1/requests."""
        from gatekeeper.client.requests import list_requests

        return list_requests(self._session())

    def request(self, request_id: str) -> RequestView:
        """GET /v1/requests/{id}."""
        from gatekeeper.client.requests import get_request

        return get_request(self._session(), request_id)

    def create_request(self, new: NewRequest, *, key: str) -> tuple[RequestView, bool]:
        """POST /v1/requests."""
        from gatekeeper.client.requests import create_request

        return create_request(self._session(), new, key)

    def cancel_request(self, request_id: str) -> RequestView:
        """POST /v1/requests/{id}/cancel."""
        from gatekeeper.client.requests import cancel_request

        return cancel_request(self._session(), request_id)

    def wait_for(self, request_id: str, *, timeout: float) -> RequestView:
        """GET /v1/requests/{id}?wait=…, again and again."""
        from gatekeeper.client.requests import wait_for

        return wait_for(self._session(), request_id, timeout)

    def reply(self, request_id: str, text: str) -> RequestView:
        """POST /v1/requests/{id}/reply."""
        from gatekeeper.client.requests import reply_to

        return reply_to(self._session(), request_id, text)

    def inbox(self) -> Sequence[RequestView]:
        """GET /v1/requests?role=reviewer."""
        from gatekeeper.client.requests import list_inbox

        return list_inbox(self._session())

    def terms(self, tool: str) -> TermsView:
        """GET /v1/terms/{tool}."""
        from gatekeeper.client.requests import get_terms

        return get_terms(self._session(), tool)

    def accept_terms(self, terms: TermsView) -> TermsView:
        """POST /v1/terms/{tool}/accept."""
        from gatekeeper.client.requests import accept_terms

        return accept_terms(self._session(), terms, now=self._world.now())

    def sign_in(self, *, code: str, device_name: str) -> SignedIn:
        """Redeem a one-time code."""
        from gatekeeper.client.signin import sign_in_with_code

        return sign_in_with_code(self._world, self._settings, code=code, device_name=device_name)

    def usual_sign_in(self) -> str:
        """GET /.well-known/oauth-authorization-server."""
        from gatekeeper.client.authorization import usual_sign_in

        return usual_sign_in(self._settings)

    def sign_in_by_browser(self, *, device_name: str, ask: Callable[[Question], tuple[str, str]]) -> SignedIn:
        """/oauth/authorize, in a browser; POST /oauth/token with its code."""
        from gatekeeper.client.authorization import sign_in_by_browser

        return sign_in_by_browser(self._world, self._settings, device_name=device_name, ask=ask)

    def sign_in_by_device_code(
        self, *, device_name: str, show: Callable[[DeviceCode], None], pause: Callable[[float], None]
    ) -> SignedIn:
        """POST /oauth/device_authorization, then /oauth/token again and again."""
        from gatekeeper.client.authorization import sign_in_by_device_code

        return sign_in_by_device_code(
            self._world, self._settings, device_name=device_name, show=show, pause=pause
        )

    def sign_in_again(self) -> SignedIn | None:
        """Bind this state to the sign-in that is kept, None where none holds."""
        from gatekeeper.client.signin import sign_in_again

        return sign_in_again(self._world, self._settings)

    def sign_out(self) -> SignedOut:
        """Forget the credential."""
        from gatekeeper.client.signin import sign_out

        return sign_out(self._world, self._settings)

    def _session(self) -> Session:
        if self._opened is None:
            from gatekeeper.client.session import open_session

            self._opened = open_session(self._world, self._settings)
        return self._opened
