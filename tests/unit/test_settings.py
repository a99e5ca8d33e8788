"""Reading configuration: what is wrong is named with its file, line and key, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.feed import installed_feeds
from oddsengine.settings import ConfigError, Settings, demo_config, load_settings, parse_settings

ADAPTERS = {name: plugin.config_type for name, plugin in installed_feeds().items()}
CONFIGS = Path(__file__).parents[2] / "config"


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
        "odds.toml:6: profiles.b: no ladder 'none'; the ladders are",
        "odds.toml:9: feeds.x.adapter: no adapter 'betfiar'",
        "odds.toml:10: feeds.y: adapter is missing",
        "odds.toml:12: gateway.profile: no profile 'c'",
    ] == [message[: len(start)] for message, start in zip(found, [
        "odds.toml:1: gatway: unknown section",
        "odds.toml:3: engine.shards: Expected `int` >= 1",
        "odds.toml:5: profiles.a.method: 'shinn' is not one of multiplicative",
        "odds.toml:6: profiles.b: no ladder 'none'; the ladders are",
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
            "[profiles.a]\nleast_odds = 5.0\ngreatest_odds = 2.0\n[gateway]\nprofile='a'",
            "odds.toml:1: profiles.a: least_odds 5 is not under",
        ),
    ],
)  # fmt: skip
def test_what_is_no_table_or_no_toml(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        load_settings(tmp_path / "none.toml", ADAPTERS)
