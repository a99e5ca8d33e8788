"""Loading the configuration: every problem is reported at once, with its file, line and key."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from feeds.feed import installed_feeds
from feeds.supervision.settings import Supervision
from oddsengine.gateway.access.settings import KeySettings
from oddsengine.pricing.profiles.profile import Profile, refined
from oddsengine.pricing.profiles.rules import Rule
from oddsengine.runtime.settings import ConfigError, Settings, demo_config, load_settings, parse_settings
from oddsengine.runtime.settings.renamed_keys import RENAMED_KEYS
from oddsengine.runtime.settings.schema import SECTION_NAMES, SECTIONS
from oddsengine.runtime.settings.toml_lines import line_numbers
from oddsengine.sourcing.sourcing_rule import SourcingRule

PLUGINS = installed_feeds()
ADAPTERS = {name: plugin.config_type for name, plugin in PLUGINS.items()}
CONFIGS = Path(__file__).parents[3] / "config"


def parse(text: str) -> Settings:
    return parse_settings(text, "odds.toml", ADAPTERS, lambda adapter, name, config: PLUGINS[adapter].sources(name, config))


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_configs_load() -> None:
    for path in sorted(CONFIGS.glob("*.toml")):
        assert load_settings(path, ADAPTERS).feeds
    assert "simulator" == load_settings(demo_config(), ADAPTERS).feeds["sim"].adapter


def test_an_empty_config_has_a_default_profile() -> None:
    settings = parse("")
    assert ["default"] == list(settings.profiles)
    assert 8080 == settings.gateway.port


def test_a_misspelt_key_is_reported_with_a_suggestion() -> None:
    (problem,) = problems("[gateway]\nhost = 'x'\nprot = 80\n")
    assert problem.startswith("odds.toml:3: gateway.prot: unknown key 'prot'; known: host, port")
    assert problem.endswith("did you mean 'port'?")


def test_no_problem_of_a_table_hides_another() -> None:
    keys = (
        'prot = 1\nport = 70000\nstale_suspend_after_s = 1\nallowed_origins = ["shop.example"]\ntrusted_proxies = ["1.2.3.400"]'
    )
    found = problems(f'[gateway]\n{keys}\ntls_cert = "a.pem"\n[redis]\nurl = "redis://h:99999"\ntls_key = "a.key"\n')
    places = sorted(problem.split(":")[1] for problem in found)
    assert ["10", "2", "3", "4", "5", "6", "7", "9"] == places


def test_every_problem_is_reported_not_only_the_first() -> None:
    found = problems(
        "[gatway]\n[engine]\nshards = 0\n[profiles.a]\nmethod = 'shinn'\n[profiles.b]\nladder = 'none'\n"
        "[feeds.x]\nadapter = 'betfiar'\n[feeds.y]\n[gateway]\nprofile = 'c'\n"
    )
    assert [
        "odds.toml:1: gatway: unknown section",
        "odds.toml:3: engine.shards: Expected a whole number >= 1",
        "odds.toml:5: profiles.a.method: 'shinn' is not one of multiplicative",
        "odds.toml:7: profiles.b.ladder: unknown ladder 'none'; known:",
        "odds.toml:9: feeds.x.adapter: unknown adapter 'betfiar'",
        "odds.toml:10: feeds.y: adapter is missing",
        "odds.toml:12: gateway.profile: unknown profile 'c'",
    ] == [message[: len(start)] for message, start in zip(found, [
        "odds.toml:1: gatway: unknown section",
        "odds.toml:3: engine.shards: Expected a whole number >= 1",
        "odds.toml:5: profiles.a.method: 'shinn' is not one of multiplicative",
        "odds.toml:7: profiles.b.ladder: unknown ladder 'none'; known:",
        "odds.toml:9: feeds.x.adapter: unknown adapter 'betfiar'",
        "odds.toml:10: feeds.y: adapter is missing",
        "odds.toml:12: gateway.profile: unknown profile 'c'",
    ], strict=True)]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[gateway]\nsuspend_stale_s = 4\n", "odds.toml:2: gateway.suspend_stale_s: renamed to stale_suspend_after_s"),
        ("[[selection]]\nsources = []\n", "odds.toml:1: selection: renamed to sourcing"),
        ("[auth]\nanonymous = ''\n", "odds.toml:2: auth.anonymous: renamed to anonymous_role"),
        ("[profiles.a]\nwhole_book = true\n", "odds.toml:2: profiles.a.whole_book: renamed to require_complete_book"),
        ("[matching]\nmargin = 0.1\n", "odds.toml:2: matching.margin: renamed to min_lead"),
        (
            "[[profiles.default.rules]]\nin_play = true\nspike_limit = 0.2\n",
            "odds.toml:3: profiles.default.rules.0.spike_limit: renamed to jump_limit",
        ),
        ("[matching]\naccept = 0.9\n", "odds.toml:2: matching.accept: renamed to merge_threshold"),
        (
            "[feeds.t]\nadapter = 'theoddsapi'\nleast_interval_s = 9\n",
            "odds.toml:3: feeds.t.least_interval_s: renamed to min_interval_s",
        ),
    ],
)
def test_a_renamed_key_is_reported_with_its_new_name(text: str, message: str) -> None:
    assert message in problems(text)


def test_an_old_name_is_only_unknown_in_a_table_without_the_new_one() -> None:
    assert problems("[log]\norigins = []\n") == ["odds.toml:2: log.origins: unknown key 'origins'; known: level, access"]


def test_no_renamed_key_is_still_in_use() -> None:
    """Every new name is the name of a key or section, and no table has an old name beside its new one."""
    tables = [SECTION_NAMES]
    structs: list[type[msgspec.Struct]] = [
        *SECTIONS.values(),
        Profile,
        Rule,
        SourcingRule,
        KeySettings,
        Supervision,
        *ADAPTERS.values(),
    ]
    tables += [tuple(field.name for field in msgspec.structs.fields(struct)) for struct in structs]
    for old, new in RENAMED_KEYS.items():
        having = [names for names in tables if new in names]
        assert having, new
        assert not [names for names in having if old in names]


def test_nested_tables_are_checked_like_their_parents() -> None:
    (problem,) = problems("[feeds.s]\nadapter = 'simulator'\n[feeds.s.pace]\nminutes_per_s = 0\n")
    assert problem.startswith("odds.toml:4: feeds.s.pace.minutes_per_s: Expected a number > 0")


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
def test_invalid_toml_and_wrong_types_are_reported_with_their_line(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_settings(tmp_path / "none.toml", ADAPTERS)


def test_profiles_and_rules_may_use_custom_ladders() -> None:
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
    profile = parse(text).profiles["default"]
    assert (1100, 1200) == profile.ladder_ticks.ticks[:2]
    assert (4500, 5000) == profile.ladder_ticks.ticks[-2:]
    assert (1500, 2000, 4250) == refined(profile, profile.rules[0]).ladder_ticks.ticks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ladders.x]\nodds = [2.0, 1.5]\n", "odds.toml:1: ladders.x: the ticks of ladder 'x' must be strictly ascending"),
        ("[ladders.x]\nodds = [1.0, 1.5]\n", "odds.toml:1: ladders.x: odds must be above 1, not 1"),
        ("[ladders.x]\nodds = [1.0005, 1.5]\n", "odds.toml:1: ladders.x: odds have at most three decimals, not 1.0005"),
        (
            "[ladders.x]\nincrements = [[1.1, 0.4], [2.0, 0.0]]\n",
            "odds.toml:1: ladders.x: steps of 0.4 do not lead from 1.1 to 2",
        ),
        (
            "[ladders.x]\nincrements = [[1.1, 0.1], [2.0, 0.1]]\n",
            "odds.toml:1: ladders.x: a ladder needs at least one (from, step)",
        ),
        ("[ladders.x]\n", "odds.toml:1: ladders.x: set either increments or odds"),
        ("[ladders.betfair]\nodds = [2.0]\n", "odds.toml:1: ladders.betfair: is the name of a built-in ladder"),
        (
            "[profiles.a]\nladder = 'betfare'\n",
            "odds.toml:2: profiles.a.ladder: unknown ladder 'betfare'; known: american, betfair, decimal_2",
        ),
        (
            "[tiers]\ntop = ['Cup']\n[profiles.a]\n[[profiles.a.rules]]\ntier = 'tap'\nbook_sum = 1.1\n",
            "odds.toml:5: profiles.a.rules.0.tier: unknown tier 'tap'; known: top; did you mean 'top'?",
        ),
        ("[tiers]\ntop = 'Cup'\n", "odds.toml:1: tiers: Expected a list, not"),
        ("[profiles.a]\nbook_sum = 1.02\nmin_margin = 0.03\n", "odds.toml:1: profiles.a: book_sum 1.02 is under the floor"),
        ("[profiles.a]\nsource_overround = 0.5\n", "odds.toml:1: profiles.a: source_overround is 1 or more"),
    ],
)
def test_bad_ladders_tiers_and_margins_are_reported_with_their_line(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message), problems(text)


def test_supervision_matching_and_sourcing_are_read() -> None:
    text = """
[matching]
merge_threshold = 0.9
matches = [["p.1", "b.2"]]
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
    settings = parse(text)
    assert 20.0 == settings.feeds["p"].supervision.quiet_in_play_s
    assert (0.9, (("p.1", "b.2"),)) == (settings.matching.merge_threshold, settings.matching.matches)
    assert ("consensus", ("p", "t.bet365")) == (settings.sourcing[0].mode, settings.sourcing[0].sources)


def test_problems_in_feeds_and_sourcing_are_reported() -> None:
    text = """
[matching]
review_threshold = 0.95
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
    found = "\n".join(problems(text))
    assert "matching: review_threshold (0.95) must not be above merge_threshold (0.86)" in found
    assert "did you mean 'consensus'?" in found
    assert "a feed name can't contain a dot" in found
    assert "feeds.pinnacle.supervision.quiet_s: Expected a number >= 0.0" in found


@pytest.mark.parametrize(
    ("source", "is_known"), [("p", True), ("p.b", True), ("consensus", True), ("pp", False), ("pp.b", False)]
)
def test_a_rule_names_sources_of_a_feed(source: str, is_known: bool) -> None:
    """A misspelt one would never suspend."""
    rule = f"[[profiles.default.rules]]\nsource = ['{source}']\nsuspend = true\n"
    text = f"{rule}[feeds.p]\nadapter = 'pinnacle'\n"
    if is_known:
        assert (source,) == parse(text).profiles["default"].rules[0].sources
    else:
        assert [f"odds.toml:2: profiles.default.rules.0.source: unknown feed '{source}'; known: p"] == [
            each.partition("; did")[0] for each in problems(text)
        ]
    assert parse(rule).profiles["default"].rules, "a gateway may know no feeds"


FEEDS = "[feeds.p]\nadapter = 'pinnacle'\n[feeds.t]\nadapter = 'theoddsapi'\nbookmakers = ['bet365', 'unibet']\n"


def test_a_bookmaker_is_one_that_its_feed_lists() -> None:
    rules = "[[profiles.default.rules]]\nsource = ['t.bet365', 't.bet356']\nsuspend = true\n[[sourcing]]\nsources = ['t.unibt']\n"
    known = "known: t.bet365, t.unibet; did you mean"
    assert [
        f"odds.toml:5: sourcing.0.sources: unknown source 't.unibt'; {known} 't.unibet'?",
        f"odds.toml:2: profiles.default.rules.0.source: unknown source 't.bet356'; {known} 't.bet365'?",
    ] == problems(rules + FEEDS)


@pytest.mark.parametrize(
    ("keys", "possible"), [("min_sources = 3", 3), ("min_sources = 4", 3), ("sources = ['p']", 1), ("sources = ['t']", 2)]
)
def test_a_consensus_needs_no_more_sources_than_there_are(keys: str, possible: int) -> None:
    text = f"[[sourcing]]\nmode = 'consensus'\n{keys}\n{FEEDS}"
    if possible >= int(keys[-1] if keys[-1].isdigit() else 2):
        assert parse(text).sourcing
    else:
        (problem,) = problems(text)
        assert f"there can be {possible}: every market of this consensus would stay suspended" in problem


def test_a_source_named_as_late_in_play_is_one_of_a_feed() -> None:
    assert any(
        "sourcing.0.late_in_play: unknown feed 'bet.x'" in each for each in problems("[[sourcing]]\nlate_in_play = ['bet.x']\n")
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[engine]\nshards = 'four'\n", "odds.toml:2: engine.shards: Expected a whole number, not 'four'"),
        (
            "[[profiles.a.rules]]\nin_play = 'yes'\nbook_sum = 1.1\n",
            "odds.toml:2: profiles.a.rules.0.in_play: Expected true or false, not 'yes'",
        ),
        (
            "[feeds.p]\nadapter = 'pinnacle'\nsports = ['football']\n",
            "odds.toml:3: feeds.p.sports: Expected a whole number for each of the list, not ['football']",
        ),
        (
            "[auth]\nanonymous_role = 'trade'\n",
            "odds.toml:2: auth.anonymous_role: 'trade' is not one of subscriber, service, trader, admin, ''; did you mean",
        ),
        ("[redis]\nurl = 'http://x'\n", "odds.toml:2: redis.url: unknown scheme http://"),
        ("[feeds.a]\nadapter = 'simulator'\n[feeds.a]\n", "odds.toml:3: not TOML: [feeds.a] is there twice"),
        ("[engine]\nshards = 1\nshards = 2\n", "odds.toml:3: not TOML: the key, or a table of its name, is there twice"),
        (
            "[profiles.a]\nmethod = 'shin'\n[[profiles.a.rules]]\ntype = 'place'\nbook_sum = 1.1\n",
            "odds.toml:1: profiles.a: method 'shin' holds for one winner only, and the rule of odds.toml:3 is for 'place'",
        ),
    ],
)
def test_a_problem_is_said_in_words_with_the_place_to_correct(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message), problems(text)


@pytest.mark.parametrize("value", ["'totals'", "['match_odds', 'totals']"])
def test_of_many_allowed_names_the_closest_are_named(value: str) -> None:
    (problem,) = problems(f"[[profiles.default.rules]]\ntype = {value}\nbook_sum = 1.1\n")
    assert problem.startswith("odds.toml:2: profiles.default.rules.0.type: 'totals' is not one of ")
    assert "known names; closest: total, " in problem


def test_what_names_a_part_with_problems_is_no_problem() -> None:
    text = """
[gateway]
prot = 1
profile = "a"
[ladders.x]
odds = [2.0, 1.5]
[profiles.a]
ladder = "x"
[profiles.b]
methd = "shin"
[[sourcing]]
sources = ["f"]
[feeds.f]
adapter = "pinacle"
"""
    assert ["gateway.prot", "ladders.x", "profiles.b.methd", "feeds.f.adapter"] == [
        problem.partition(": ")[2].partition(": ")[0] for problem in problems(text)
    ]


def test_line_numbers_name_tables_arrays_and_dotted_keys() -> None:
    text = 'top = 1\n[a.b]\nc.d = 2\n[[a.list]]\n[[a.list]]\n"e" = 3\n[a."f g"]\n'
    assert line_numbers(text) == {
        ("top",): 1,
        ("a", "b"): 2,
        ("a", "b", "c", "d"): 3,
        ("a", "list"): 4,
        ("a", "list", "0"): 4,
        ("a", "list", "1"): 5,
        ("a", "list", "1", "e"): 6,
        ("a", "f g"): 7,
    }
