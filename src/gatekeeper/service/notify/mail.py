"""E-mail over SMTP: plain text, to one person each, so that nobody sees who else got it.

Certificates are checked against the system's (or SSL_CERT_FILE). What a server says is shown to nobody but the
operator, and cut.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from gatekeeper.service.notify.news import shown
from gatekeeper.service.notify.settings import STARTTLS, TLS
from gatekeeper.service.notify.target import NotTaken, TargetDown

if TYPE_CHECKING:
    from gatekeeper.service.notify.news import News
    from gatekeeper.service.notify.settings import MailSettings

_SECONDS = 10.0
_PERMANENT = 500


class Mail:
    """People, each at their own address."""

    personal = True
    late = False

    def __init__(self, settings: MailSettings, *, name: str, on: tuple[str, ...], password: str) -> None:
        self.name = name
        self.on = on
        self._settings = settings
        self._password = password

    def send(self, news: News, *, now: int) -> None:  # noqa: ARG002 - every target is told the time
        """Hand a message to the server.

        Raises:
            TargetDown: the server can't be reached, isn't who it should be, or refuses us.
            NotTaken: it doesn't take this message, or not for this address.
        """
        try:
            message = render(news, sender=self._settings.sender)
        except (ValueError, MessageError, IndexError) as error:
            raise NotTaken("the address is none") from error
        try:
            with self._connected() as server:
                server.send_message(message, from_addr=self._settings.sender, to_addrs=[news.to])
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = next(iter(error.recipients.values()), (0, b""))
            raise NotTaken(f"the server refused the recipient ({code})") from error
        except smtplib.SMTPResponseException as error:
            why = f"the server answered {error.smtp_code}"
            if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= _PERMANENT:
                raise NotTaken(why) from error
            raise TargetDown(why) from error
        except (smtplib.SMTPException, OSError) as error:
            words = getattr(error, "strerror", None) or type(error).__name__
            raise TargetDown(shown(str(words), most=100)) from error

    def _connected(self) -> smtplib.SMTP:
        """Return a connection that is encrypted as the settings say, and signed in. Raises as smtplib does."""
        one = self._settings
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if one.security == TLS:
            server = smtplib.SMTP_SSL(one.host, one.port, timeout=_SECONDS, context=context)
        else:
            server = smtplib.SMTP(one.host, one.port, timeout=_SECONDS)
        try:
            if one.security == STARTTLS:
                # Raises where the server doesn't offer it: somebody between us may have taken the offer out.
                server.starttls(context=context)
            if one.login:
                server.login(one.login, self._password)
        except BaseException:
            with suppress(OSError, smtplib.SMTPException):
                server.close()
            raise
        return server


def render(news: News, *, sender: str) -> EmailMessage:
    """Return the mail. Raises `ValueError` or `MessageError` where the recipient's address can't be one."""
    message = EmailMessage()
    message["From"] = Address("gatekeeper", addr_spec=sender)
    message["To"] = Address(addr_spec=news.to)
    message["Subject"] = shown(news.title, most=150)
    message["Date"] = format_datetime(datetime.fromtimestamp(news.at, UTC))
    # The same for each repetition: many mail programs then show it once.
    message["Message-ID"] = f"<{news.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [shown(news.title, most=300), ""]
    lines += [f"{label}: {shown(text, most=500)}" for label, text in news.facts]
    if news.words:
        lines += ["", *(f"> {line}" for line in shown(news.words, lines=True, most=4000).split("\n"))]
    lines += ["", f"Open it in the console: {news.url}", ""]
    message.set_content("\n".join(lines))
    return message
