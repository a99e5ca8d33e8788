"""What a gateway knows of the floor: feeds and pairs as they are reported, commands until they have ended, and trouble."""

from __future__ import annotations

from typing import Any

import orjson

from oddsengine.commands.command import Command, Scope
from oddsengine.gateway.console.floor import Floor
from oddsengine.gateway.console.messages import LateCommands
from oddsengine.gateway.state.replica import Replica
from oddsengine.streams.commands.log import LogEntry, StoredCommands
from oddsengine.streams.floor.board import FloorBoard
from oddsengine.streams.floor.reporter import FloorReporter

FEED = {"feed": "one", "sources": ["a"], "state": "live", "reason": "", "changes": []}
FOLLOWED = {"feed": "two", "sources": ["b"], "state": "live", "reason": "", "followed": True}


def reported(**fields: Any) -> dict[str, bytes]:
    return {name.replace("_", ":"): orjson.dumps(value) for name, value in fields.items()}


def a_command(key: str, **fields: Any) -> Command:
    return Command(id=key, author="ann", action="suspend", scope=Scope(event="e1"), created_ms=0, **fields)


def test_a_feed_that_nobody_reports_any_more_is_unknown() -> None:
    floor = Floor(Replica(1))
    fields = reported(feed_one={"status": FEED, "count": 1}, engine={"pairs": [], "followed": [FOLLOWED], "count": 1})
    floor.note_reports(fields, 0.0, 0)
    assert ["live", "live"] == [each["state"] for each in floor.feeds.values()]
    fields |= reported(engine={"pairs": [], "followed": [FOLLOWED], "count": 2})
    floor.note_reports(fields, 6.5, 6500)
    assert {"one": "unknown", "two": "live"} == {name: each["state"] for name, each in floor.feeds.items()}


def test_what_has_not_changed_is_the_same_object() -> None:
    floor = Floor(Replica(1))
    floor.note_reports(reported(feed_one={"status": FEED, "count": 1}), 0.0, 0)
    before = floor.feeds["one"]
    floor.note_reports(reported(feed_one={"status": FEED, "count": 2}), 1.0, 1000)
    assert before is floor.feeds["one"]


def test_an_engine_that_does_not_report_is_trouble_until_it_does() -> None:
    floor = Floor(Replica(1))
    kinds = []
    for fields in ({}, reported(engine={"pairs": [], "followed": []}), {}):
        floor.note_reports(fields, 0.0, 5)
        floor.tick(5, 5)
        kinds.append("silent_engine" in floor.trouble)
    assert [True, False, True] == kinds


def test_a_command_that_is_not_obeyed_is_late_until_it_is() -> None:
    replica = Replica(2)
    floor = Floor(replica)
    floor.load_commands(StoredCommands(0, {}), 0, 0)
    floor.note_command(LogEntry(1, a_command("c1")), 0, 0)
    late = []
    for now_ms, obeyed in ((1000, 0), (2500, 0), (2600, 1)):
        replica.offers[0].commands = 1
        replica.offers[1].commands = obeyed
        floor.tick(now_ms, now_ms)
        late.append([each.commands for each in floor.trouble.values() if isinstance(each, LateCommands) and each.shard == 1])
    assert [[], [["c1"]], []] == late


def test_commands_expire_by_the_clock_of_the_world() -> None:
    floor = Floor(Replica(1))
    floor.load_commands(StoredCommands(2, {"c1": a_command("c1", expires_ms=500), "c2": a_command("c2")}), 0, 0)
    states = []
    for world_ms in (0, 500):
        floor.tick(0, world_ms)
        states.append([item.answer.state for item in floor.commands.values()])
    assert [["active", "active"], ["expired", "active"]] == states


async def test_a_process_reports_its_own_feeds_and_an_owner_the_pairs() -> None:
    written: dict[str, bytes] = {}

    class Board(FloorBoard):
        def __init__(self) -> None:
            pass

        async def write(self, fields: Any) -> None:
            written.update(fields)

    pairs: list[dict[str, Any]] | None = None
    await FloorReporter(Board(), lambda: [FEED, FOLLOWED], lambda: pairs, lambda: 0.0).report()
    assert {"feed:one"} == written.keys()
    pairs = []
    await FloorReporter(Board(), lambda: [FEED, FOLLOWED], lambda: pairs, lambda: 0.0).report()
    assert {"feed:one", "engine"} == written.keys()
