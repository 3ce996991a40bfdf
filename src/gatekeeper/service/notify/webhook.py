"""A webhook of the company's own: each message as JSON, signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.notify.target import post
from gatekeeper.service.signed_calls import signed_headers
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from gatekeeper.service.notify.news import News


class Webhook:
    """A POST for each message. `webhook-id` is the same each time that a message comes."""

    personal = False
    late = True

    def __init__(self, *, name: str, on: tuple[str, ...], url: str, secret: bytes) -> None:
        self.name = name
        self.on = on
        self._url = url
        self._secret = secret

    def send(self, news: News, *, now: int) -> None:
        """Send a message. Raises as `post`."""
        body = render(news)
        post(self._url, body, headers=signed_headers(self._secret, message=news.id, now=now, body=body))


def render(news: News) -> bytes:
    """Return the body: what happened, when (Unix seconds), how it stands now, and the page about it."""
    return render_json(
        {
            "schema": 1,
            "id": news.id,
            "type": news.kind,
            "timestamp": news.at,
            "title": news.title,
            "url": news.url,
            "data": dict(news.data),
        }
    )
