"""`gatekeeper version`: which gatekeeper, on which Python and platform."""

from __future__ import annotations

import sys

from gatekeeper import __version__
from gatekeeper.cli.formats.text import say
from gatekeeper.cli.options import Json

EXAMPLES = ("gatekeeper version", "gatekeeper version --json")


def version(*, as_json: Json = False) -> int:
    """Print the version."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    if as_json:
        from gatekeeper.cli.formats.json import print_json

        print_json({"version": __version__, "python": python, "platform": sys.platform})
    else:
        say(f"gatekeeper {__version__} (Python {python}, {sys.platform})")
    return 0
