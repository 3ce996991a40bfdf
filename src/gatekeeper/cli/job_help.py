"""What a pipeline lacks for its jobs to sign in by themselves: the lines of YAML, after the notice that says so."""

from __future__ import annotations

import sys

from gatekeeper.cli.formats.text import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.cli.here import Here

SIGNED_OUT = "GK201"


def say_job_help(here: Here, code: str) -> None:
    """Print to stderr what gives a job of a known platform its token, where that is what is missing."""
    environment = here.world.environment()
    if (
        code != SIGNED_OUT
        or sys.stderr is None
        or not any(environment.get(n) for n in ("GITHUB_ACTIONS", "GITLAB_CI"))
    ):
        return
    from gatekeeper.client.ci import help_lines

    lines = help_lines(environment, service=here.settings.service)
    if lines:
        say("Add to the job, so that it signs in by itself:", sys.stderr)
    for line in lines:
        say(f"  {line}", sys.stderr)
