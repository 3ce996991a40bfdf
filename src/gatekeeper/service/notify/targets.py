"""The targets that service.toml names, with their secrets read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.notify.mail import Mail
from gatekeeper.service.notify.settings import SLACK
from gatekeeper.service.notify.slack import Slack
from gatekeeper.service.notify.teams import Teams
from gatekeeper.service.notify.webhook import Webhook
from gatekeeper.service.outbound import NoAnswer, check_url
from gatekeeper.service.signed_calls import MIN_SECRET, read_private

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gatekeeper.service.notify.settings import TargetSettings
    from gatekeeper.service.notify.target import Target


def targets_of(settings: Iterable[TargetSettings]) -> tuple[Target, ...]:
    """Return the targets. Raises `GatekeeperError` GK101 where a secret or an address can't be used."""
    return tuple(_target(one) for one in settings)


def _target(one: TargetSettings) -> Target:
    if one.mail is not None:
        path = one.mail.password_file
        password = _text(one.name, path) if path is not None else ""
        return Mail(one.mail, name=one.name, on=one.on, password=password)
    if one.url_file is not None:
        url = _checked(one.name, _text(one.name, one.url_file))
        channel = Slack if one.kind == SLACK else Teams
        return channel(name=one.name, on=one.on, url=url)
    if one.secret_file is None:
        raise RuntimeError("a webhook has a secret")
    secret = read_private(one.secret_file, least=MIN_SECRET)
    return Webhook(name=one.name, on=one.on, url=_checked(one.name, one.url), secret=secret)


def _text(name: str, path: Path) -> str:
    try:
        return read_private(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise GatekeeperError("GK101", f"notify, {name}: {path} holds no text.") from error


def _checked(name: str, url: str) -> str:
    try:
        check_url(url)
    except NoAnswer as error:
        raise GatekeeperError(
            "GK101", f"notify, {name}: the address can't be called: {error.why}."
        ) from error
    return url
