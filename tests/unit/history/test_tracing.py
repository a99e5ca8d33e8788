"""What the rows of a market say, and who could tell two of them apart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from oddsengine.domain.changes import MarketIdentity, MarketRecord, MarketState, SelectionRecord
from oddsengine.history.questions.cursors import Place, decode_cursor, encode_cursor
from oddsengine.history.questions.sightings import CHANGE, Gap, Profiles, Sighting, sighting_of, with_ends
from oddsengine.history.questions.tracing import Page, Since
from oddsengine.history.rows.tables import RecordKind

MARKET: Any = "e1/match_odds"
EVENT: Any = "e1"
PROFILES = Profiles([((1, 0), ("default", "gold"))])


def a_record(default: int, gold: int, v: int, market: Any = MARKET) -> MarketRecord:
    selection = SelectionRecord("Home", "active", (default, gold), v, 1, 1)
    identity = MarketIdentity(EVENT, "moneyline")
    return MarketRecord(market, identity, 1, MarketState("open", None, in_play=False), 1, v, v, {"home": selection})


def seen(seq: int, default: int, gold: int, kind: int = CHANGE) -> Sighting:
    return Sighting(Place(1000 + seq, 1, seq, 0), kind, a_record(default, gold, seq))


def test_markets_with_the_same_key_are_told_apart_by_their_id() -> None:
    row = {"at_ms": 1, "epoch": 1, "seq": 1, "number": 0, "kind": CHANGE}
    piece = msgspec.msgpack.encode(msgspec.msgpack.encode(a_record(2000, 1900, 1)))
    assert sighting_of({**row, "body": piece}, "e2/match_odds") is None
    found = sighting_of({**row, "body": piece}, MARKET)
    assert found is not None
    assert found.record == a_record(2000, 1900, 1)
    left = {**row, "kind": int(RecordKind.MARKET_LEFT), "body": b"e2/match_odds"}
    assert sighting_of(left, MARKET) is None
    assert sighting_of(left, "e2/match_odds") is not None


@pytest.mark.parametrize(("profile", "since_ms"), [("default", 1002), ("gold", 1001)])
def test_a_price_is_as_old_as_its_profile_saw_it(profile: str, since_ms: int) -> None:
    since = Since(seen(3, 2100, 1900), PROFILES, profile, [], with_fair=False)
    for earlier in (seen(2, 2100, 1900), seen(1, 2000, 1900)):
        if since.ends_with(earlier):
            break
    since.end()
    assert (since_ms, True) == (since.earliest.place.at_ms, since.is_exact)


def test_behind_a_gap_nothing_is_known_of_since_when() -> None:
    gap = Gap(1001, (1, 3), 1003, "trimmed")
    since = Since(seen(3, 2100, 1900, RecordKind.MARKET), PROFILES, "default", [gap], with_fair=False)
    assert since.ends_with(seen(1, 2100, 1900))
    assert (1003, False) == (since.earliest.place.at_ms, since.is_exact)


def test_only_changes_that_a_profile_saw_are_on_its_page() -> None:
    rows = [seen(1, 2000, 1900), seen(2, 2100, 1900), seen(3, 2100, 1850), seen(3, 2100, 1850, RecordKind.MARKET)]
    rows.append(Sighting(Place(1004, 1, 4, 9), RecordKind.MARKET_LEFT, None))
    times = {}
    for profile in ("default", "gold"):
        page = Page(None, PROFILES, profile, [], with_fair=False)
        for row in rows:
            page.add(row)
        times[profile] = [each.place.at_ms for each in page.changes]
    assert {"default": [1001, 1002, 1004], "gold": [1001, 1003, 1004]} == times


def test_a_gap_that_another_one_follows_ends_with_that() -> None:
    first, second = Gap(1, (1, 5), None, "lost"), Gap(2, (1, 9), 30, "trimmed")
    assert [first._replace(known_ms=30), second] == with_ends([first, second])


def test_cursors_are_read_back_and_others_refused() -> None:
    place = Place(1_795_000_000_000, 7, 3, 0)
    assert place == decode_cursor(encode_cursor(place), 4)
    for text in ("", "1-2-3", "1-2-3-x", "1-2-3--4", "f" * 17 + "-1-1-1", "1-2-3-\u0661", "1-2-3-0_1", "1-2-3- 4"):
        with pytest.raises(ValueError, match="is not a cursor"):
            decode_cursor(text, 4)
