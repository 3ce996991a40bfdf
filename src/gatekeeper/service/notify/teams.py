"""A Microsoft Teams channel, by the webhook of a Workflow, as an Adaptive Card.

What others wrote stands in text runs alone: unlike text blocks and facts, these know no Markdown. What a card
would compute (`{{DATE(…)}}`, `${…}`) is broken up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.notify.news import shown
from gatekeeper.service.notify.target import post
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from gatekeeper.service.notify.news import News

_VERSION = "1.4"


class Teams:
    """One channel."""

    personal = False
    late = False

    def __init__(self, *, name: str, on: tuple[str, ...], url: str) -> None:
        self.name = name
        self.on = on
        self._url = url

    def send(self, news: News, *, now: int) -> None:  # noqa: ARG002 - every target is told the time
        """Send a message. Raises as `post`."""
        post(self._url, render(news), headers={"content-type": "application/json"})


def render(news: News) -> bytes:
    """Return the body: one card with title, facts, what the person wrote, and a button that opens the page."""
    body: list[object] = [_block([_run(shown(news.title, most=300), weight="bolder", size="medium")])]
    for label, text in news.facts:
        body.append(
            _block([_run(f"{label}: ", weight="bolder"), _run(shown(text, most=300))], spacing="small")
        )
    if news.words:
        quoted = [_block([_run(line or " ")]) for line in shown(news.words, lines=True).split("\n")[:40]]
        body.append({"type": "Container", "style": "emphasis", "items": quoted})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": _VERSION,
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": "Open it in the console", "url": news.url}],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return render_json({"type": "message", "attachments": [attachment]})


def _block(runs: list[object], **more: str) -> dict[str, object]:
    return {"type": "RichTextBlock", "inlines": runs, **more}


def _run(text: str, **more: str) -> dict[str, object]:
    return {"type": "TextRun", "text": text.replace("{{", "{ {").replace("${", "$ {") or "-", **more}
