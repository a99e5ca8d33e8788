"""Every key of the config has an environment variable, every secret a variable and a file, and messages name them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest

from feeds.feed import installed_feeds
from oddsengine.cli.check import notes_of, problems_of, warnings_of
from oddsengine.gateway.access.settings import KeySettings
from oddsengine.runtime.settings import ConfigError, Settings, load_settings, parse_settings
from oddsengine.runtime.settings.environment import Schema, apply_environment, variable_part
from oddsengine.runtime.settings.reader import TableReader
from oddsengine.runtime.settings.schema import FEED_TYPES, SECTION_NAMES, SECTION_TYPES, SECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADAPTERS = {name: plugin.config_type for name, plugin in installed_feeds().items()}
SCHEMA = Schema(SECTION_TYPES, ADAPTERS, FEED_TYPES)
#: What holds a secret, or is one of a pair that does.
SECRET = re.compile(r"(^|_)(secret|password|token|api_key|app_key|user|username)$")
#: Files that are no secrets, and keys that are all of a way to give one.
OTHER_FILES = {"ca_file", "cert_file", "key_file"}


def structs_of(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the Structs that a type contains."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from structs_of(field.type)
    for part in get_args(kind):
        yield from structs_of(part)


ALL_STRUCTS = sorted({each for kind in (*SECTION_TYPES.values(), *ADAPTERS.values()) for each in structs_of(kind)}, key=repr)


def keys_of(path: tuple[str, ...], kind: type[msgspec.Struct]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and type of every key, of tables within tables too."""
    for field in msgspec.structs.fields(kind):
        if field.name.startswith("_"):
            continue
        inner = [
            each for each in (field.type, *get_args(field.type)) if isinstance(each, type) and issubclass(each, msgspec.Struct)
        ]
        if inner and not str(field.type).startswith("tuple"):
            yield from keys_of((*path, field.encode_name), inner[0])
        else:
            yield (*path, field.encode_name), field.type


def all_keys() -> Iterator[tuple[tuple[str, ...], Any]]:
    for section, kind in SECTIONS.items():
        yield from keys_of((section,), kind)
    for name, config in ADAPTERS.items():
        yield from keys_of(("feeds", name), config)
        yield from keys_of(("feeds", name, "supervision"), FEED_TYPES["supervision"])
    for section in ("profiles", "ladders"):
        (_, kind) = get_args(SECTION_TYPES[section])
        yield from keys_of((section, "vip"), kind)
    for section in ("webhooks", "sourcing"):
        yield from keys_of((section, "0"), get_args(SECTION_TYPES[section])[0])


def at(table: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        table = table[int(part)] if isinstance(table, list) else table[part]
    return table


def parse(text: str = "", **environment: str) -> Settings:
    variables = {f"ODDSENGINE_{name}": value for name, value in environment.items()}
    return parse_settings(text, "odds.toml", ADAPTERS, None, variables)


def test_every_key_has_a_variable() -> None:
    """Its value is TOML, and text without quotes stays text even if it looks like a number."""
    count = 0
    for path, kind in all_keys():
        name = "ODDSENGINE_" + "__".join(variable_part(part) for part in path)
        table: dict[str, Any] = {"feeds": {adapter: {"adapter": adapter} for adapter in ADAPTERS}}
        reader = TableReader("", "odds.toml")
        assert path in apply_environment(table, reader, {name: "1"}, SCHEMA), name
        assert at(table, path) == ("1" if kind is str else at(table, path)), name
        assert [] == reader.problems
        count += 1
    assert count > 200


@pytest.mark.parametrize("kind", ALL_STRUCTS, ids=lambda kind: kind.__name__)
def test_every_secret_has_a_variable_and_a_file(kind: type[msgspec.Struct]) -> None:
    if kind is KeySettings:
        return  # `env` and `file` are all it has
    names = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for name, of_type in names.items():
        if SECRET.search(name) and of_type is str:
            assert {f"{name}_env", f"{name}_file"} <= names.keys(), name
        if name.endswith("_env"):
            assert name.removesuffix("_env") + "_file" in names
        if name.endswith("_file") and name not in OTHER_FILES:
            assert name.removesuffix("_file") + "_env" in names


def test_a_variable_wins_over_the_file_and_reaches_named_and_listed_tables() -> None:
    text = (
        "[gateway]\nport = 1\n[feeds.my-feed]\nadapter = 'simulator'\n[[profiles.default.rules]]\nsport = 'a'\nbook_sum = 1.1\n"
    )
    settings = parse(
        text,
        GATEWAY__PORT="8443",
        GATEWAY__ALLOWED_ORIGINS='["https://shop.example"]',
        REDIS__NAMESPACE="123",
        LOG__LEVEL="debug",
        FEEDS__MY_FEED__SUPERVISION__QUIET_S="7.5",
        PROFILES__DEFAULT__RULES__0__SPORT="tennis",
        PROFILES__VIP__BOOK_SUM="1.02",
        WEBHOOKS="[{url = 'https://a', secret_env = 'A'}]",
        WEBHOOKS__1="{url = 'https://b', secret_env = 'B'}",
        BRIDGE__KAFKA__BROKERS="['a:1']",
        EXAMPLES="20",
        GATEWAY_PORT="tcp://10.0.0.1:80",
    )
    assert (8443, ("https://shop.example",)) == (settings.gateway.port, settings.gateway.allowed_origins)
    assert ("123", "debug", 7.5) == (settings.redis.namespace, settings.log.level, settings.feeds["my-feed"].supervision.quiet_s)
    assert (1.02, ["a", "b"]) == (settings.profiles["vip"].book_sum, [each.label for each in settings.webhooks])
    (rule,) = settings.profiles["default"].rules
    assert "tennis" in str(rule.sport)
    assert settings.bridge.kafka is not None
    assert ("a:1",) == settings.bridge.kafka.brokers
    environment = {"ODDSENGINE_GATEWAY_PORT": "tcp://10.0.0.1:80", "ODDSENGINE_EXAMPLES": "20"}
    set_by, ignored, no_redis = notes_of(settings, environment)
    assert no_redis.startswith("without redis.url only")
    assert "ODDSENGINE_GATEWAY__PORT" in set_by
    assert ignored.startswith("ODDSENGINE_GATEWAY_PORT stands for no key: ")


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("GATEWAY__PORT", "eighty", "ODDSENGINE_GATEWAY__PORT: gateway.port: Expected a whole number"),
        ("GATEWAY__PRT", "1", "ODDSENGINE_GATEWAY__PRT: gateway.prt: unknown key 'prt'; known: "),
        ("GATEWY__PORT", "1", "ODDSENGINE_GATEWY__PORT: gatewy: unknown section 'gatewy'"),
        ("GATEWAY__TLS_CERT", "a.pem", "ODDSENGINE_GATEWAY__TLS_CERT: gateway.tls_cert: set both"),
        ("WEBHOOKS__5__URL", "https://a", "ODDSENGINE_WEBHOOKS__5__URL: webhooks.5: there is no entry 5"),
        ("GATEWAY__PROFILE", "vip", "ODDSENGINE_GATEWAY__PROFILE: gateway.profile: unknown profile 'vip'"),
        ("LOG", "debug", "ODDSENGINE_LOG: log: must be a table"),
        ("GATEWAY__HOST", "\udcff", "ODDSENGINE_GATEWAY__HOST: gateway.host: is not text"),
        (
            "GATEWAY__ALLOWED_ORIGINS",
            '["\udcff"]',
            "ODDSENGINE_GATEWAY__ALLOWED_ORIGINS: gateway.allowed_origins: is not text",
        ),
        ("GATEWAY__\udcff", "1", "is not text"),
        ("GATEWAY__WORKERS", "1\nport = 2", "ODDSENGINE_GATEWAY__WORKERS: gateway.workers: Expected a whole number"),
    ],
)
def test_a_message_names_the_variable(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(**{variable: value})
    assert message in str(refused.value)


def test_an_empty_variable_is_named() -> None:
    text = "[redis]\nurl = 'redis://redis'\n"
    settings = parse(text, REDIS__URL="", REDIS__NAMESPACE="a")
    (warning,) = warnings_of(settings, {"ODDSENGINE_REDIS__URL": "", "ODDSENGINE_REDIS__NAMESPACE": "a"})
    assert warning.startswith("ODDSENGINE_REDIS__URL is empty")
    assert "without redis.url" in [*notes_of(settings, {})][-1]
    assert [] == [*notes_of(parse(text), {})]


async def test_the_url_of_redis_may_be_in_a_variable_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "url"
    config = tmp_path / "odds.toml"
    config.write_text(f"[redis]\nurl_file = '{file}'\n[gateway]\nport = 0\n")
    settings = load_settings(config, ADAPTERS, environment={})
    assert settings.redis.is_given
    (missing,) = await problems_of(settings, connect=False)
    assert f"redis.url_file: {file}: No such file or directory" == missing.reason
    file.write_text("rediss://:pass@redis:6379/0\n")
    assert "rediss://:pass@redis:6379/0" == settings.redis.full_url
    file.write_text("http://:pass@redis\n")
    (refused,) = await problems_of(settings, connect=False)
    assert refused.reason.startswith("redis.url_file: unknown scheme http://")
    by_variable = parse("[redis]\nurl_env = 'REDIS_URL'\ntls_ca = 'ca.pem'\n").redis
    monkeypatch.setenv("REDIS_URL", "rediss://redis")
    assert "rediss://redis?ssl_ca_certs=ca.pem" == by_variable.full_url
    monkeypatch.setenv("REDIS_URL", "redis://\udcff")
    with pytest.raises(ValueError, match="url_env: the environment variable REDIS_URL is not text"):
        _ = by_variable.full_url
    with pytest.raises(ConfigError, match="url_env: set only one of url, url_env and url_file"):
        parse("[redis]\nurl = 'redis://a'\n", REDIS__URL_ENV="B")


def test_every_section_is_known_to_the_schema() -> None:
    assert set(SECTION_NAMES) <= set(Settings.__struct_fields__) | {"ladders"}
