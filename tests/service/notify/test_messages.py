"""What messages say: what the inbox says, as text, with a link, and nothing that decides; and who gets them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.service.access.office import Office
from tests.service.notify.parts import (
    ISSUER,
    MailServer,
    Receiver,
    deliverer,
    mail,
    stands,
    states,
    work,
)
from tests.service.store.parts import REASON

from gatekeeper.service.notify.deliveries import wait_after
from gatekeeper.service.notify.news import ASKS
from gatekeeper.service.notify.slack import Slack
from gatekeeper.service.notify.teams import Teams

HOSTILE = (
    "<!channel> *now* <https://evil.example|see> [x](https://evil.example) {{DATE(x)}} \u202eabc & more\nnext"
)


def test_channels_get_text_and_a_link_and_nothing_that_decides(office: Office, receiver: Receiver) -> None:
    """Markup in a reason stays text; the message opens a page and can't approve; what is decided asks nobody."""
    one = deliverer(
        Slack(name="slack", on=ASKS, url=receiver.url), Teams(name="teams", on=ASKS, url=receiver.url)
    )
    request = office.ask(reason=HOSTILE)
    gone = office.ask("ben")
    office.cancel(gone, "ben")
    work(office, one)
    assert sorted(states(office)) == ["delivered", "delivered", "dropped", "dropped"]
    slack = next(body for body in receiver.sent if "blocks" in body)
    teams = next(body for body in receiver.sent if "attachments" in body)
    url = f"{ISSUER}/requests/{request.id}"

    assert slack["text"] == "ada@acme.example asks for probe"
    kinds = [(one["type"], one.get("url")) for one in _inner(slack["blocks"]) if "text" in one]
    assert set(kinds) == {("text", None), ("link", url)}, (
        "what others wrote stands in plain text elements alone"
    )
    assert "action" not in json.dumps(slack)

    card = teams["attachments"][0]["content"]
    runs = {one["type"] for one in _inner(card["body"]) if "text" in one}
    assert runs == {"TextRun"}, "no text block and no fact, which know Markdown"
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open it in the console", "url": url}]
    assert "{{" not in json.dumps(card)
    for body in (slack, card):
        said = " ".join(str(one["text"]) for one in _inner(body) if "text" in one)
        assert "<https://evil.example|see>" in said
        assert "\u202e" not in said
        for fact in (request.id, "ada@acme.example", "probe", "outside every zone", "10d", "allows it"):
            assert fact in said


def test_people_are_asked_and_told_by_mail(office: Office, mail_server: MailServer) -> None:
    """Those who may review, each alone; then who asked, with the decision. Nobody gets their own request to review."""
    one = deliverer(mail(mail_server))
    office.person("gil", "security", "trainee")  # policy lets no trainee review
    request = office.ask(reason="Ada\r\nBcc: all@acme.example\r\n.\r\n" + REASON)
    work(office, one, rounds=2)
    assert sorted(to for to, _ in mail_server.mails) == ["cleo@acme.example", "dan@acme.example"]
    _, asked = mail_server.mails[0]
    assert asked["Subject"] == "ada@acme.example asks for probe"
    assert asked["Bcc"] is None
    body = asked.get_content()
    assert "> Bcc: all@acme.example" in body
    assert f"{ISSUER}/requests/{request.id}" in body
    assert "http" not in body.replace(f"{ISSUER}/requests/{request.id}", "")
    assert len({mail["Message-ID"] for _, mail in mail_server.mails}) == 1
    mail_server.mails.clear()
    office.approve(request)
    work(office, one)
    [(to, told)] = mail_server.mails
    assert (to, told["Subject"]) == ("ada@acme.example", "Approved: probe for ada@acme.example")
    assert "By: cleo@acme.example" in told.get_content()
    assert "> fine" in told.get_content()


def test_mail_goes_to_managers_those_above_and_never_past_a_lost_right(
    office: Office, mail_server: MailServer
) -> None:
    """Who lost the right before the sending reads no reason; an emergency reaches manager and duty as well."""
    one = deliverer(mail(mail_server))
    mail_server.refused.add("ben@acme.example")
    office.ask(tool="managed")
    work(office, one)
    assert sorted(to for to, _ in mail_server.mails) == ["cleo@acme.example", "dan@acme.example"]
    mail_server.refused.clear()
    office.person("ada", manager="eve@acme.example")
    office.now += wait_after(1)
    mail_server.mails.clear()
    work(office, one)
    assert mail_server.mails == []
    assert states(office).count("dropped") == 1
    office.person("ada", "oncall", manager="ben@acme.example")
    office.emergency()
    mail_server.down = True
    work(office, one)
    assert stands(office).waiting == 4
    mail_server.down = False
    office.now += wait_after(1)
    work(office, one)
    assert sorted(to for to, _ in mail_server.mails) == [
        f"{who}@acme.example" for who in ("ben", "cleo", "dan", "fay")
    ]


def _inner(value: object) -> Iterator[dict[str, object]]:
    """Yield every object within, the value itself first."""
    if isinstance(value, dict):
        yield value
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        yield from _inner(member)
