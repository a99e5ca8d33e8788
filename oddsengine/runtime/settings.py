"""The configuration: its types, and reading it with errors that say where and what would be right."""

from __future__ import annotations

import difflib
import re
import tomllib
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from feeds.supervision.settings import Supervision
from oddsengine.domain.ladders import LADDERS, ladder_of_increments, ladder_of_ticks
from oddsengine.gateway.access.settings import AuthSettings, KeySettings, LimitSettings
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from oddsengine.sourcing.matching.matcher import MatchingSettings
from oddsengine.sourcing.source_selector import SourcingRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.ladders import Ladder


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`shards` is how many sequences the changes are spread over; `closed_event_ttl_s` how long an ended event stays on offer."""

    shards: Annotated[int, Meta(ge=1, le=256)] = 1
    closed_event_ttl_s: Annotated[float, Meta(ge=0)] = 600.0


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`url` empty starts an embedded server; `namespace` keeps installations in one Redis apart."""

    url: str = ""
    namespace: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+$")] = "odds"


#: An idle engine writes every second; less than two of these is not yet a silence.
_MIN_STALE_SUSPEND_AFTER_S: Final = 2.0


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where subscribers connect, and how they are served; docs/configuration.md says what each key means."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    heartbeat_ms: Annotated[int, Meta(ge=500, le=60_000)] = 5000
    profile: str = "default"
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    quote_history_s: Annotated[float, Meta(ge=0, le=600)] = 10.0
    stale_suspend_after_s: Annotated[float, Meta(ge=0)] = 3.0
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""

    def __post_init__(self) -> None:
        if 0 < self.stale_suspend_after_s < _MIN_STALE_SUSPEND_AFTER_S:
            raise ValueError(
                f"stale_suspend_after_s: at least {_MIN_STALE_SUSPEND_AFTER_S:g} (an idle engine writes once a second); 0: never"
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key belong together")
        for network in self.trusted_proxies:
            ip_network(network)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class LadderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ladder of the operator's own: decimal (from, step) pairs, the last (top, 0), or all of its odds."""

    increments: tuple[tuple[float, float], ...] = ()
    odds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.increments) == bool(self.odds):
            raise ValueError("give either increments or odds")


class FeedSettings(msgspec.Struct, frozen=True):
    """A feed by its name: the adapter's name, the adapter's own config block, and how it is supervised."""

    adapter: str
    config: Any
    supervision: Supervision = Supervision()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be configured. Feeds stand in order of preference, and so do tiers."""

    engine: EngineSettings = EngineSettings()
    redis: RedisSettings = RedisSettings()
    gateway: GatewaySettings = GatewaySettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    log: LogSettings = LogSettings()
    profiles: dict[str, Profile] = {}
    #: tier -> ids or names of its competitions, or patterns of them
    tiers: dict[str, tuple[str, ...]] = {}
    feeds: dict[str, FeedSettings] = {}
    matching: MatchingSettings = MatchingSettings()
    sourcing: tuple[SourcingRule, ...] = ()


_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "engine": EngineSettings,
    "redis": RedisSettings,
    "gateway": GatewaySettings,
    "auth": AuthSettings,
    "limits": LimitSettings,
    "log": LogSettings,
    "matching": MatchingSettings,
}


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a config file."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(Exception):
    """A config file that can't be used, with everything that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def demo_config() -> Path:
    """Find the demo config: installed inside the package, or beside it in a checkout."""
    packaged = Path(str(files("oddsengine"))) / "config" / "demo.toml"
    return packaged if packaged.exists() else Path(str(files("oddsengine"))).parent / "config" / "demo.toml"


def load_settings(path: Path, adapters: Mapping[str, type[msgspec.Struct]]) -> Settings:
    """Read a config file.

    Args:
        path: a TOML file.
        adapters: the config type of each feed adapter installed here.

    Raises:
        ConfigError: names every problem with its file, line, key, what is allowed, and a suggestion.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), None, "", f"can't be read: {error}")]) from error
    return parse_settings(text, str(path), adapters)


def parse_settings(text: str, name: str, adapters: Mapping[str, type[msgspec.Struct]]) -> Settings:
    """Read config text; see `load_settings`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"\(at line (\d+), column \d+\)", str(error))
        reason = str(error).partition(" (at ")[0]
        raise ConfigError([Problem(name, int(match[1]) if match else None, "", f"not TOML: {reason}")]) from error
    reader = _Reader(text, name)
    reader.check_names((), table, [*_SECTIONS, "ladders", "tiers", "profiles", "feeds", "sourcing"], "section")
    sections = {section: reader.convert((section,), table.get(section, {}), kind) for section, kind in _SECTIONS.items()}
    ladders = {
        key: ladder
        for key, value in reader.tables(("ladders",), table.get("ladders", {}))
        if (ladder := _ladder(reader, key, value)) is not None
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
    sourcing = tuple(each for _, each in reader.array(("sourcing",), table.get("sourcing", []), SourcingRule))
    _check_sources(reader, sourcing, feeds)
    gateway = sections["gateway"]
    if isinstance(gateway, GatewaySettings) and gateway.profile not in profiles:
        hint = _suggestion(gateway.profile, profiles)
        reader.problem(("gateway", "profile"), f"no profile {gateway.profile!r}; there are {_list(profiles)}{hint}")
    if reader.problems:
        raise ConfigError(reader.problems)
    return Settings(**sections, profiles=profiles, tiers=tiers or {}, feeds=feeds, sourcing=sourcing)


def _ladder(reader: _Reader, key: str, value: dict[str, Any]) -> Ladder | None:
    given = reader.convert(("ladders", key), value, LadderSettings)
    if given is None:
        return None
    if key in LADDERS:
        reader.problem(("ladders", key), "is the name of a ladder we have; take another")
        return None
    try:
        return ladder_of_increments(key, given.increments) if given.increments else ladder_of_ticks(key, given.odds)
    except ValueError as error:
        reader.problem(("ladders", key), str(error))
        return None


def _check_tiers(reader: _Reader, profiles: Mapping[str, Profile], tiers: Mapping[str, Any]) -> None:
    for key, profile in profiles.items():
        for number, rule in enumerate(profile.rules):
            for tier in (rule.tier,) if isinstance(rule.tier, str) else rule.tier or ():
                if tier not in tiers:
                    hint = _suggestion(tier, tiers)
                    path = ("profiles", key, "rules", str(number), "tier")
                    reader.problem(path, f"no tier {tier!r}; there are {_list(tiers)}{hint}")


def _check_sources(reader: _Reader, rules: tuple[SourcingRule, ...], feeds: Mapping[str, FeedSettings]) -> None:
    for number, rule in enumerate(rules):
        for field, sources in (("sources", rule.sources), ("weights", tuple(rule.weights))):
            for source in sources:
                if source.partition(".")[0] not in feeds:
                    hint = _suggestion(source, feeds)
                    reader.problem(("sourcing", str(number), field), f"no feed {source!r}; there are {_list(feeds)}{hint}")


def _feed(reader: _Reader, key: str, value: dict[str, Any], adapters: Mapping[str, type[msgspec.Struct]]) -> FeedSettings | None:
    value = dict(value)
    adapter = value.pop("adapter", None)
    if adapter is None:
        reader.problem(("feeds", key), f"adapter is missing; the adapters installed are {_list(adapters)}")
        return None
    kind = adapters.get(adapter)
    if kind is None:
        hint = _suggestion(str(adapter), adapters)
        reader.problem(("feeds", key, "adapter"), f"no adapter {adapter!r}; those installed are {_list(adapters)}{hint}")
        return None
    if "." in key:
        reader.problem(("feeds", key), "a feed's name has no dot: what follows one names a bookmaker it quotes")
    supervision = reader.convert(("feeds", key, "supervision"), value.pop("supervision", {}), Supervision)
    config = reader.convert(("feeds", key), value, kind)
    return None if config is None or supervision is None else FeedSettings(adapter, config, supervision)


class _Reader:
    """Converts parts of one file and gathers what is wrong with them."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = _line_numbers(text)
        self._name = name
        self.problems: list[Problem] = []
        self.ladders: set[str] = set()

    def problem(self, path: tuple[str, ...], message: str) -> None:
        line = next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), None)
        self.problems.append(Problem(self._name, line, ".".join(path), message))

    def check_names(self, path: tuple[str, ...], table: Mapping[str, Any], known: Iterable[str], what: str) -> None:
        for key in table:
            if key not in known:
                self.problem((*path, key), f"unknown {what}; there are {_list(known)}{_suggestion(key, known)}")

    def tables(self, path: tuple[str, ...], value: Any) -> Iterable[tuple[str, dict[str, Any]]]:
        if not isinstance(value, dict):
            self.problem(path, "must be a table of tables")
            return
        for key, part in value.items():
            if isinstance(part, dict):
                yield key, part
            else:
                self.problem((*path, key), "must be a table")

    def convert(self, path: tuple[str, ...], value: Any, kind: Any, **given: Any) -> Any:
        """Convert a table, with what else is given, noting every problem; None if there was one."""
        if not isinstance(value, dict):
            self.problem(path, "must be a table")
            return None
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            return self._converted(path, value, kind)
        before = len(self.problems)
        known = {field.encode_name: field for field in msgspec.structs.fields(kind) if not field.name.startswith("_")}
        self.check_names(path, value, known, "key")
        good: dict[str, Any] = {}
        for key, part in value.items():
            field = known.get(key)
            if field is None:
                continue
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                good[field.name] = self.convert((*path, key), part, field.type)
                continue
            if field.type == tuple[Rule, ...]:
                good[field.name] = tuple(self._rules((*path, key), part))
                continue
            if field.type == tuple[KeySettings, ...]:
                good[field.name] = tuple(each for _, each in self.array((*path, key), part, KeySettings))
                continue
            if key == "ladder" and isinstance(part, str) and part not in self.ladders:
                hint = _suggestion(part, self.ladders)
                self.problem((*path, key), f"no ladder {part!r}; there are {_list(sorted(self.ladders))}{hint}")
                continue
            good[field.name] = self._converted((*path, key), part, field.type)
        if len(self.problems) > before:
            return None
        try:
            return kind(**good, **given)
        except (ValueError, TypeError) as error:
            self.problem(path, str(error))
            return None

    def _converted(self, path: tuple[str, ...], value: Any, kind: Any) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.problem(path, _readable(error, kind, value))
            return None

    def _rules(self, path: tuple[str, ...], value: Any) -> Iterable[Rule]:
        """Convert an array of rules, each knowing where it stands."""
        for place, rule in self.array(path, value, Rule):
            yield msgspec.structs.replace(rule, _place=f"{Path(self._name).name}:{self._lines.get(place)}")

    def array(self, path: tuple[str, ...], value: Any, kind: Any) -> Iterable[tuple[tuple[str, ...], Any]]:
        """Convert an array of tables; give each with its place, without those that can't be used."""
        if not isinstance(value, list):
            self.problem(path, "must be an array of tables ([[...]])")
            return
        for number, part in enumerate(value):
            place = (*path, str(number))
            found = self.convert(place, part, kind)
            if found is not None:
                yield place, found


def _readable(error: msgspec.ValidationError, kind: Any, value: Any) -> str:
    allowed = get_args(kind)
    if allowed and all(isinstance(choice, str) for choice in allowed):
        return f"{value!r} is not one of {_list(allowed)}{_suggestion(str(value), allowed)}"
    return f"{str(error).partition(' - at ')[0]}, not {value!r}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?")
_KEY = re.compile(r"^\s*([A-Za-z0-9_.\"'-]+)\s*=")


def _line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """Note on which line each table and key stands; the TOML reader does not tell."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    counted: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _dotted(header[1])
            if line.lstrip().startswith("[["):
                counted[table] = counted.get(table, -1) + 1
                lines.setdefault(table, number)
                table = (*table, str(counted[table]))
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_dotted(key[1])), number)
    return lines


def _dotted(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))
