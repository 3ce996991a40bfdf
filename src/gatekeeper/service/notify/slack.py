"""A Slack channel, by an incoming webhook, in Block Kit.

What others wrote stands in `rich_text` alone, whose texts Slack shows as they are: no mention, no link, no
formatting. The one other text, for notices and old clients, is escaped as Slack says (&, <, >).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.notify.news import shown
from gatekeeper.service.notify.target import post
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from gatekeeper.service.notify.news import News

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
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
    """Return the body: title, facts, what the person wrote as a quotation, and the link."""
    lines: list[object] = [_text(shown(news.title, most=300), bold=True)]
    for label, text in news.facts:
        lines += [_text(f"\n{label}: ", bold=True), _text(shown(text, most=300))]
    elements: list[object] = [{"type": "rich_text_section", "elements": lines}]
    if news.words:
        quoted = [_text(shown(news.words, lines=True))]
        elements.append({"type": "rich_text_quote", "elements": quoted})
    link = {"type": "link", "url": news.url, "text": "Open it in the console"}
    elements.append({"type": "rich_text_section", "elements": [link]})
    return render_json(
        {
            "text": shown(news.title, most=300).translate(_ESCAPES),
            "unfurl_links": False,
            "unfurl_media": False,
            "blocks": [{"type": "rich_text", "elements": elements}],
        }
    )


def _text(text: str, *, bold: bool = False) -> dict[str, object]:
    # Slack refuses a text of no characters, and with it the message.
    text = text or "-"
    return {"type": "text", "text": text, "style": {"bold": True}} if bold else {"type": "text", "text": text}
