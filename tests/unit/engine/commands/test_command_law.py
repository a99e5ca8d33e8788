"""Law: whatever is commanded, quoted and restarted in whatever order, what subscribers see is what a plain model says."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate
from oddsengine.domain.ids import EventId
from oddsengine.engine.pipeline import Pipeline
from oddsengine.gateway.protocol import encoders
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_command, a_definition, a_quote, live
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from oddsengine.commands.command import Command

PROFILES = ("default", "gold")
#: market -> its event, competition, sport and type
MARKETS = {
    "e1/moneyline": ("e1", "cup", "football", "moneyline"),
    "e1/both_to_score": ("e1", "cup", "football", "both_to_score"),
    "e2/moneyline": ("e2", "open", "tennis", "moneyline"),
}
SELECTIONS = {"moneyline": ("home", "away"), "both_to_score": ("yes", "no")}
#: shorter than every price that is quoted
SHORT_ODDS = (1.2, 1.25)


class Seen(NamedTuple):
    """What a subscriber of a profile sees of a market: its status and reason, its first selection's price, and its limit."""

    status: str
    reason: str | None
    price: float | None
    limit: float | None


class Quoted(NamedTuple):
    """What the provider says of a market."""

    odds: float = 2.0
    status: str = "open"
    in_play: bool = False


def updates_of(market: str, quoted: Quoted) -> list[Any]:
    event, competition, sport, kind = MARKETS[market]
    described = Event(id=EventId(event), sport=sport, competition=Competition(competition, competition), name=event)
    first, second = SELECTIONS[kind]
    definition = a_definition(market, (first, second), type=kind, status=quoted.status, in_play=quoted.in_play)
    books = [a_quote(first, quoted.odds), a_quote(second, quoted.odds / (quoted.odds - 1))]
    return [EventUpdate(described), MarketUpdate(market, image=True, definition=definition, books=books)]


def a_pipeline(quoted: dict[str, Quoted]) -> Pipeline:
    pipeline = Pipeline(Pricer({name: Profile(book_sum=1.06) for name in PROFILES}, solves_per_s=0), ("src",))
    pipeline.receive(live(), 1)
    for market, each in quoted.items():
        pipeline.receive(a_batch(*updates_of(market, each)), 1)
    return pipeline


def seen(pipeline: Pipeline, now_ms: int) -> dict[tuple[str, str], Seen]:
    """Publish, and return what subscribers of each profile see."""
    pipeline.flush(0, now_ms)
    pipeline.offers[0].commit(now_ms)
    found = {}
    for market, record in pipeline.offers[0].markets.items():
        for index, profile in enumerate(PROFILES):
            shown = msgspec.json.decode(encoders.market(record, index))
            price = next(iter(shown["selections"].values()))["price"]
            found[str(market), profile] = Seen(shown["status"], shown["reason"], price, shown.get("limit"))
    return found


@lru_cache
def without_commands(quoted: tuple[tuple[str, Quoted], ...]) -> dict[tuple[str, str], Seen]:
    """Return what subscribers see where nothing is commanded."""
    return seen(a_pipeline(dict(quoted)), 0)


def holds(command: Command, market: str, profile: str, quoted: Quoted, now_ms: int) -> bool:
    event, competition, sport, kind = MARKETS[market]
    scope = command.scope
    named = {"all": True, "sport": sport, "competition": competition, "event": event, "market": market}
    return (
        command.lifted_ms is None
        and (command.expires_ms is None or now_ms < command.expires_ms)
        and not (command.until_kick_off and quoted.in_play)
        and getattr(scope, scope.kind) == named[scope.kind]
        and (not scope.types or kind in scope.types)
        and (scope.in_play is None or scope.in_play == quoted.in_play)
        and (scope.profiles == ("*",) or profile in scope.profiles)
    )


def expected(truth: Seen, commands: list[Command], profile_commands: dict[str, list[Command]]) -> Seen:
    """Return what a subscriber must see, given what would be published without commands, and the commands that hold."""
    limits = [each for each in commands if each.action == "limit"]
    limit = float(max(limits, key=rank).values) if limits else None  # type: ignore[arg-type]
    if any(each.action == "suspend" for each in commands):
        # The market says so itself if it is suspended for all, else only an open one needs it.
        for_all = all(any(each.action == "suspend" for each in others) for others in profile_commands.values())
        reason = "trader" if for_all or truth.status == "open" else truth.reason
        return Seen("suspended", reason, None, limit)
    prices = [each for each in commands if each.action == "price"]
    if truth.status == "open" and prices:
        (odds,) = max(prices, key=rank).values.values()  # type: ignore[union-attr]
        return truth._replace(price=float(odds), limit=limit)
    return truth._replace(limit=limit)


def rank(command: Command) -> Any:
    """The newest, then the narrowest."""
    scope = command.scope
    kinds = ["all", "sport", "competition", "event", "market"]
    narrowed = [bool(scope.types), scope.in_play is not None, scope.profiles != ("*",)]
    return command.created_ms, kinds.index(scope.kind), sum(narrowed), command.id


scopes = st.fixed_dictionaries(
    {},
    optional={
        "types": st.just(("moneyline",)),
        "in_play": st.booleans(),
        "profiles": st.sampled_from([("gold",), ("default",), ("default", "gold")]),
    },
)
places = st.sampled_from(
    [
        {"all": True},
        {"sport": "football"},
        {"competition": "open"},
        {"event": "e1"},
        {"market": "e1/moneyline"},
        {"market": "e2/moneyline"},
    ]
)


class Trading(RuleBasedStateMachine):
    """A trading floor: one pipeline, and the model of what it must publish."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000
        self.quoted = dict.fromkeys(MARKETS, Quoted())
        self.commands: dict[str, Command] = {}
        self.pipeline = a_pipeline(self.quoted)

    def obey(self, command: Command) -> None:
        self.commands[command.id] = command
        self.pipeline.obey(command)

    @rule(
        market=st.sampled_from(list(MARKETS)),
        quoted=st.builds(Quoted, st.sampled_from([1.8, 2.0, 2.2]), st.sampled_from(["open", "suspended"])),
    )
    def quote(self, market: str, quoted: Quoted) -> None:
        self.quoted[market] = quoted._replace(in_play=self.quoted[market].in_play)
        self.pipeline.receive(a_batch(*updates_of(market, self.quoted[market])), 1)

    @rule(market=st.sampled_from(list(MARKETS)))
    def kick_off(self, market: str) -> None:
        self.quoted[market] = self.quoted[market]._replace(in_play=True)
        self.pipeline.receive(a_batch(*updates_of(market, self.quoted[market])), 1)

    @rule(
        action=st.sampled_from(["suspend", "limit", "price"]),
        place=places,
        scope=scopes,
        ends=st.sampled_from(["never", "soon", "kick_off"]),
        value=st.sampled_from(SHORT_ODDS),
    )
    def command(self, action: str, place: dict[str, Any], scope: dict[str, Any], ends: str, value: float) -> None:
        if action == "price" and "market" not in place:
            place = {"market": "e1/moneyline"}
        self.obey(
            a_command(
                action,
                key=f"c{len(self.commands):03}",
                at_ms=self.now_ms,
                values={"price": {"home": value}, "limit": 100 * value, "suspend": None}[action],
                expires_ms=self.now_ms + 5_000 if ends == "soon" else None,
                until_kick_off=ends == "kick_off",
                **place,
                **scope,
            )
        )

    @precondition(lambda self: self.commands)
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        command = data.draw(st.sampled_from(list(self.commands.values())))
        self.obey(msgspec.structs.replace(command, lifted_ms=self.now_ms, lifted_by="bob"))

    @rule(seconds=st.sampled_from([1, 4]))
    def pass_time(self, seconds: int) -> None:
        self.now_ms += 1_000 * seconds
        self.pipeline.tick(self.now_ms)

    @rule()
    def restart(self) -> None:
        """Start again with the table of commands, and an offer that another engine has left."""
        self.pipeline = Pipeline(Pricer({name: Profile(book_sum=1.06) for name in PROFILES}, solves_per_s=0), ("src",))
        for command in reversed(self.commands.values()):
            self.pipeline.obey(command)
        self.pipeline.receive(live(), 1)
        for market, quoted in self.quoted.items():
            self.pipeline.receive(a_batch(*updates_of(market, quoted)), 1)

    @invariant()
    def published_is_what_the_model_says(self) -> None:
        truths = without_commands(tuple(self.quoted.items()))
        found = seen(self.pipeline, self.now_ms)
        for (market, profile), truth in truths.items():
            by_profile = {
                name: [each for each in self.commands.values() if holds(each, market, name, self.quoted[market], self.now_ms)]
                for name in PROFILES
            }
            assert expected(truth, by_profile[profile], by_profile) == found[market, profile], (market, profile)


Trading.TestCase.settings = examples(30, stateful_step_count=20)
TestTrading = Trading.TestCase
