"""The port on loopback that waits for a browser."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from gatekeeper.client.authorization import Question
from gatekeeper.client.loopback import Callback
from gatekeeper.errors import GatekeeperError

SERVICE = "https://gatekeeper.acme.example"
QUESTION = Question(service=SERVICE, device_name="laptop", challenge="c" * 43, jkt="k" * 43, state="state-1")


def get(url: str) -> int:
    """Open an address as a browser would; return the status."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_it_takes_the_first_answer_and_nothing_else() -> None:
    """Other paths and what has no state change nothing; the answer's page sends people back to the terminal."""
    with Callback() as callback:
        assert callback.redirect_uri.startswith("http://127.0.0.1:")
        base = callback.redirect_uri.removesuffix("/callback")
        assert get(f"{base}/favicon.ico") == 404
        assert get(f"{base}/callback?code=x") == 404
        assert get(f"{base}/callback?state=a&state=b") == 404
        assert callback.wait(0) is None
        assert get(f"{base}/callback?code=x&state=y") == 200
        assert callback.wait(10) == {"code": "x", "state": "y"}
    with pytest.raises(urllib.error.URLError):
        get(f"{base}/callback?code=x&state=y")


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "state-2"},
        {"state": ""},
        {"iss": "https://evil.example"},
        {"error": "access_denied"},
        {"code": ""},
    ],
)
def test_an_answer_of_another_sign_in_or_service_is_refused(changes: dict[str, str]) -> None:
    """State and issuer must be ours (RFC 9207), and a refusal stays one even beside a code."""
    answer = {"code": "gkc_1", "state": "state-1", "iss": SERVICE}
    assert QUESTION.code_of(answer) == "gkc_1"
    with pytest.raises(GatekeeperError, match="GK207"):
        QUESTION.code_of(answer | changes)
