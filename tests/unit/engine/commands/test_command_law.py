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
    """What a subscriber of a profile sees of a market: its status and reason, its first selection, and its terms."""

    status: str
    reason: str | None
    price: float | None
    selection: str
    limit: float | None = None
    bet_delay_s: float | None = None


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


def a_pricer(profiles: tuple[str, ...] = PROFILES, **rules: Any) -> Pricer:
    return Pricer({name: Profile(**{"book_sum": 1.06, **rules}) for name in profiles}, solves_per_s=0)


def a_pipeline(quoted: dict[str, Quoted], **rules: Any) -> Pipeline:
    pipeline = Pipeline(a_pricer(**rules), ("src",))
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
        for index, profile in enumerate(pipeline.offers[0].profiles):
            shown = msgspec.json.decode(encoders.market(record, index))
            first = next(iter(shown["selections"].values()))
            terms = shown.get("limit"), shown.get("bet_delay_s")
            found[str(market), profile] = Seen(shown["status"], shown["reason"], first["price"], first["status"], *terms)
    return found


@lru_cache
def without_commands(quoted: tuple[tuple[str, Quoted], ...], book_sum: float, shift: float) -> dict[tuple[str, str], Seen]:
    """Return what subscribers see where nothing is commanded, and the profiles have these values."""
    return seen(a_pipeline(dict(quoted), book_sum=book_sum, shift={"home": shift}), 0)


def holds(command: Command, market: str, profile: str, quoted: Quoted, now_ms: int) -> bool:
    event, competition, sport, kind = MARKETS[market]
    scope = command.scope
    named = {"all": True, "sport": sport, "competition": competition, "event": event, "market": market}
    named["selection"] = f"{market}/{SELECTIONS[kind][0]}"
    return (
        command.lifted_ms is None
        and (not command.is_proposal or command.confirmed_ms is not None)
        and (command.expires_ms is None or now_ms < command.expires_ms)
        and not (command.until_kick_off and quoted.in_play)
        and getattr(scope, scope.kind) == named[scope.kind]
        and (not scope.types or kind in scope.types)
        and (scope.in_play is None or scope.in_play == quoted.in_play)
        and (scope.profiles == ("*",) or profile in scope.profiles)
    )


def newest(commands: list[Command], *actions: str) -> Command | None:
    """Return the command that holds of those of some actions."""
    return max((each for each in commands if each.action in actions), key=rank, default=None)


def number(command: Command | None, default: Any = None) -> Any:
    return default if command is None else command.values


def expected(quoted: dict[str, Quoted], market: str, commands: list[Command], by_profile: dict[str, list[Command]]) -> Seen:
    """Return what a subscriber must see, given the commands that hold in its profile, and in each."""
    book_sum, shift = number(newest(commands, "book_sum"), 1.06), number(newest(commands, "shift"), {"home": 0.0})["home"]
    truth = without_commands(tuple(quoted.items()), book_sum, shift)[market, "default"]
    limit, delay = newest(commands, "limit"), newest(commands, "bet_delay_s")
    truth = truth._replace(limit=number(limit), bet_delay_s=number(delay))
    result = newest(commands, "result", "unresult")
    if result is not None and result.action == "result":
        won = "void" if result.values == "void" else "winner"
        return truth._replace(status="closed", reason=None, price=None, selection=won)
    if any(is_whole(each) for each in commands):
        # The market says so itself if it is suspended for all, else only an open one needs it.
        for_all = all(any(is_whole(each) for each in others) for others in by_profile.values())
        reason = "trader" if for_all or truth.status == "open" else truth.reason
        truth = truth._replace(status="suspended", reason=reason, price=None)
        return truth._replace(selection=shown_selection(truth, by_profile))
    price = newest(commands, "price")
    if truth.status == "open" and price is not None:
        truth = truth._replace(price=number(price)["home"])
    if any(each.action == "suspend" for each in commands):
        truth = truth._replace(price=None)
    return truth._replace(selection=shown_selection(truth, by_profile))


def is_whole(command: Command) -> bool:
    """Check whether a command suspends a market, not only a selection of it."""
    return command.action == "suspend" and command.scope.selection is None


def shown_selection(truth: Seen, by_profile: dict[str, list[Command]]) -> str:
    """Return the first selection's status: suspended once it is for all."""
    gone = [
        any(each.scope.selection is not None for each in commands if each.action == "suspend") for commands in by_profile.values()
    ]
    return "suspended" if all(gone) else truth.selection


def rank(command: Command) -> Any:
    """The newest, then the narrowest. A proposal is as new as its confirmation."""
    scope = command.scope
    kinds = ["all", "sport", "competition", "event", "market", "selection"]
    narrowed = [bool(scope.types), scope.in_play is not None, scope.profiles != ("*",)]
    return command.confirmed_ms or command.created_ms, kinds.index(scope.kind), sum(narrowed), command.id


#: action -> the values that it may set
VALUES: dict[str, Any] = {
    "suspend": st.none(),
    "limit": st.sampled_from([10.0, 250.0]),
    "bet_delay_s": st.sampled_from([0.0, 5.0]),
    "price": st.sampled_from([{"home": odds} for odds in SHORT_ODDS]),
    "book_sum": st.sampled_from([1.08, 1.12]),
    "shift": st.sampled_from([{"home": 0.02}, {"home": -0.01}]),
    "result": st.sampled_from(["void", {"home": "winner"}]),
    "unresult": st.none(),
}
#: The actions that are for single markets here.
OF_A_MARKET = {"price", "shift", "result", "unresult"}
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
        {"selection": "e1/moneyline/home"},
    ]
)


#: An action, its values, what its scope names, how that is narrowed, and when it ends.
Made = tuple[str, Any, dict[str, Any], dict[str, Any], str]


def made_of(*actions: str) -> st.SearchStrategy[Made]:
    """Return commands of some actions."""
    ends = st.sampled_from(["never", "soon", "kick_off"])
    return st.one_of([st.tuples(st.just(action), VALUES[action], places, scopes, ends) for action in actions])


class Trading(RuleBasedStateMachine):
    """A trading floor: one pipeline, and the model of what it must publish."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_000
        self.quoted = dict.fromkeys(MARKETS, Quoted())
        self.commands: dict[str, Command] = {}
        self.pipeline = a_pipeline(self.quoted)
        #: commands, with the markets at whose kick-off they have ended
        self.ended: set[tuple[str, str]] = set()

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

    @rule(market=st.sampled_from(list(MARKETS)))
    def take_back_the_kick_off(self, market: str) -> None:
        self.quoted[market] = self.quoted[market]._replace(in_play=False)
        self.pipeline.receive(a_batch(*updates_of(market, self.quoted[market])), 1)

    def make(self, how: Made, *, is_proposal: bool = False) -> None:
        action, values, place, scope, ends = how
        if (action in OF_A_MARKET and "market" not in place) or (action != "suspend" and "selection" in place):
            place = {"market": "e1/moneyline"}
        if action in {"result", "unresult"}:
            scope = {}  # they hold in every profile
        self.obey(
            a_command(
                action,
                key=f"c{len(self.commands):03}",
                at_ms=self.now_ms,
                values=values,
                expires_ms=self.now_ms + 5_000 if ends == "soon" else None,
                until_kick_off=ends == "kick_off",
                is_proposal=is_proposal,
                **place,
                **scope,
            )
        )

    @rule(how=made_of("suspend"))
    def suspend(self, how: Made) -> None:
        self.make(how)

    @rule(how=made_of("price"))
    def price(self, how: Made) -> None:
        self.make(how)

    @rule(how=made_of("book_sum", "shift"))
    def adjust(self, how: Made) -> None:
        self.make(how)

    @rule(how=made_of("limit", "bet_delay_s"))
    def limit(self, how: Made) -> None:
        self.make(how)

    @rule(how=made_of("result"))
    def result(self, how: Made) -> None:
        self.make(how)

    @rule(how=made_of(*VALUES))
    def propose(self, how: Made) -> None:
        self.make(how, is_proposal=True)

    @precondition(lambda self: any(each.is_proposal for each in self.commands.values()))
    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        proposals = [each for each in self.commands.values() if each.is_proposal and each.confirmed_ms is None]
        if proposals:
            command = data.draw(st.sampled_from(proposals))
            self.obey(msgspec.structs.replace(command, confirmed_ms=self.now_ms, confirmed_by="bob"))

    @precondition(lambda self: any(each.action == "result" for each in self.commands.values()))
    @rule(seconds=st.integers(0, 1))
    def take_back(self, seconds: int) -> None:
        """Command that the newest result does not hold."""
        self.pass_time(seconds)
        result = [each for each in self.commands.values() if each.action == "result"][-1]
        key = f"c{len(self.commands):03}"
        self.obey(a_command("unresult", key=key, at_ms=self.now_ms, market=result.scope.market))

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
        self.pipeline = Pipeline(a_pricer(), ("src",))
        self.ended.clear()
        for command in reversed(self.commands.values()):
            self.pipeline.obey(command)
        self.pipeline.receive(live(), 1)
        for market, quoted in self.quoted.items():
            self.pipeline.receive(a_batch(*updates_of(market, quoted)), 1)

    @rule(profiles=st.permutations(PROFILES))
    def reload(self, profiles: list[str]) -> None:
        """Price by a config that has the profiles in another order."""
        self.pipeline.adopt(a_pricer(tuple(profiles)))

    @invariant()
    def published_is_what_the_model_says(self) -> None:
        found = seen(self.pipeline, self.now_ms)
        for market in MARKETS:
            put = [each for each in self.commands.values() if not each.is_proposal or each.confirmed_ms is not None]
            if self.quoted[market].in_play:
                self.ended |= {(each.id, market) for each in put if each.until_kick_off}
            kept = [each for each in put if (each.id, market) not in self.ended]
            by_profile = {
                name: [each for each in kept if holds(each, market, name, self.quoted[market], self.now_ms)] for name in PROFILES
            }
            for profile in PROFILES:
                assert expected(self.quoted, market, by_profile[profile], by_profile) == found[market, profile], (market, profile)


Trading.TestCase.settings = examples(30, stateful_step_count=20)
TestTrading = Trading.TestCase
