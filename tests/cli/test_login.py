"""`gatekeeper login`: which way it takes, and what it asks of whom."""

from __future__ import annotations

import pytest

from gatekeeper.cli.browser_login import has_browser


@pytest.mark.parametrize(
    ("environment", "opens"),
    [
        ({"BROWSER": "firefox"}, True),
        ({"BROWSER": "code-helper", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, True),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, False),
        ({"SSH_TTY": "/dev/pts/1"}, False),
        ({}, False),
    ],
)
def test_where_a_browser_can_be_opened(environment: dict[str, str], *, opens: bool) -> None:
    """A screen or BROWSER says so; over SSH a screen is somebody's, but the browser would be slow and elsewhere."""
    assert has_browser(environment) is opens
