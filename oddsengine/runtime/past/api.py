"""Answers questions about the past over HTTP: what was a market, how did it change and why, who commanded what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiohttp import web
from msgspec import UNSET

from oddsengine.common.clock import iso_time
from oddsengine.common.excerpts import echoed
from oddsengine.common.http import error, json_answer
from oddsengine.common.reporting.line_limit import LineLimit
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.commands.answers import command_answer
from oddsengine.gateway.commands.permissions import is_of_profile, may_see
from oddsengine.gateway.past.messages import CommandStep, CommandStepsAnswer
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.server.rest import allow_parameters, includes_fair, odds_format_of
from oddsengine.history.errors import Unavailable
from oddsengine.history.questions.commands import CommandQuestions
from oddsengine.history.questions.cursors import Place, before, encode_cursor
from oddsengine.history.questions.explanations import ExplanationQuestions
from oddsengine.history.questions.markets import MarketQuestions
from oddsengine.history.questions.pool import HistoryPool
from oddsengine.history.questions.sightings import Absence
from oddsengine.runtime.past.market_answers import absence_text, changes_answer, explanation_answer, market_answer
from oddsengine.runtime.past.parameters import author_of, cursor_of, limit_of, profile_of, rejected, time_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiohttp.typedefs import Handler

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.history.questions.commands import Step
    from oddsengine.runtime.past.sources import HistorySource
    from oddsengine.runtime.settings import Settings

_LIMIT: Final = 100
_MAX_LIMIT: Final = 1000
#: Steps that a client may not see are skipped, in at most so many reads.
_READS: Final = 5
_END_MS: Final = 1 << 62
_log = structlog.get_logger(__name__)


class HistoryApi:
    """Request handlers of the history.

    Args:
        source: where the history is.
        hub: what is published now, and the profile of each client.
        admission: authorises requests.
        settings: the configuration.
    """

    def __init__(self, source: HistorySource, hub: Hub, admission: Admission, settings: Settings) -> None:
        self.source = source
        self._hub = hub
        self._admission = admission
        self._stale_after_s = settings.gateway.stale_suspend_after_s
        self.pool = HistoryPool(source, settings.redis.namespace)
        self._markets = MarketQuestions(self.pool, self._published)
        self._explanations = ExplanationQuestions(self.pool, self._markets)
        self._commands = CommandQuestions(self.pool)
        self._unavailable_lines = LineLimit()

    def use(self, stale_suspend_after_s: float) -> None:
        """Take over another time after which a silent shard is suspended."""
        self._stale_after_s = stale_suspend_after_s

    def routes(self) -> list[web.RouteDef]:
        """Return the API's routes."""
        return [
            web.get("/v1/history/commands", self._require(Role.trader, self.commands)),
            web.get("/v1/history/markets/{id:.+}/explain", self._require(Role.trader, self.explain)),
            web.get("/v1/history/markets/{id:.+}/changes", self._require(Role.service, self.changes)),
            web.get("/v1/history/markets/{id:.+}", self._require(Role.service, self.market)),
        ]

    def _published(self, shard: int) -> tuple[int, int]:
        offers = self._hub.replica.offers
        return (offers[shard].epoch, offers[shard].seq) if shard < len(offers) else (0, 0)

    def _require(self, role: Role, handler: Callable[[web.Request, Access], Awaitable[web.Response]]) -> Handler:
        """Wrap a handler so that it serves only clients with at least this role, and says where the history can't be asked."""

        async def authorised(request: web.Request) -> web.Response:
            self._hub.note_http_request()
            access = await self._admission.authorise(request, role)
            try:
                return await handler(request, access)
            except Unavailable as problem:
                if self.source.is_possible and (left_out := self._unavailable_lines.take()) is not None:
                    _log.warning("history unavailable", error=str(problem), left_out=left_out)
                return error(503, ErrorCode.NOT_READY, str(problem), {"Retry-After": "1"} if self.source.is_possible else None)

        return authorised

    async def market(self, request: web.Request, access: Access) -> web.Response:
        """Return a market as the subscribers of a profile saw it at a time."""
        allow_parameters(request, "at", "profile", "format", "include")
        key, at_ms = request.match_info["id"], time_of(request, "at")
        with_fair, odds_format = includes_fair(request, access), odds_format_of(request)
        profile = profile_of(request, access, self._hub.profile_of(access))
        self._require_past(at_ms)
        if not await self._may_see(access, key, at_ms):
            return _absent(key, Absence("never"))
        found = await self._markets.at(key, at_ms, profile, with_fair=with_fair)
        if isinstance(found, Absence):
            return _absent(key, found)
        if found.price_index is None:
            return _no_profile(profile, found.profiles)
        return json_answer(market_answer(found, profile, self._stale_after_s, odds_format, with_fair=with_fair))

    async def changes(self, request: web.Request, access: Access) -> web.Response:
        """Return a page of how a market has changed, as the subscribers of a profile saw it."""
        allow_parameters(request, "from", "to", "profile", "limit", "cursor", "format", "include")
        key, from_ms, to_ms = request.match_info["id"], time_of(request, "from"), time_of(request, "to")
        with_fair, odds_format = includes_fair(request, access), odds_format_of(request)
        limit, cursor = limit_of(request, _LIMIT, _MAX_LIMIT), cursor_of(request, len(Place._fields))
        profile = profile_of(request, access, self._hub.profile_of(access))
        if from_ms is not None and to_ms is not None and from_ms > to_ms:
            raise rejected("from must not be later than to")
        self._require_past(from_ms, "from")
        start = before(from_ms or 0) if cursor is None else Place(*cursor)
        self._require_past(start.at_ms, "cursor")
        if not await self._may_see(access, key, start.at_ms):
            return _absent(key, Absence("never"))
        found = await self._markets.changes(key, start, to_ms, profile, limit, with_fair=with_fair)
        if isinstance(found, Absence):
            return _absent(key, found)
        if profile is not None and profile not in found.profiles:
            return _no_profile(profile, found.profiles)
        return json_answer(changes_answer(found, profile, odds_format, with_fair=with_fair))

    async def explain(self, request: web.Request, access: Access) -> web.Response:
        """Return how a market's prices of a time were computed: of the token's profile, or of all if it names none."""
        allow_parameters(request, "at")
        key, at_ms = request.match_info["id"], time_of(request, "at")
        self._require_past(at_ms)
        if not await self._may_see(access, key, at_ms):
            return _absent(key, Absence("never"))
        found = await self._explanations.explain(key, at_ms)
        if isinstance(found, Absence):
            return _absent(key, found)
        profile = None if access.role is Role.admin else access.profile
        if profile is not None and profile not in found.market.profiles:
            return _no_profile(profile, found.market.profiles)
        answer = explanation_answer(found, profile)
        return (
            error(404, ErrorCode.NOT_FOUND, f"no engine has explained market {echoed(key)} then")
            if answer is None
            else json_answer(answer)
        )

    async def commands(self, request: web.Request, access: Access) -> web.Response:
        """Return a page of the steps of commands."""
        allow_parameters(request, "from", "to", "author", "limit", "cursor")
        from_ms, to_ms = time_of(request, "from"), time_of(request, "to")
        limit, cursor = limit_of(request, _LIMIT, _MAX_LIMIT), cursor_of(request, 2)
        if from_ms is not None and to_ms is not None and from_ms > to_ms:
            raise rejected("from must not be later than to")
        author = author_of(request)
        place = (-1, -1) if cursor is None else (cursor[0], cursor[1])
        self._require_past(place[0], "cursor")
        limits = (from_ms or 0, _END_MS if to_ms is None else to_ms)
        shown: list[CommandStep] = []
        channels: dict[str, list[str]] = {}
        has_more = True
        for _ in range(_READS):
            steps = await self._commands.steps(*limits, author, place, limit)
            for step in steps:
                place = step.place
                if await self._may_see_step(access, step, channels):
                    shown.append(_step_answer(step))
                    if len(shown) == limit:
                        break
            has_more = len(steps) == limit
            if not has_more or len(shown) == limit:
                break
        following = encode_cursor(place) if has_more else UNSET
        return json_answer(msgspec.json.encode(CommandStepsAnswer(steps=shown, next=following)))

    def _require_past(self, at_ms: int | None, name: str = "at") -> None:
        if at_ms is not None and at_ms > self._hub.now_ms():
            raise rejected(f"{name} must not be in the future")

    async def _may_see_step(self, access: Access, step: Step, channels: dict[str, list[str]]) -> bool:
        """Check whether a token shows a command, also of an event that has left the offer since.

        Args:
            access: what the token grants.
            step: a step of the command's life.
            channels: the channels of events, as far as they are known; is added to.
        """
        if may_see(access, step.command, self._hub.replica):
            return True
        event = step.command.scope.event_id
        if event is None or not is_of_profile(access, step.command):
            return False
        if event not in channels:
            channels[event] = await self._markets.channels_of(event, step.at_ms)
        return any(map(access.may_subscribe, channels[event]))

    async def _may_see(self, access: Access, market: str, at_ms: int | None) -> bool:
        """Check whether a token grants any channel that a market was in at a time, now for None.

        That is checked first: whoever may not see a market is not told either that there was one.
        """
        if "*" in access.channels:
            return True
        at_ms = self._hub.now_ms() if at_ms is None else at_ms
        return any(map(access.may_subscribe, await self._markets.channels_of(market, at_ms)))


def _absent(market: str, absence: Absence) -> web.Response:
    """Answer that nothing is known: what is not archived yet can be asked for again."""
    text = absence_text(market, absence)
    if absence.why == "ahead":
        return error(503, ErrorCode.NOT_READY, text, {"Retry-After": "1"})
    return error(404, ErrorCode.NOT_FOUND, text)


def _no_profile(profile: str | None, profiles: Sequence[str]) -> web.Response:
    text = f"profile {echoed(profile)} was not published then; there were {', '.join(profiles) or 'none'}"
    return error(404, ErrorCode.NOT_FOUND, text)


def _step_answer(step: Step) -> CommandStep:
    answer = command_answer(step.command, step.command.state(step.at_ms))
    return CommandStep(at=iso_time(step.at_ms, "milliseconds"), step=step.command.last_step, command=answer)
