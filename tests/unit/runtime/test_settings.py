"""Reading configuration: what is wrong is named with its file, line and key, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.feed import installed_feeds
from oddsengine.runtime.settings import ConfigError, Settings, demo_config, load_settings, parse_settings

ADAPTERS = {name: plugin.config_type for name, plugin in installed_feeds().items()}
CONFIGS = Path(__file__).parents[3] / "config"


def parse(text: str) -> Settings:
    return parse_settings(text, "odds.toml", ADAPTERS)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_the_configs_we_ship_can_be_used() -> None:
    for path in sorted(CONFIGS.glob("*.toml")):
        assert load_settings(path, ADAPTERS).feeds
    assert "simulator" == load_settings(demo_config(), ADAPTERS).feeds["sim"].adapter


def test_an_empty_config_has_a_default_profile() -> None:
    settings = parse("")
    assert ["default"] == list(settings.profiles)
    assert 8080 == settings.gateway.port


def test_a_misspelt_key_is_named_with_a_suggestion() -> None:
    (problem,) = problems("[gateway]\nhost = 'x'\nprot = 80\n")
    assert problem.startswith("odds.toml:3: gateway.prot: unknown key; there are host, port")
    assert problem.endswith("did you mean 'port'?")


def test_every_problem_is_named_not_only_the_first() -> None:
    found = problems(
        "[gatway]\n[engine]\nshards = 0\n[profiles.a]\nmethod = 'shinn'\n[profiles.b]\nladder = 'none'\n"
        "[feeds.x]\nadapter = 'betfiar'\n[feeds.y]\n[gateway]\nprofile = 'c'\n"
    )
    assert [
        "odds.toml:1: gatway: unknown section",
        "odds.toml:3: engine.shards: Expected `int` >= 1",
        "odds.toml:5: profiles.a.method: 'shinn' is not one of multiplicative",
        "odds.toml:7: profiles.b.ladder: no ladder 'none'; there are",
        "odds.toml:9: feeds.x.adapter: no adapter 'betfiar'",
        "odds.toml:10: feeds.y: adapter is missing",
        "odds.toml:12: gateway.profile: no profile 'c'",
    ] == [message[: len(start)] for message, start in zip(found, [
        "odds.toml:1: gatway: unknown section",
        "odds.toml:3: engine.shards: Expected `int` >= 1",
        "odds.toml:5: profiles.a.method: 'shinn' is not one of multiplicative",
        "odds.toml:7: profiles.b.ladder: no ladder 'none'; there are",
        "odds.toml:9: feeds.x.adapter: no adapter 'betfiar'",
        "odds.toml:10: feeds.y: adapter is missing",
        "odds.toml:12: gateway.profile: no profile 'c'",
    ], strict=True)]  # fmt: skip


def test_nested_tables_are_checked_like_their_parents() -> None:
    (problem,) = problems("[feeds.s]\nadapter = 'simulator'\n[feeds.s.pace]\nminutes_per_s = 0\n")
    assert problem.startswith("odds.toml:4: feeds.s.pace.minutes_per_s: Expected `float` > 0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gateway\n", "odds.toml:1: not TOML"),
        ("gateway = 3\n", "odds.toml:1: gateway: must be a table"),
        ("[profiles]\ndefault = 3\n", "odds.toml:2: profiles.default: must be a table"),
        (
            "[profiles.a]\nmin_odds = 5.0\nmax_odds = 2.0\n[gateway]\nprofile='a'",
            "odds.toml:1: profiles.a: min_odds 5 is not under",
        ),
    ],
)  # fmt: skip
def test_what_is_no_table_or_no_toml(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_settings(tmp_path / "none.toml", ADAPTERS)


def test_a_ladder_of_the_operators_own() -> None:
    text = """
[ladders.coarse]
increments = [[1.1, 0.1], [2.0, 0.5], [5.0, 0.0]]
[ladders.listed]
odds = [1.5, 2.0, 4.25]
[profiles.default]
ladder = "coarse"
[[profiles.default.rules]]
in_play = true
ladder = "listed"
"""
    profile = parse_settings(text, "odds.toml", ADAPTERS).profiles["default"]
    assert (1100, 1200) == profile.ladder_ticks.ticks[:2]
    assert (4500, 5000) == profile.ladder_ticks.ticks[-2:]
    assert (1500, 2000, 4250) == profile.rules[0].refine(profile).ladder_ticks.ticks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ladders.x]\nodds = [2.0, 1.5]\n", "odds.toml:1: ladders.x: the ticks of ladder 'x' must rise strictly"),
        ("[ladders.x]\nodds = [1.0, 1.5]\n", "odds.toml:1: ladders.x: odds are over 1, not 1"),
        ("[ladders.x]\nodds = [1.0005, 1.5]\n", "odds.toml:1: ladders.x: odds have at most three decimals, not 1.0005"),
        (
            "[ladders.x]\nincrements = [[1.1, 0.4], [2.0, 0.0]]\n",
            "odds.toml:1: ladders.x: steps of 0.4 do not lead from 1.1 to 2",
        ),
        (
            "[ladders.x]\nincrements = [[1.1, 0.1], [2.0, 0.1]]\n",
            "odds.toml:1: ladders.x: a ladder has at least one (from, step)",
        ),
        ("[ladders.x]\n", "odds.toml:1: ladders.x: give either increments or odds"),
        ("[ladders.betfair]\nodds = [2.0]\n", "odds.toml:1: ladders.betfair: is the name of a ladder we have"),
        (
            "[profiles.a]\nladder = 'betfare'\n",
            "odds.toml:2: profiles.a.ladder: no ladder 'betfare'; there are american, betfair, decimal_2",
        ),
        (
            "[tiers]\ntop = ['Cup']\n[profiles.a]\n[[profiles.a.rules]]\ntier = 'tap'\nbook_sum = 1.1\n",
            "odds.toml:5: profiles.a.rules.0.tier: no tier 'tap'; there are top; did you mean 'top'?",
        ),
        ("[tiers]\ntop = 'Cup'\n", "odds.toml:1: tiers: Expected `array`, got `str`"),
        ("[profiles.a]\nbook_sum = 1.02\nmin_margin = 0.03\n", "odds.toml:1: profiles.a: book_sum 1.02 is under the floor"),
        ("[profiles.a]\nsource_overround = 0.5\n", "odds.toml:1: profiles.a: source_overround is 1 or more"),
    ],
)
def test_bad_ladders_tiers_and_floors_are_named_with_their_line(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message), problems(text)


def test_feeds_are_supervised_matched_and_selected_as_the_file_says() -> None:
    from feeds.feed import installed_feeds

    text = """
[matching]
accept = 0.9
same = [["p.1", "b.2"]]
aliases = { "Olympique Lyonnais" = ["OL"] }
[[sourcing]]
sport = "football"
mode = "consensus"
sources = ["p", "t.bet365"]
[feeds.p]
adapter = "pinnacle"
[feeds.p.supervision]
quiet_in_play_s = 20
[feeds.t]
adapter = "theoddsapi"
bookmakers = ["bet365"]
"""
    settings = parse_settings(text, "x.toml", {name: plugin.config_type for name, plugin in installed_feeds().items()})
    assert 20.0 == settings.feeds["p"].supervision.quiet_in_play_s
    assert (0.9, (("p.1", "b.2"),)) == (settings.matching.accept, settings.matching.same)
    assert ("consensus", ("p", "t.bet365")) == (settings.sourcing[0].mode, settings.sourcing[0].sources)


def test_what_is_wrong_with_feeds_and_selection_is_named() -> None:
    from feeds.feed import installed_feeds

    text = """
[matching]
doubt = 0.95
[[sourcing]]
mode = "concensus"
[[sourcing]]
sources = ["pinacle"]
[feeds.pinnacle]
adapter = "pinnacle"
[feeds.pinnacle.supervision]
quiet_s = -1
[feeds."a.b"]
adapter = "pinnacle"
"""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "x.toml", {name: plugin.config_type for name, plugin in installed_feeds().items()})
    problems = str(caught.value)
    assert "matching: doubt (0.95) may not be above accept (0.86)" in problems
    assert "did you mean 'consensus'?" in problems
    assert "a feed's name has no dot" in problems
    assert "feeds.pinnacle.supervision.quiet_s: Expected `float` >= 0.0" in problems
