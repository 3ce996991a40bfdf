"""Where a command runs: settings, state and service of one profile, opened as late as each is needed.

`open_here` is the only place that makes real ones; tests hand `cli.app.main` another opener.
"""

from __future__ import annotations

import sys

from gatekeeper.cli.calls import ServiceCalls
from gatekeeper.cli.formats.text import is_terminal
from gatekeeper.cli.held import Held, load_held
from gatekeeper.config.merge import read_settings
from gatekeeper.decision.facts import FOREIGN, NONE
from gatekeeper.decision.notice import under_agent
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.posix import PosixWorld
from gatekeeper.workstation.settings import Settings
from gatekeeper.workstation.state import TokenState, load_token, profile_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gatekeeper.cli.calls import Calls
    from gatekeeper.trust.chain import Verify
    from gatekeeper.workstation.world import World

    Opener = Callable[[str, bool], "Here"]


class Here:
    """One command's surroundings. `profile` and `no_input` are the options', "" and False without them."""

    def __init__(
        self, world: World, *, profile: str, no_input: bool = False, calls: Calls | None = None
    ) -> None:
        self.world = world
        self._no_input = no_input
        self.asked_profile = profile
        self._settings: Settings | None = None
        self._calls = calls
        self._held: Held | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the profile. GatekeeperError GK101, GK102, GK106."""
        if self._settings is None:
            read = read_settings(self.world, profile=self.asked_profile)
            if not isinstance(read, Settings):
                from gatekeeper.config.load import load_settings

                read = load_settings(self.world, profile=self.asked_profile)
            self._settings = _of_job(self.world, read)
        return self._settings

    @property
    def directory(self) -> str:
        """The profile's folder of the state."""
        return profile_directory(self.settings.state_directory, self.settings.profile)

    @property
    def calls(self) -> Calls:
        """The service, configured and pinned. GatekeeperError GK101, GK104."""
        self.require_service()
        if self._calls is None:
            self._calls = ServiceCalls(self.world, self.settings)
        return self._calls

    @property
    def verify(self) -> Verify:
        """What checks signatures, as the configuration says."""
        if self.settings.verifier == "library":
            from gatekeeper.trust.library import verify_es256 as by_library

            return by_library
        from gatekeeper.trust.p256_plain import verify_es256

        return verify_es256

    @property
    def held(self) -> Held:
        """What the state holds, verified; read once, until `forget_held`."""
        if self._held is None:
            self._held = load_held(self.world, settings=self.settings, verify=self.verify)
        return self._held

    def forget_held(self) -> None:
        """Read the state again the next time: a call has changed it."""
        self._held = None

    @property
    def now(self) -> int:
        """The wall clock."""
        return self.world.now()

    @property
    def agent(self) -> bool:
        """Whether an AI agent seems to run this command."""
        return under_agent(self.world.environment())

    def may_ask(self) -> bool:
        """Say whether a question may be put: a person on a terminal, who didn't say --no-input."""
        if self.must_not_ask():
            return False
        return is_terminal(sys.stdin) and is_terminal(sys.stderr)

    def must_not_ask(self) -> bool:
        """Say whether asking is forbidden: --no-input, its setting, or an agent at work."""
        return self._no_input or self.settings.no_input or self.agent

    def tool_id(self, word: str) -> str:
        """Return the tool's id where `word` is an executable's name; the service is asked by id."""
        kept = load_token(self.world, self.directory, word)
        if isinstance(kept, TokenState):
            return kept.tool
        catalogue = self.held.catalogue
        tool = None if catalogue is None else catalogue.tool(word)
        return word if tool is None else tool.id

    def require_service(self) -> None:
        """Raise GatekeeperError GK101 without a service, GK104 without a pinned root key."""
        if self.settings.service and self.settings.trust_roots:
            return
        from gatekeeper.config.keys import USER
        from gatekeeper.config.load import list_files

        path = next(one.path for one in list_files(self.world) if one.layer == USER)
        code, found = (
            ("GK104", "The configuration names a service and no trust_roots.")
            if self.settings.service
            else ("GK101", "No service is configured.")
        )
        raise GatekeeperError(
            code,
            f"{found} Ask your IT for the two lines (service, trust_roots) and put them into {path}.",
            remedy="gatekeeper config path",
        )

    def require_sign_in(self) -> Held:
        """Return what is held here. GatekeeperError GK201 where nobody is signed in, GK204 for a copied state."""
        self.require_service()
        held = self.held
        if held.state == NONE:
            raise GatekeeperError("GK201", "Nobody is signed in on this workstation.")
        if held.state == FOREIGN:
            raise GatekeeperError(
                "GK204", f"The state in {self.directory} was made on another machine, or moved."
            )
        return held


def open_here(profile: str, no_input: bool) -> Here:
    """Open the real workstation."""
    return Here(PosixWorld(), profile=profile, no_input=no_input)


def _of_job(world: World, settings: Settings) -> Settings:
    """Return a CI job's own settings where a platform's token is at hand; else `settings` as they are."""
    environment = world.environment()
    if not any(environment.get(name) for name in ("GATEKEEPER_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL")):
        return settings  # what a job needs is loaded in a job alone
    from gatekeeper.client.ci import job_settings

    return job_settings(settings, environment)
