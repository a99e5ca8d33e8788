"""The keys of `[[webhooks]]` are checked before anything starts, and no message shows a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oddsengine.cli.check import problems_of
from oddsengine.common.redaction import SECRETS
from oddsengine.runtime.parts.webhooks import open_endpoints
from oddsengine.runtime.settings import ConfigError, Settings, parse_settings
from oddsengine.webhooks.settings import EVENT_KINDS

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GOOD = f"[[webhooks]]\nurl = 'https://hooks.example/a-path-that-may-be-a-key'\nsecret = '{SECRET}'\n"


def parse(text: str) -> Settings:
    return parse_settings(text, "odds.toml", {})


def test_a_webhook_needs_a_url_and_a_secret() -> None:
    (webhook,) = parse(GOOD).webhooks
    assert ("hooks.example", EVENT_KINDS) == (webhook.label, webhook.events)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[webhooks]]\nurl = 'https://a'\n", "odds.toml:1: webhooks.0: set exactly one of secret, secret_env and secret_file"),
        (GOOD + "secret_env = 'A'\n", "set exactly one of"),
        (GOOD.replace("https", "ftp"), "odds.toml:2: webhooks.0.url: must begin with https://"),
        (GOOD.replace("hooks.", "me:password@hooks."), "odds.toml:2: webhooks.0.url: can't have a user or a password"),
        (GOOD.replace("whsec_", ""), "odds.toml:3: webhooks.0.secret: must be whsec_ and base64"),
        (GOOD + "events = ['feed']\n", "'feed' is not one of feeds, guards, pairs, commands, results; did you mean 'feeds'?"),
        (GOOD + "event = []\n", "did you mean 'events'?"),
        (GOOD + GOOD, "webhooks.1: another one is called 'hooks.example'; give each a name of its own"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert message in str(refused.value)
    assert SECRET[6:] not in str(refused.value)
    assert "password@" not in str(refused.value)


async def test_check_names_a_secret_that_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    first = f"[[webhooks]]\nurl = 'http://a'\nsecret_file = '{file}'\n"
    second = "[[webhooks]]\nurl = 'http://b'\nsecret_env = 'MISSING_WEBHOOK'\n"
    settings = parse(first + second + "[gateway]\nport = 0\n")
    problems = [problem.reason for problem in await problems_of(settings, connect=False)]
    missing = f"webhooks a: secret_file: {file}: No such file or directory"
    assert [missing, "webhooks b: secret_env: the environment variable MISSING_WEBHOOK is not set"] == problems
    file.write_text(SECRET)
    environment = {"MISSING_WEBHOOK": SECRET}
    assert [1, 1] == [len(endpoint.keys) for endpoint in open_endpoints(settings.webhooks, environment)]


def test_secrets_and_paths_are_masked_in_logs() -> None:
    open_endpoints(parse(GOOD).webhooks)
    shown = SECRETS.redact(f"{SECRET} {SECRET[6:]} /a-path-that-may-be-a-key")
    assert "*** *** ***" == shown
