"""The meaning of the name of a competition: who plays, in which country, which form of the game."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from oddsengine.sourcing.matching.names.countries import ADJECTIVES, CODES, COUNTRIES
from oddsengine.sourcing.matching.names.marks import Patterns, compiled, folded, marked_name

_MALE: Final = re.compile(r"\b(?:men'?s?|atp|male|herren|masculino)\b")
_FEMALE_TOURS: Final = re.compile(
    r"\b(?:wta|wnba|wncaa\w*|ncaaw\w*|nwsl|wsl\d?|uwcl|wpl|wbbl|aflw|nrlw|w[ -]?league|liga f|damallsvenskan|toppserien|we league"
    r"|lpga|wcba|wkbl|d1 arkema|a-league women|elitettan|wodi|wt20i?|whl women|pwhl|girls?)\b"
)
#: Where the sport is not one of these itself, its teams are played by others.
_ESPORTS: Final = re.compile(r"\be-?sports?\b")
_RESERVE_LEAGUES: Final = re.compile(r"\b(?:premier league 2|mls next pro|liga revelacao|g[ -]league|regionalliga reserve)\b")
#: Leagues that have no team in common, though names of their teams may be alike.
_CIRCUITS: Final = compiled(
    ("college", r"\bw?ncaa\w*|\bcollege\b|\bcfb\b|\bcbb\b"),
    ("wnba", r"\bwnba\b"),
    ("nba development", r"\bg[ -]league\b"),
    ("nba summer", r"\bsummer league\b"),
    ("nba", r"\bnba\b"),
    ("nfl", r"\bnfl\b"),
    ("cfl", r"\bcfl\b"),
    ("ufl", r"\b(?:ufl|xfl|usfl)\b"),
    ("ahl", r"\bahl\b"),
    ("echl", r"\bechl\b"),
    ("khl", r"\bkhl\b"),
    ("nhl", r"\bnhl\b"),
    ("minor baseball", r"\bmilb\b|\bminor league\b|\btriple a\b|\bdouble a\b"),
    ("mlb", r"\bmlb\b"),
    ("mls", r"\bmls\b"),
    ("a-league", r"\ba-league\b"),
    ("npb", r"\bnpb\b"),
    ("kbo", r"\bkbo\b"),
)
#: Competitions of several countries: a country in their name is a host.
_INTERNATIONAL: Final = re.compile(
    r"\b(?:international\w*|friendl\w+|world|euro\w*|uefa|fifa|afc|caf|concacaf|conmebol|libertadores|sudamericana|champions"
    r"|nations|tour|qualif\w*|olympic\w*)\b"
)
#: Forms of a game that are never the same match.
_FORMS: Final = compiled(
    ("doubles", r"\bdoubles\b"),
    ("singles", r"\bsingles\b"),
    ("t20", r"\bt20i?s?\b|\btwenty20\b|\bindian premier league\b|\bipl\b|\bbig bash\b"),
    ("t10", r"\bt10\b"),
    ("one day", r"\bodis?\b|\bone[ -]day\b|\b50 over"),
    ("first class", r"\btests?\b|\bfirst[ -]class\b|\bcounty championship\b"),
    ("hundred", r"\bthe hundred\b"),
)
_MIN_KNOWN: Final = 3
#: Games of esports, by their names and their leagues.
_GAMES: Final = compiled(
    ("league of legends", r"\bleague of legends\b|\blol\b|\b(?:lec|lck|lcs|lpl|msi|lfl|nlc|cblol|worlds)\b"),
    ("counter-strike", r"\bcs ?2\b|\bcs:? ?go\b|\bcounter[ -]?strike\b|\b(?:iem|pgl|blast|esl pro league|cct)\b"),
    ("dota", r"\bdota\b|\bthe international\b|\bdreamleague\b"),
    ("valorant", r"\bvalorant\b|\bvct\b"),
    ("rocket league", r"\brocket league\b|\brlcs\b"),
    ("overwatch", r"\boverwatch\b|\bowl\b"),
    ("rainbow six", r"\brainbow (?:six|6)\b|\br6\b"),
    ("call of duty", r"\bcall of duty\b|\bcod\b|\bcdl\b"),
    ("honor of kings", r"\b(?:honou?r of kings|king of glory|kpl)\b"),
    ("mobile legends", r"\bmobile legends\b|\bmlbb\b|\bmpl\b"),
    ("pubg", r"\bpubg\b"),
    ("starcraft", r"\bstar ?craft\b|\bsc2\b"),
)
#: What a competition of football is, the more particular first: a pair does not play in two at a time.
_CONTESTS: Final = compiled(
    ("friendly", r"\bfriendl\w+|\bamistoso\w*|\btovarish\w*|\bfreundschaft\w*|\bexhibition\b|\bamica(?:l|ux)\b"),
    ("club world cup", r"\bclub world cup\b|\bmundial de clubes\b"),
    ("world cup", r"\bworld cup\b|\bmundial\b|\bcoupe du monde\b|\bchempionat mira\b|\bcopa del mundo\b"),
    ("nations league", r"\bnations league\b|\bliga natsiy\b|\bliga de naciones\b"),
    ("euro", r"\beuro\b|\beuropean (?:football )?championship\b|\bchempionat evropy\b|\beurocopa\b"),
    ("champions league", r"\bchampions league\b|\bucl\b|\bliga chempionov\b|\bligue des champions\b|\bliga de campeones\b"),
    ("europa league", r"\beuropa league\b|\buel\b|\bliga evropy\b"),
    ("conference league", r"\bconference league\b|\bliga konferentsiy\b"),
    ("libertadores", r"\blibertadores\b"),
    ("sudamericana", r"\bsudamericana\b|\bsul-americana\b"),
    ("copa america", r"\bcopa america\b"),
    ("africa cup", r"\bafrica cup\b|\bafcon\b|\bafrican nations\b"),
    ("asian cup", r"\basian cup\b"),
    ("gold cup", r"\bgold cup\b"),
    ("olympic games", r"\bolympi\w+\b"),
    ("super cup", r"\bsuper ?(?:cup|copa|coupe|coppa|kubok|taca)\b|\bcommunity shield\b"),
    ("cup", r"\b(?:cup|copa|coupe|coppa|beker|taca|kubok|kupa(?:si)?|puchar|trophy|\w*pokal)\b"),
    ("league", r"\b(?:league|\w*liga|ligue|serie [a-d]|eredivisie|premiership|premier|divis\w+|primera)\b"),
    ("league", r"^(?!.*\b(?:uefa|europ\w*|world|asia\w*|afric\w*|u\d\d)\b).*\bchampionship\b"),
    ("league", r"\b(?:segunda|brasileir\w+|ekstraklasa|allsvenskan|eliteserien|mls|epl)\b"),
)

_SPANISH: Final = frozenset(
    {"argentina", "bolivia", "chile", "colombia", "ecuador", "mexico", "paraguay", "peru", "spain", "uruguay", "venezuela"}
)
#: Countries in which no league is called as those of many others are, Premier League or Ligue 1.
_OWN_NAMES: Final = _SPANISH | {
    "australia",
    "austria",
    "belgium",
    "brazil",
    "denmark",
    "france",
    "germany",
    "greece",
    "italy",
    "japan",
    "netherlands",
    "new zealand",
    "norway",
    "poland",
    "portugal",
    "south korea",
    "sweden",
    "switzerland",
    "turkey",
    "united states",
}
_OTHERS: Final = COUNTRIES - _OWN_NAMES
#: In which countries a league of football may be, by its name alone; one that is not listed may be in any.
_LEAGUES: Final[tuple[tuple[re.Pattern[str], frozenset[str]], ...]] = tuple(
    (re.compile(pattern), frozenset(countries))
    for pattern, countries in (
        (r"\ba-league\b", {"australia", "new zealand"}),
        (r"\bmls\b", {"united states", "canada"}),
        (r"\bliga mx\b", {"mexico"}),
        (r"\b(?:epl|efl)\b", {"england", "wales"}),
        (r"\bpremier league\b", _OTHERS),
        (r"\bligue [12]\b", _OTHERS | {"france"}),
        (r"\bserie [abc]\b", {"italy", "brazil", "ecuador"}),
        (r"\bla ?liga\b", {"spain"}),
        (r"\bprimera\b", _OTHERS | _SPANISH),
        (r"\bbundesliga\b", {"germany", "austria"}),
        (r"\b(?:eredivisie|eerste divisie)\b", {"netherlands"}),
        (r"\b(?:primeira liga|liga portugal)\b", {"portugal"}),
        (r"\bbrasileir\w+", {"brazil"}),
        (r"\ballsvenskan\b", {"sweden"}),
        (r"\beliteserien\b", {"norway"}),
        (r"\bekstraklasa\b", {"poland"}),
        (r"\bj[123]?[ -]league\b", {"japan"}),
        (r"\bk[ -]league\b", {"south korea"}),
    )
)


class CompetitionKind(NamedTuple):
    """The meaning of the name of a competition. `is_known` is False where there is no name to go by."""

    marks: frozenset[str] = frozenset()
    circuit: str = ""
    form: str = ""
    male: bool = False
    countries: frozenset[str] = frozenset()
    international: bool = False
    #: the game of an esports competition, and whether it is a league, a cup, ..
    game: str = ""
    contest: str = ""
    #: where a league of football may be: its countries, or those that have one of its name; empty where nothing says so
    league_countries: frozenset[str] = frozenset()
    is_known: bool = False


def _first(patterns: Patterns, text: str) -> str:
    """Return the name of the first pattern that a text has; empty if it has none."""
    return next((name for name, pattern in patterns if pattern.search(text)), "")


@lru_cache(maxsize=16_384)
def competition_kind(name: str) -> CompetitionKind:
    """Return the kind of a competition by its name."""
    text = folded(name)
    letters = sum(letter.isalpha() for letter in text)
    if (letters < _MIN_KNOWN and not _first(_FORMS, text)) or text in {"unknown", "other", "none"} or text in CODES:
        return CompetitionKind()
    outside = marked_name(text)
    # "II Liga" and "Division 2" are leagues of first teams.
    marks = {mark for mark in outside.marks if mark.split(" ")[0] in _OF_COMPETITIONS}
    if not re.search(r"\b(?:reserves?|reservas?)\b", text):
        marks.discard("reserves")
    if re.search(r"\bjuniors?\b", text) and not any(mark.startswith("youth") for mark in marks):
        marks.add("youth")
    if _RESERVE_LEAGUES.search(text):
        marks.add("reserves")
    if _ESPORTS.search(text):
        marks.add("simulated")
    if _FEMALE_TOURS.search(text):
        marks.add("women")
    if marks & {"youth"} and any(mark.startswith("youth ") for mark in marks):
        marks.discard("youth")
    words = re.sub(r"[^a-z ]", " ", text)
    countries = {country for adjective, country in ADJECTIVES.items() if re.search(rf"\b{adjective}\b", words)}
    circuit = _first(_CIRCUITS, text)
    form = _first(_FORMS, text)
    male = _MALE.search(text) is not None and "women" not in marks
    international = _INTERNATIONAL.search(text) is not None
    return CompetitionKind(
        frozenset(marks),
        circuit,
        form,
        male,
        frozenset(countries),
        international,
        game=_first(_GAMES, text),
        contest=_first(_CONTESTS, text),
        league_countries=frozenset(countries) or next((each for name, each in _LEAGUES if name.search(text)), frozenset()),
        is_known=True,
    )


_OF_COMPETITIONS: Final = frozenset(
    {"women", "youth", "reserves", "corners", "cards", "penalties", "statistics", "simulated", "small", "legends"}
)
