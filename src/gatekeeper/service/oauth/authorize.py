"""The authorization request of a workstation (RFC 6749 §4.1.1, RFC 7636, RFC 8252, RFC 9449 §10), read and judged. Pure.

There is one client, public, with two places to come back to: its own port on loopback, or our page that shows the
code, for a terminal that has no browser. Anything else that is asked for is refused before anybody is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from gatekeeper.documents.launch_token import CLIENT_ID
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.people.authorizations import Wish
from gatekeeper.service.people.names import check_name
from gatekeeper.strict import b64url_decode
from gatekeeper.values import Value

CALLBACK = "/callback"
_LOOPBACK = ("127.0.0.1", "[::1]")
_DIGEST_BYTES = 32
_MAX_STATE_CHARS = 512
FIELDS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "device_name",
)


class Asked(Value):
    """An authorization request that may be put to the person. `pasted`: the code comes back by hand."""

    wish: Wish
    state: str
    pasted: bool

    def answer(self, issuer: str, **members: str) -> str:
        """Return where the browser goes with an answer (RFC 6749 §4.1.2, RFC 9207)."""
        given = {**members, "state": self.state, "iss": issuer}
        return f"{self.wish.redirect_uri}?{urlencode(given)}"

    def fields(self) -> dict[str, str]:
        """Return the request's parameters, for the form that asks."""
        return {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": self.wish.redirect_uri,
            "state": self.state,
            "code_challenge": self.wish.challenge,
            "code_challenge_method": "S256",
            "dpop_jkt": self.wish.jkt,
            "device_name": self.wish.device_name,
        }


def read_request(given: Mapping[str, str], *, code_page: str) -> Asked:
    """Read hostile parameters; `code_page` is the address of our page that shows codes.

    Nothing is ever sent to an address that a wrong request names: errors are shown, not redirected, because the
    only client makes no wrong requests.

    Raises:
        GatekeeperError: GK100, it is not a request of the one client as it must be; the words say why.
    """
    if given.get("client_id") != CLIENT_ID:
        raise _refused("the client is not known")
    if given.get("response_type") != "code":
        raise _refused("response_type must be code")
    redirect_uri = given.get("redirect_uri", "")
    pasted = redirect_uri == code_page
    if not pasted and not _is_loopback(redirect_uri):
        raise _refused("redirect_uri must be http://127.0.0.1:PORT/callback")
    state = given.get("state", "")
    if not state or len(state) > _MAX_STATE_CHARS or not state.isascii() or not state.isprintable():
        raise _refused("state is missing or no plain text")
    if given.get("code_challenge_method") != "S256":
        raise _refused("code_challenge_method must be S256")
    return Asked(
        wish=Wish(
            redirect_uri=redirect_uri,
            challenge=_digest(given, "code_challenge"),
            jkt=_digest(given, "dpop_jkt"),
            device_name=check_name(given.get("device_name", ""), what="device name", max_chars=128),
        ),
        state=state,
        pasted=pasted,
    )


def _is_loopback(uri: str) -> bool:
    """Say whether this is the one form of a native client's address (RFC 8252 §7.3): any port, nothing else free."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    return port is not None and port > 0 and uri in {f"http://{host}:{port}{CALLBACK}" for host in _LOOPBACK}


def _digest(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, "")
    try:
        if len(b64url_decode(text)) == _DIGEST_BYTES:
            return text
    except Malformed:
        pass
    raise _refused(f"{name} must be a SHA-256 digest in base64url")


def _refused(why: str) -> GatekeeperError:
    return GatekeeperError(
        "GK100", f"The sign-in of a workstation can't begin: {why}.", remedy="gatekeeper login"
    )
