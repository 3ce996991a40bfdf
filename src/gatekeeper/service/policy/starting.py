"""The policy that a new service starts with: every well-known assistant, each needs an approval, a zone another."""

from __future__ import annotations

from functools import cache
from importlib import resources

from gatekeeper.service.policy.files import PolicyFiles
from gatekeeper.vendors.catalogue import load_builtin

_HEAD = """\
# The organisation's policy: which AI assistants may be used, by whose leave, for how long.
# gatekeeper itself knows how each assistant is recognised and launched; what stands here overrides that, key by
# key. A tool that isn't named here is always refused.

[organisation]
name = ""                       # shown in messages and the console
help = ""                       # where people ask, as "#ai-approvals"

[defaults]
access = "approval"             # open: no request needed | approval | closed: no requests taken
duration = "30d"                # of a grant, where the request names none
max_duration = "90d"
min_reason = 20                 # characters
fresh = "15m"                   # a launch token younger than this launches without asking the service
lease = "24h"                   # how long one works when the service can't be reached
max_lease = "24h"               # at most 72h

# A zone is a set of repositories that an approval must name:
# [zones.frontier-models]
# remotes = ["github.com/acme/llama-*"]

# Limits of one tool stand with it:
#   max_duration = "14d"
#   alternatives = ["TOOL"]     # what a refusal offers instead
#   identity = [{ npm = "PACKAGE", versions = ">=2.1,<3" }]
"""


_EXPECT = """\
# What the rules must say, whatever is changed: `gatekeeper service policy test DIR` runs these, and a policy that
# fails one isn't applied. A case names a subject as the identity provider would, an action, a tool, a zone.

[[expect]]                      # nobody launches it without an approval
subject = { id = "ada@acme.example", groups = ["dev"] }
action = "launch"               # request | autoApprove | launch | review | breakGlass
tool = "claude"
verdict = "refuse"

[[expect]]                      # with one, it launches
subject = { id = "ada@acme.example", groups = ["dev"] }
action = "launch"
tool = "claude"
grant = true                    # as if an approval that covers the zone stood
verdict = "allow"
"""


def starting_catalogue() -> str:
    """Return the text of `catalogue.toml` for a new service."""
    builtin = load_builtin()
    parts = [_HEAD]
    for name, tool in builtin["tools"].items():
        vendor = builtin["vendors"].get(tool["vendor"], {}).get("name", tool["vendor"])
        parts.append(f'[tools.{name}]  # {tool["name"]}, {vendor}\naccess = "approval"\n')
    return "\n".join(parts)


@cache
def starting_rules() -> str:
    """Return the text of `access.cedar` for a new service: the access classes decide."""
    return (resources.files("gatekeeper.service.policy") / "starting.cedar").read_text("utf-8")


def starting_expectations() -> str:
    """Return the text of `expect.toml` for a new service."""
    return _EXPECT


def starting_files() -> PolicyFiles:
    """Return the policy of a new service."""
    return PolicyFiles(
        catalogue=starting_catalogue(), access=starting_rules(), expect=starting_expectations()
    )
