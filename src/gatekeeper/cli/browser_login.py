"""`gatekeeper login` with a browser: opened here, or the address shown and its code pasted; or a code typed elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser

import typer

from gatekeeper.cli.formats.text import say, waiting
from gatekeeper.errors import GatekeeperError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gatekeeper.cli.here import Here
    from gatekeeper.client.authorization import DeviceCode, Question
    from gatekeeper.client.signin import SignedIn

WAIT_FOR = 300.0
_AGAIN = "gatekeeper login"


def by_browser(here: Here, device_name: str) -> SignedIn:
    """Sign in with a browser: on this machine where one can be opened, else with a pasted code.

    Raises:
        GatekeeperError: GK100, there is neither a browser nor anybody to paste; GK207, refused or unanswered.
    """
    opens = has_browser(here.world.environment())
    if here.must_not_ask() or not (opens or here.may_ask()):
        raise GatekeeperError(
            "GK100",
            "login needs a browser, or a terminal to paste a code into.",
            remedy="gatekeeper login --code CODE",
        )

    def ask(question: Question) -> tuple[str, str]:
        return _opened(here, question) if opens else _pasted(here, question)

    return here.calls.sign_in_by_browser(device_name=device_name, ask=ask)


def by_device_code(here: Here, device_name: str) -> SignedIn:
    """Sign in with a code that is typed into a browser elsewhere. GatekeeperError GK207 where that isn't allowed."""

    def show(code: DeviceCode) -> None:
        say(f"Open {code.page} in a browser, and type: {code.user_code}", sys.stderr)
        say("Only there, and only because you ran this command yourself.", sys.stderr)

    with waiting(f"Waiting for somebody to confirm it with {here.settings.service}"):
        return here.calls.sign_in_by_device_code(device_name=device_name, show=show, pause=_pause)


def has_browser(environment: Mapping[str, str]) -> bool:
    """Say whether a browser of this person can be opened here. A text browser in this terminal is none.

    A remote editor sets BROWSER to what opens one on the person's own machine, and forwards the port.
    """
    if environment.get("BROWSER"):
        return True
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        return False
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def _opened(
    here: Here, question: Question, open_: Callable[[str], bool] = webbrowser.open
) -> tuple[str, str]:
    from gatekeeper.client.loopback import Callback

    with Callback() as callback:
        url = question.url(callback.redirect_uri)
        if not open_(url) and not here.may_ask():
            raise GatekeeperError("GK100", "No browser could be opened.", remedy=_AGAIN)
        say("Your browser asks whether to sign this device in. If it shows nothing, open:", sys.stderr)
        say(f"  {url}", sys.stderr)
        with waiting("Waiting for the browser"):
            answer = callback.wait(WAIT_FOR)
        if answer is None:
            raise GatekeeperError("GK207", "The browser didn't answer within 5 minutes.", remedy=_AGAIN)
        return question.code_of(answer), callback.redirect_uri


def _pasted(here: Here, question: Question) -> tuple[str, str]:
    from gatekeeper.client.authorization import CODE_PAGE

    redirect_uri = here.settings.service + CODE_PAGE
    say("Open this address in a browser, on whichever machine you like:", sys.stderr)
    say(f"  {question.url(redirect_uri)}", sys.stderr)
    return str(typer.prompt("Paste the code that it shows", err=True)), redirect_uri


def device_name_of(given: str, *, longest: int) -> str:
    """Return what the device is called: as given, else its host name."""
    return (given or os.uname().nodename).strip()[:longest]
