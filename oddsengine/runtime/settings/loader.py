"""Reads a config file and checks the references between its sections."""

from __future__ import annotations

import os
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from feeds.supervision.settings import Supervision
from oddsengine.bridge.settings import BridgeSettings
from oddsengine.common.excerpts import echoed
from oddsengine.domain.ladders import LADDERS, ladder_from_increments, ladder_from_ticks
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.settings.environment import Schema, apply_environment
from oddsengine.runtime.settings.errors import ConfigError, Problem
from oddsengine.runtime.settings.file_contents import contents_of_feed
from oddsengine.runtime.settings.reader import TableReader
from oddsengine.runtime.settings.schema import (
    FEED_TYPES,
    SECTION_NAMES,
    SECTION_TYPES,
    SECTIONS,
    FeedSettings,
    GatewaySettings,
    LadderSettings,
    Settings,
)
from oddsengine.runtime.settings.source_references import SourceReferences
from oddsengine.sourcing.sourcing_rule import SourcingRule
from oddsengine.webhooks.settings import WebhookSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    import msgspec

    from oddsengine.domain.ladders import Ladder

    #: (adapter, name of a feed, its config) -> the names of its sources
    SourcesOf: TypeAlias = Callable[[str, str, Any], tuple[str, ...]]

#: The error of `tomllib` for a table that is there twice.
_DECLARED_TWICE: Final = re.compile(r"Cannot declare \((.*)\) twice")


def demo_config() -> Path:
    """Return the path of the demo config: inside the installed package, or beside it in a checkout."""
    packaged = Path(str(files("oddsengine"))) / "config" / "demo.toml"
    return packaged if packaged.exists() else Path(str(files("oddsengine"))).parent / "config" / "demo.toml"


def load_settings(
    path: Path,
    adapters: Mapping[str, type[msgspec.Struct]],
    sources_of: SourcesOf | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Load a config file, and the keys that environment variables stand for.

    Args:
        path: a TOML file.
        adapters: the config type of each installed feed adapter.
        sources_of: returns the sources of a feed; without it a feed may have any.
        environment: the environment variables (see `environment.py`).

    Raises:
        ConfigError: with every problem: file, line, key, allowed values, and a suggestion for a misspelt name.
    """
    try:
        # Some editors begin a file with a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem(str(path), None, "", f"can't be read: {error.strerror or error}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(str(path), None, "", f"can't be read: {error}")]) from error
    return parse_settings(text, str(path), adapters, sources_of, environment)


def parse_settings(
    text: str,
    name: str,
    adapters: Mapping[str, type[msgspec.Struct]],
    sources_of: SourcesOf | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Parse the text of a config file; see `load_settings`. Without an environment there are no variables."""
    table = _parse_toml(text, name)
    reader = TableReader(text, name)
    apply_environment(table, reader, environment or {}, Schema(SECTION_TYPES, adapters, FEED_TYPES))
    reader.check_names((), table, SECTION_NAMES, "section")
    sections = {section: reader.convert((section,), table.get(section, {}), kind) for section, kind in SECTIONS.items()}
    # Naming a part that has problems is no further problem: another ladder stands in for it; feeds and profiles count by name.
    ladders = {
        key: _ladder(reader, key, value) or LADDERS["decimal_2"]
        for key, value in reader.tables(("ladders",), table.get("ladders", {}))
    }
    reader.ladders = {*LADDERS, *ladders}
    tiers = reader.convert(("tiers",), table.get("tiers", {}), dict[str, tuple[str, ...]])
    profiles = {
        key: profile
        for key, value in reader.tables(("profiles",), table.get("profiles", {}))
        if (profile := reader.convert(("profiles", key), value, Profile, _own_ladders=ladders)) is not None
    } or {"default": Profile()}
    _check_tiers(reader, profiles, tiers or {})
    feeds = {
        key: feed
        for key, value in reader.tables(("feeds",), table.get("feeds", {}))
        if (feed := _feed(reader, key, value, adapters)) is not None
    }
    sourcing = tuple(reader.array(("sourcing",), table.get("sourcing", []), SourcingRule))
    webhooks = tuple(reader.array(("webhooks",), table.get("webhooks", []), WebhookSettings))
    _check_webhooks(reader, webhooks)
    sources = {} if sources_of is None else {key: sources_of(feed.adapter, key, feed.config) for key, feed in feeds.items()}
    references = SourceReferences(reader, _names(table, "feeds"), sources)
    references.check_sourcing(sourcing)
    references.check_profiles(profiles)
    names = _names(table, "profiles") or ["default"]
    if (profile := _profile_shown(table)) not in names:
        reader.report_unknown(("gateway", "profile"), "profile", profile, names)
    _check_bridges(reader, sections["bridge"], names)
    if reader.problems:
        raise ConfigError(reader.problems)
    return Settings(
        **sections,
        profiles=profiles,
        tiers=tiers or {},
        feeds=feeds,
        sourcing=sourcing,
        webhooks=webhooks,
        sections=frozenset(table),
        variables=tuple(sorted(set(reader.variables.values()))),
    )


def _names(table: dict[str, Any], section: str) -> list[str]:
    """Return what a section names, also where it has problems."""
    value = table.get(section)
    return list(value) if isinstance(value, dict) else []


def _profile_shown(table: dict[str, Any]) -> str:
    """Return the `gateway.profile` of a file, also where another key of the section has a problem."""
    gateway = table.get("gateway")
    profile = gateway.get("profile") if isinstance(gateway, dict) else None
    return profile if isinstance(profile, str) else GatewaySettings().profile


def _parse_toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError([Problem(name, None, "", "not TOML: nested too deeply")]) from error
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\(at line (\d+), column \d+\)", str(error))
        reason = str(error).partition(" (at ")[0]
        if twice := _DECLARED_TWICE.fullmatch(reason):
            table = ".".join(re.findall(r"'([^']*)'", twice[1]))
            reason = f"[{table}] is there twice"
        elif reason == "Cannot overwrite a value":
            reason = "the key, or a table of its name, is there twice"
        raise ConfigError([Problem(name, int(match[1]) if match else None, "", f"not TOML: {reason}")]) from error
    except ValueError as error:
        raise ConfigError([Problem(name, None, "", "not TOML: a number has thousands of digits")]) from error


def _ladder(reader: TableReader, key: str, value: dict[str, Any]) -> Ladder | None:
    settings = reader.convert(("ladders", key), value, LadderSettings)
    if settings is None:
        return None
    if key in LADDERS:
        reader.report(("ladders", key), "is the name of a built-in ladder; choose another")
        return None
    try:
        return ladder_from_increments(key, settings.increments) if settings.increments else ladder_from_ticks(key, settings.odds)
    except ValueError as error:
        reader.report(("ladders", key), str(error))
        return None


def _feed(
    reader: TableReader, key: str, value: dict[str, Any], adapters: Mapping[str, type[msgspec.Struct]]
) -> FeedSettings | None:
    value = dict(value)
    adapter = value.pop("adapter", None)
    if adapter is None:
        reader.report(("feeds", key), f"adapter is missing; installed adapters: {', '.join(adapters) or 'none'}")
        return None
    kind = adapters.get(adapter)
    if kind is None:
        reader.report_unknown(("feeds", key, "adapter"), "adapter", str(adapter), adapters)
        return None
    if "." in key:
        reader.report(("feeds", key), "a feed name can't contain a dot: what follows a dot names a bookmaker of the feed")
    supervision = reader.convert(("feeds", key, "supervision"), value.pop("supervision", {}), Supervision)
    config = reader.convert(("feeds", key), value, kind)
    if config is None or supervision is None:
        return None
    return FeedSettings(adapter, config, supervision, contents_of_feed(config))


def _check_tiers(reader: TableReader, profiles: Mapping[str, Profile], tiers: Mapping[str, Any]) -> None:
    """Report rules that name a tier which is not configured."""
    for key, profile in profiles.items():
        for index, rule in enumerate(profile.rules):
            for tier in (rule.tier,) if isinstance(rule.tier, str) else rule.tier or ():
                if tier not in tiers:
                    reader.report_unknown(("profiles", key, "rules", str(index), "tier"), "tier", tier, tiers)


def _check_bridges(reader: TableReader, bridges: BridgeSettings | None, profiles: list[str]) -> None:
    """Report bridges that publish the prices of a profile which does not exist."""
    for key in BridgeSettings.__struct_fields__:
        bridge = getattr(bridges, key, None)
        if bridge is not None and bridge.profile not in profiles:
            reader.report_unknown(("bridge", key, "profile"), "profile", bridge.profile, profiles)


def _check_webhooks(reader: TableReader, webhooks: tuple[WebhookSettings, ...]) -> None:
    """Report webhooks of one name: how far each has got is kept under it."""
    labels = [webhook.label for webhook in webhooks]
    for index, label in enumerate(labels):
        if label in labels[:index]:
            reader.report(("webhooks", str(index)), f"another one is called {echoed(label)}; give each a name of its own")
