"""Every key of the config is applied by a reload, or is named with the reason why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from oddsengine.cli.app import app
from oddsengine.runtime.engine import engine_parts
from oddsengine.runtime.parts.access import access_part, commands_part
from oddsengine.runtime.parts.quotes import quotes_part
from oddsengine.runtime.parts.serving import draining_part, serving_part
from oddsengine.runtime.parts.webhooks import webhooks_part
from oddsengine.runtime.reload import RELOADED
from oddsengine.runtime.settings import parse_settings
from oddsengine.runtime.settings.file_contents import READ_ONCE
from oddsengine.runtime.settings.reload_table import LIVE, NEEDS_RESTART, changed_keys, config_keys, is_live

CONFIGURATION = Path(__file__).parents[3] / "docs" / "configuration.md"
ANYTHING = cast("Any", None)
#: Files that are read again while a process runs.
READ_AGAIN = {"gateway.tls_cert", "gateway.tls_key", "quotes.signing_key_file"}
#: Part of what profiles are made of when the file is loaded.
RESOLVED = {"ladders"}


def keys_of_parts() -> frozenset[str]:
    """Return what a reload of `oddsengine run` applies."""
    parts = [*engine_parts(ANYTHING), access_part(ANYTHING), commands_part(ANYTHING), webhooks_part(ANYTHING)]
    parts += [quotes_part(ANYTHING), serving_part(ANYTHING, ANYTHING, [], ANYTHING), draining_part(ANYTHING)]
    return RELOADED.union({"feeds"}, *(part.keys for part in parts))


@pytest.mark.parametrize("key", [*config_keys()])
def test_each_key_is_applied_or_named(key: str) -> None:
    assert is_live(key) != (key in NEEDS_RESTART), "say in the table what a reload does with it"


def test_the_table_names_no_other_keys_and_some_part_applies_each() -> None:
    known = {*config_keys(), *(key.partition(".")[0] for key in config_keys())}
    assert set() == (LIVE | NEEDS_RESTART.keys()) - known
    assert LIVE - RESOLVED == keys_of_parts()


def test_the_document_says_what_a_reload_does_with_each_key() -> None:
    rows = re.findall(r"^\| (`.*?) \|.*? \| (live|restart) \| ", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE)
    documented: dict[str, str] = {}
    for names, reload in rows:
        keys = [name.strip("[]") for name in re.findall(r"`([^`]+)`", names)]
        section = keys[0].partition(".")[0]
        for key in keys:
            documented[key if "." in key or key == section else f"{section}.{key}"] = reload
    for key, reload in documented.items():
        assert (reload == "live") == (is_live(key) or key.startswith(".")), key
    tables = {key for key in config_keys() if "." in key}
    assert set() == {key for key in tables if not any(f"{each}.".startswith(f"{key}.") for each in documented)}


def test_what_becomes_of_each_file_that_is_written_again_is_known() -> None:
    files = {key for key in config_keys() if key.endswith(("_file", "_ca", "_cert", "_key"))}
    assert {*READ_ONCE} | READ_AGAIN == files


def test_the_order_of_profiles_is_a_change() -> None:
    first, second = "[profiles.default]\n", "[profiles.second]\n"
    before, after = (parse_settings(text, "odds.toml", {}) for text in (first + second, second + first))
    assert ["profiles"] == list(changed_keys(before, after))
    assert [] == list(changed_keys(before, before))


def test_a_check_says_what_a_running_process_would_apply(tmp_path: Path) -> None:
    running, changed = tmp_path / "running.toml", tmp_path / "changed.toml"
    running.write_text("[profiles.default]\n")
    changed.write_text("[profiles.default]\nbook_sum = 1.1\n[gateway]\nport = 9000\nheartbeat_ms = 900\n")
    result = CliRunner().invoke(app, ["check", str(changed), "--against", str(running)])
    assert 0 == result.exit_code
    lines = result.stdout.splitlines()[1:]
    assert ["restart: gateway.port (the port is bound once)", "reload: gateway.heartbeat_ms", "reload: profiles.default"] == lines
