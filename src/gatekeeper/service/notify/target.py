"""What every target is: somewhere a message can be sent, and the two ways in which that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gatekeeper.service.outbound import NoAnswer, send_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatekeeper.service.notify.news import News

_MOST_WAIT = 3600
_LATER = (408, 425, 429)


class NotTaken(Exception):
    """The target didn't take this message (the reason holds no secret); others may fare better."""


class TargetDown(NotTaken):
    """The target takes nothing now: what else waits for it waits with this. `wait_for` is what it asked for, seconds."""

    def __init__(self, why: str, *, wait_for: int = 0) -> None:
        super().__init__(why)
        self.wait_for = wait_for


class Target(Protocol):
    """Somewhere messages go."""

    @property
    def name(self) -> str:
        """What its deliveries are kept under."""
        ...

    @property
    def on(self) -> tuple[str, ...]:
        """The kinds that go there."""
        ...

    @property
    def personal(self) -> bool:
        """Whether a message goes to people (`News.to`) instead of one place."""
        ...

    @property
    def late(self) -> bool:
        """Whether it also wants what is over by now, as programs do."""
        ...

    def send(self, news: News, *, now: int) -> None:
        """Send a message. Raises `NotTaken`, `TargetDown`: then it comes again."""
        ...


def post(url: str, body: bytes, *, headers: Mapping[str, str]) -> None:
    """Send a message over HTTP; any answer but 2xx is a failure. The address is named in none.

    Raises:
        TargetDown: nobody answers, or the answer asks to come later.
        NotTaken: any other answer.
    """
    try:
        answer = send_now("POST", url, headers=headers, body=body)
    except NoAnswer as error:
        raise TargetDown(error.why) from error
    if 200 <= answer.status < 300:
        return
    why = f"it answered with status {answer.status}"
    if answer.status >= 500 or answer.status in _LATER:
        asked = answer.headers.get("retry-after", "")
        wait = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0
        raise TargetDown(why, wait_for=min(wait, _MOST_WAIT))
    raise NotTaken(why)
