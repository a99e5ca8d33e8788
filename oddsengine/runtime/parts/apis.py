"""The parts of a gateway's HTTP API that have settings of their own: commands, quotes, sign-in and the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.common.clock import CLOCK
from oddsengine.gateway.commands.api import CommandsApi
from oddsengine.gateway.console.sign_in import SignInApi
from oddsengine.gateway.quotes.api import QuotesApi
from oddsengine.gateway.quotes.keys import QuoteKeys
from oddsengine.runtime.parts.access import commands_part, sign_in_part
from oddsengine.runtime.parts.quotes import quotes_part
from oddsengine.runtime.past.api import HistoryApi
from oddsengine.runtime.past.sources import HistorySource

if TYPE_CHECKING:
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.runtime.reload import ReloadedPart
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.timing import Timing
    from oddsengine.streams.commands.log import CommandLog


class GatewayApis(NamedTuple):
    """The parts of one gateway's API. `past` has connections to the history, which its owner closes."""

    commands: CommandsApi
    quotes: QuotesApi
    sign_in: SignInApi
    past: HistoryApi

    def parts(self) -> list[ReloadedPart]:
        """Return what a reload does with them; of `past` it changes how subscribers are served."""
        return [sign_in_part(self.sign_in), commands_part(self.commands), quotes_part(self.quotes)]

    def offered(self) -> list[str]:
        """Return what the console may ask for, by name."""
        offered = {"provider": self.sign_in.has_provider, "history": self.past.source.is_possible}
        return [name for name, is_offered in offered.items() if is_offered]


def build_apis(settings: Settings, hub: Hub, admission: Admission, log: CommandLog, timing: Timing) -> GatewayApis:
    """Build the parts of a gateway's API.

    Args:
        settings: the configuration.
        hub: has what is on offer.
        admission: admits requests.
        log: the log of commands.
        timing: how long an answer to a command waits.

    Raises:
        ValueError: if a key that signs quotes can't be used.
    """
    return GatewayApis(
        CommandsApi(log, hub.replica, admission, settings.commands, timing.command_wait_s),
        QuotesApi(hub, admission, QuoteKeys(settings.quotes), CLOCK.wall_ms),
        SignInApi(settings.auth.oidc, admission),
        HistoryApi(HistorySource(settings.history), hub, admission, settings),
    )
