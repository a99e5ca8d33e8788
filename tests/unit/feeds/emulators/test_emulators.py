"""What holds of every installed emulator."""

from __future__ import annotations

import msgspec
import pytest

from feeds.emulators.core.faults import KINDS
from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import EmulatorNotInstalled, installed_emulators, load_emulator
from feeds.feed import installed_feeds

START_MS = 1_795_532_400_000  # 2026-11-24T15:00:00Z
PROVIDERS = ["betfair", "oddsapiio", "opticodds", "pinnacle", "theoddsapi"]


def test_every_emulator_stands_in_for_an_adapter() -> None:
    assert set(PROVIDERS) <= set(installed_emulators()) <= installed_feeds().keys()


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_its_config_opens_the_feed_with_its_secrets(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, feed = load_emulator(provider), installed_feeds()[provider]
    for variable, value in plugin.secrets.items():
        monkeypatch.setenv(variable, value)
    emulator = plugin.build(MarketModel(1, 2, START_MS))
    await emulator.start()
    try:
        config = msgspec.convert(emulator.config(), feed.config_type)
        async with feed.open(provider, config) as opened:
            assert feed.sources(provider, config) == opened.sources
        assert str(emulator.port) in emulator.fault_command("127.0.0.1")
        assert emulator.fault_kinds <= KINDS.keys()
        with pytest.raises(ValueError, match="unknown fault 'dance'"):
            emulator.inject_fault("dance")
    finally:
        await emulator.stop()


def test_an_unknown_provider_is_named_with_those_installed() -> None:
    with pytest.raises(EmulatorNotInstalled) as error:
        load_emulator("nobody")
    assert error.value.installed == installed_emulators()
    assert "no provider 'nobody' to emulate; there are betfair" in str(error.value)


def test_without_any_emulator_the_error_says_so() -> None:
    assert "no emulators are installed" in str(EmulatorNotInstalled("betfair", []))
