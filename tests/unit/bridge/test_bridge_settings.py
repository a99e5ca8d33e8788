"""The keys of `[bridge]` are checked before anything starts, and what a machine lacks is named."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from oddsengine.cli.check import problems_of
from oddsengine.domain.formats import FORMATS
from oddsengine.runtime.settings import ConfigError, Settings, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

KAFKA = "[bridge.kafka]\nbrokers = ['a:9092']\n"
RABBIT = "[bridge.rabbitmq]\nurl = 'amqp://a'\n"


def parse(text: str) -> Settings:
    return parse_settings(text, "odds.toml", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bridge.kafka]\n", "bridge.kafka: Missing required argument 'brokers'"),
        ("[bridge.kafka]\nbrokers = []\n", "odds.toml:2: bridge.kafka.brokers: is empty"),
        ("[bridge.kafka]\nbrokers = ['kafka://a']\n", "'kafka://a' is not host:port"),
        (KAFKA + "topics = {changes = 'a', events = 'a'}\n", "bridge.kafka.topics.changes: another topic is called 'a' too"),
        (KAFKA + "topic = 'a'\n", "did you mean 'topics'?"),
        (KAFKA + "profile = 'vip'\n", "bridge.kafka.profile: unknown profile 'vip'; known: default"),
        (KAFKA + "tls_ca = 'a.pem'\n", "bridge.kafka.tls_ca: needs tls = true"),
        (KAFKA + "tls = true\ntls_key = 'a.pem'\n", "bridge.kafka.tls_key: set both tls_cert and tls_key"),
        (
            KAFKA + "password = 'a'\npassword_env = 'B'\n",
            "password_env: set only one of password, password_env and password_file",
        ),
        ("[bridge.rabbitmq]\nurl = 'http://a'\n", "bridge.rabbitmq.url: must begin with amqp:// or amqps://"),
        ("[bridge.rabbitmq]\nurl = 'amqp://me:secret@a'\n", "url: can't have a user or a password"),
        (RABBIT + "tls_ca = 'a.pem'\n", "tls_ca: needs a url with amqps://"),
        ("[bridge.nats]\n", "unknown key 'nats'; known: kafka, rabbitmq"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_every_format_of_prices_can_be_written() -> None:
    formats = [*FORMATS, "hongkong"]
    sections = [parse(KAFKA + f"format = '{each}'\n").bridge.kafka for each in formats]
    assert [*FORMATS, "hong_kong"] == [section.odds_format for section in sections if section is not None]


async def test_check_names_what_a_machine_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    kafka = KAFKA + f"user = 'odds'\npassword_file = '{file}'\n"
    rabbit = "[bridge.rabbitmq]\nurl = 'amqps://a'\ntls_ca = 'none.pem'\n"
    found = [problem.reason for problem in await problems_of(parse(kafka + rabbit), connect=False)]
    assert f"bridge.kafka.password_file: {file}: No such file or directory" in found
    assert any(each.startswith("bridge.rabbitmq.tls_ca: none.pem: ") for each in found)
    file.write_text("\n")
    (found_one,) = [problem.reason for problem in await problems_of(parse(kafka), connect=False)]
    assert f"bridge.kafka.password_file: {file}: is empty" == found_one
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    (missing,) = [problem.reason for problem in await problems_of(parse(KAFKA), connect=False)]
    assert "bridge.kafka: aiokafka is not installed: pip install 'oddsengine[bridge]'" == missing


async def test_check_connect_names_a_broker_that_does_not_answer() -> None:
    problems = await problems_of(parse("[bridge.kafka]\nbrokers = ['127.0.0.1:1']\n"), connect=True)
    assert ["bridge.kafka: ConnectionRefusedError"] == [problem.reason[:36] for problem in problems]
