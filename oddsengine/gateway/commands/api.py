"""Makes, confirms, lifts and lists commands, and waits until their owners have published them."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiohttp import web
from msgspec import UNSET

from oddsengine.commands.validation import BadCommand, command_of, decode_request
from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.excerpts import echoed
from oddsengine.common.http import RequestRejected, error, json_answer
from oddsengine.common.reporting.line_limit import LineLimit
from oddsengine.domain.ids import EventId
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.access.rate_limits import RateLimiter
from oddsengine.gateway.commands.answers import command_answer
from oddsengine.gateway.commands.coverage import coverage_of, require_possible
from oddsengine.gateway.commands.naming import described
from oddsengine.gateway.commands.pages import cursor_of, page_of, place_of
from oddsengine.gateway.commands.permissions import (
    Forbidden,
    commands_every_profile,
    may_see,
    narrowed,
    require_granted_all,
    require_may_end,
    shown,
)
from oddsengine.gateway.protocol.command_messages import CommandAnswer, CommandsAnswer
from oddsengine.gateway.server.readiness import require_loaded
from oddsengine.streams.commands.log import Remembered, Written
from oddsengine.streams.connection import UNAVAILABLE
from oddsengine.streams.positions import Position, encode_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from aiohttp.typedefs import Handler
    from msgspec import UnsetType

    from oddsengine.commands.command import Command, State
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.commands.answers import Coverage
    from oddsengine.gateway.commands.settings import CommandSettings
    from oddsengine.gateway.state.replica import Replica
    from oddsengine.streams.commands.log import CommandLog

_POLL_S: Final = 0.005
_MAX_BODY_BYTES: Final = 65_536
_MAX_KEY: Final = 200
_ATTEMPTS: Final = 5
_ENDED: Final[frozenset[State]] = frozenset({"expired", "lifted"})
_log = structlog.get_logger(__name__)


class CommandsApi:
    """Request handlers of the commands of an installation.

    Args:
        log: where they are kept.
        replica: what is published: it shows how far the owners have obeyed.
        admission: authorises requests.
        settings: which need a second person, and how many one person may make.
        wait_s: how long an answer waits for the owners of the shards.
    """

    def __init__(self, log: CommandLog, replica: Replica, admission: Admission, settings: CommandSettings, wait_s: float) -> None:
        self._commands = log
        self._replica = replica
        self._admission = admission
        self._settings = settings
        self._wait_s = wait_s
        self._rate = RateLimiter(settings.per_s, time.monotonic)
        self._unreachable_lines = LineLimit()

    def use(self, settings: CommandSettings) -> None:
        """Make commands by other settings from now on."""
        self._settings = settings
        self._rate.use(settings.per_s)

    def routes(self) -> list[web.RouteDef]:
        """Return the API's routes."""
        return [
            web.get("/v1/commands", self._require(self.list_commands)),
            web.post("/v1/commands", self._require(self.make, changes=True)),
            web.post("/v1/commands/{id}/confirm", self._require(self.confirm, changes=True)),
            web.delete("/v1/commands/{id}", self._require(self.lift, changes=True)),
        ]

    def _require(self, handler: Callable[[web.Request, Access], Awaitable[web.Response]], *, changes: bool = False) -> Handler:
        """Wrap a handler so that it serves only traders, and answers what goes wrong."""

        async def authorised(request: web.Request) -> web.Response:
            require_loaded(self._replica)
            access = await self._admission.authorise(request, Role.trader)
            if changes:
                self._admission.require_own_page(request)
                self._check_rate(access)
            try:
                return await handler(request, access)
            except BadCommand as problem:
                return error(400, ErrorCode.BAD_REQUEST, str(problem))
            except Forbidden as problem:
                return error(403, ErrorCode.FORBIDDEN, str(problem))
            except UNAVAILABLE as problem:
                if (left_out := self._unreachable_lines.take()) is not None:
                    _log.warning("commands unreachable", error=str(problem), left_out=left_out)
                text = "commands can't be read or written now; whether this one was is shown by GET /v1/commands"
                return error(503, ErrorCode.NOT_READY, text, {"Retry-After": "1"})

        return authorised

    def _check_rate(self, access: Access) -> None:
        delay_s = self._rate.delay_s(access.subject)
        if delay_s:
            text = f"more than {self._settings.per_s:g} commands a second; retry in {delay_s:.1f} s"
            raise RequestRejected(error(429, ErrorCode.OVER_LIMIT, text, {"Retry-After": "1"}))

    async def make(self, request: web.Request, access: Access) -> web.Response:
        """Make a command. Answers 201 once it is published, 202 if it is not yet, or must be confirmed."""
        remembered_key = request.headers.get("Idempotency-Key", "")
        if len(remembered_key) > _MAX_KEY or not remembered_key.isprintable():
            raise BadCommand(f"Idempotency-Key is at most {_MAX_KEY} printable characters")
        if (request.content_length or 0) > _MAX_BODY_BYTES:
            return error(413, ErrorCode.BAD_REQUEST, f"a command has at most {_MAX_BODY_BYTES} bytes")
        body = await request.read()
        if len(body) > _MAX_BODY_BYTES:
            return error(413, ErrorCode.BAD_REQUEST, f"a command has at most {_MAX_BODY_BYTES} bytes")
        # By the clock of Redis: gateways whose clocks differ agree on which command is newer, and when one ends.
        command = self._command(body, access, await self._commands.now_ms())
        remembered = None
        if remembered_key:
            digest = hashlib.sha256(body).hexdigest()
            remembered = Remembered(f"{len(access.subject)}:{access.subject}:{remembered_key}", f"{digest}:{command.id}")
        written = await self._write(command, None, remembered)
        if written.outcome == "repeated":
            digest, _, key = written.remembered.partition(":")
            if remembered is None or digest != remembered.value.partition(":")[0]:
                return error(422, ErrorCode.BAD_REQUEST, "this Idempotency-Key was used for another command")
            repeated = await self._commands.find(key)
            if repeated is None:
                return error(409, ErrorCode.BAD_REQUEST, f"the command of this Idempotency-Key, {key}, has ended long ago")
            command, written = repeated, await self._as_written()
        elif written.outcome == "changed" and (own := await self._commands.find(command.id)) is not None:
            # Our own write, whose reply was lost with the connection.
            command, written = own, await self._as_written()
        if written.outcome != "ok":
            return error(429, ErrorCode.OVER_LIMIT, "too many commands: lift those that are not needed any more")
        return await self._answer(written.command or command, written, 201, access)

    def _command(self, body: bytes, access: Access, now_ms: int) -> Command:
        published = self._replica.offers[0].profiles
        # A token of one profile is not told which others there are.
        profiles = published if commands_every_profile(access) else ()
        key = f"c{now_ms:011x}{secrets.token_hex(4)}"
        command = command_of(decode_request(body), key, access.subject, now_ms, profiles)
        if command.until_kick_off and self._is_in_play(command):
            raise BadCommand("expires is kick_off, and the event is in play: give a time, a number of seconds, or null")
        if command.force and access.role < Role.admin:
            raise Forbidden("force requires the role admin")
        require_granted_all(access, command, self._replica)
        scope = narrowed(access, command.action, command.scope, published)
        require_possible(command, self._replica)
        is_proposal = command.action in self._settings.second_person
        about = described(command.scope, self._replica)
        return msgspec.structs.replace(command, scope=scope, is_proposal=is_proposal, about=about)

    async def confirm(self, request: web.Request, access: Access) -> web.Response:
        """Confirm the command of somebody else."""
        key = request.match_info["id"]
        for _ in range(_ATTEMPTS):
            before, now_ms = await self._commands.find(key), await self._commands.now_ms()
            if before is None or not may_see(access, before, self._replica):
                return _unknown(key)
            require_may_end(access, before, self._replica)
            if before.author == access.subject:
                raise Forbidden(
                    f"a command is confirmed by somebody else than its author, {before.author}: with a token of theirs"
                )
            if before.force and access.role < Role.admin:
                raise Forbidden("force requires the role admin")
            state = self._state(before, now_ms)
            if state in _ENDED or not before.is_proposal:
                return error(409, ErrorCode.BAD_REQUEST, f"the command is {state}: there is nothing to confirm")
            if before.confirmed_by is not None:
                return await self._answer(before, await self._as_written(), 200, access)
            command = msgspec.structs.replace(before, confirmed_by=access.subject, confirmed_ms=now_ms)
            written = await self._write(command, before)
            if written.outcome == "ok":
                return await self._answer(written.command or command, written, 200, access)
        return _contended()

    async def lift(self, request: web.Request, access: Access) -> web.Response:
        """Lift a command. Lifting one that has ended changes nothing."""
        key = request.match_info["id"]
        for _ in range(_ATTEMPTS):
            before, now_ms = await self._commands.find(key), await self._commands.now_ms()
            if before is None or not may_see(access, before, self._replica):
                return _unknown(key)
            require_may_end(access, before, self._replica)
            if before.lifted_ms is not None:
                return await self._answer(before, await self._as_written(), 200)
            command = msgspec.structs.replace(before, lifted_by=access.subject, lifted_ms=now_ms)
            written = await self._write(command, before)
            if written.outcome == "ok":
                return await self._answer(written.command or command, written, 200)
        return _contended()

    async def list_commands(self, request: web.Request, access: Access) -> web.Response:
        """List a page of the commands, newest first; with `active=true` those that hold, with `active=false` the others."""
        asked = page_of(request.query)
        stored, now_ms = await self._commands.load(), await self._commands.now_ms()
        found: list[tuple[Command, State]] = []
        following: str | UnsetType = UNSET
        for command in sorted(stored.commands.values(), key=place_of, reverse=True):
            if asked.after is not None and place_of(command) >= asked.after:
                continue
            if not may_see(access, command, self._replica):
                continue
            state = self._state(command, now_ms)
            if asked.active is not None and asked.active != (state == "active"):
                continue
            if len(found) == asked.limit:
                following = cursor_of(found[-1][0])
                break
            found.append((command, state))
        answers = [command_answer(shown(access, command), state) for command, state in found]
        return json_answer(msgspec.json.encode(CommandsAnswer(answers, following)))

    def _state(self, command: Command, now_ms: int) -> State:
        return command.state(now_ms, in_play=self._is_in_play(command))

    def _is_in_play(self, command: Command) -> bool:
        """Check whether the only event of a command's scope is in play."""
        event = command.scope.event_id
        entry = None if event is None else self._replica.offers[self._replica.shard_of(event)].events.get(EventId(event))
        return entry is not None and entry.record.progress.in_play

    def _shards(self, command: Command) -> Iterable[int]:
        """Return the shards that a command concerns."""
        offers = self._replica.offers
        events = [(self._replica.shard_of(event), EventId(event)) for event in command.events]
        if not events or any(event not in offers[shard].events for shard, event in events):
            # An event that is not on offer may be published under another id, in another shard.
            return range(len(offers))
        return sorted({shard for shard, _ in events})

    async def _as_written(self) -> Written:
        """Return the write of a command that was written before: it is published once everything up to now is."""
        obeyed = self._obeyed()
        return _after_loss(Written("ok", await self._commands.last_seq()), obeyed, at_least=obeyed)

    async def _write(self, command: Command, before: Command | None, remembered: Remembered | None = None) -> Written:
        obeyed = self._obeyed()
        return _after_loss(await self._commands.write(command, before, remembered), obeyed, at_least=obeyed + 1)

    def _obeyed(self) -> int:
        """Return up to which entry of the log some owner has obeyed."""
        return max(offer.commands for offer in self._replica.offers)

    async def _answer(self, command: Command, written: Written, status: int, access: Access | None = None) -> web.Response:
        """Wait until a command is published in every shard that it concerns, but not for long, and answer what it is then.

        With `access`, the answer says how much the command holds for.
        """

        def covered() -> Coverage | None:
            return None if access is None else coverage_of(command, self._replica, access)

        if command.is_proposal and command.confirmed_by is None and command.lifted_ms is None:
            return _answered(202, command_answer(command, "proposed", {}, covered()))
        offers = [(shard, self._replica.offers[shard]) for shard in self._shards(command)]
        until_s = time.monotonic() + self._wait_s
        while any(offer.commands < written.seq for _, offer in offers):
            if time.monotonic() > until_s:
                break
            await asyncio.sleep(_POLL_S)
        at = {
            str(shard): encode_at({shard: Position(offer.epoch, offer.seq)})
            for shard, offer in offers
            if offer.commands >= written.seq
        }
        # Not before: for a whole sport it takes milliseconds, which an engine in this process would start late.
        holds_for = covered()
        if len(at) < len(offers):
            return _answered(202, command_answer(command, "pending", at, holds_for))
        return _answered(status, command_answer(command, "applied" if command.lifted_ms is None else "lifted", at, holds_for))


def _after_loss(written: Written, obeyed: int, *, at_least: int) -> Written:
    """Return a write with the number up to which the log is obeyed once its command is.

    Args:
        written: the write.
        obeyed: up to which entry some owner had obeyed before.
        at_least: the number that the write must have then.
    """
    # Where Redis has lost entries, owners write an entry after those that they have obeyed, and read all commands with it.
    return written._replace(seq=obeyed + 1) if written.outcome == "ok" and written.seq < at_least else written


def _answered(status: int, answer: CommandAnswer) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")


def _unknown(key: str) -> web.Response:
    return error(404, ErrorCode.NOT_FOUND, f"there is no command {echoed(key)}; those that have ended are kept for a day")


def _contended() -> web.Response:
    return error(409, ErrorCode.BAD_REQUEST, "the command is being changed by others; try again")
