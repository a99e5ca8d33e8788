"""Invented clubs, and who plays whom: enough of them that no club plays twice in a day of the demo. Pure and reproducible."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Final, NamedTuple


class Competition(NamedTuple):
    """A competition: its id and name, and what the names of its clubs are made of.

    A place is one of `beginnings` with one of `endings`, joined by `joint`; `forms` are the names that a place's clubs have.
    """

    id: str
    name: str
    beginnings: tuple[str, ...]
    endings: tuple[str, ...]
    forms: tuple[str, ...]
    joint: str = ""


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


_NORTHERN: Final = Competition(
    "northern_league",
    "Northern League",
    _names(
        "Ald, Bram, Cald, Dun, Elm, Farn, Glen, Hart, Ing, Kirk, Lind, Mar, Nether, Oak, Pen, Rook, Stan, Thorn, Ulls, Wal, Whit,"
        "Wood, Yar, Zeal"
    ),
    _names(
        "field, more, stead, worth, dale, bridge, well, combe, bury, ridge, brook, mere, stow, gate, croft, thorpe, shaw, holm"
    ),
    ("{} Rovers", "{} Town", "{} City", "{} Athletic", "{} United", "{} Albion", "{} Wanderers"),
)
_HARBOUR: Final = Competition(
    "harbour_cup",
    "Harbour Cup",
    _names(
        "Anchor, Beacon, Cutter, Dory, Eider, Ferry, Gull, Heron, Inver, Jetty, Keel, Lantern, Mast, Otter, Pilot, Quay, Reef,"
        "Sand, Tern"
    ),
    _names(
        "wick, bay, strand, port, haven, point, ness, mouth, pool, sound, cliff, head, rock, shore, isle, cove, pier, firth,"
        "bank, hythe, cape"
    ),
    ("{}", "{} Rangers", "{} Mariners", "{} Albion", "{} Wanderers", "{} Athletic", "{} Harbour"),
)
_SOL: Final = Competition(
    "liga_del_sol",
    "Liga del Sol",
    _names(
        "Campo, Casa, Costa, Cuesta, Fuente, Isla, Loma, Monte, Peña, Prado, Puente, Puerto, Punta, Quinta, Sierra, Soto, Torre,"
        "Valle, Vega"
    ),
    _names(
        "Azul, Celeste, Dulce, Fiel, Grande, Leal, Mayor, Noble, Real, Verde, del Alba, del Mar, del Norte, del Rey, del Sol,"
        "del Sur, de Oro, de Plata, de la Luz, del Lago, del Viento"
    ),
    ("{}", "Deportivo {}", "Atlético {}", "Unión {}", "Racing {}", "Sporting {}", "Club {}"),
    " ",
)
COMPETITIONS: Final = (_NORTHERN, _HARBOUR, _SOL)


@lru_cache(maxsize=16)
def clubs_of(competition: Competition, seed: int) -> tuple[str, ...]:
    """Return the clubs of a competition in the order in which they play: those of one place are far from each other."""
    places = [f"{beginning}{competition.joint}{ending}" for beginning in competition.beginnings for ending in competition.endings]
    Random(f"{seed}/{competition.id}").shuffle(places)  # noqa: S311 - a simulation, and reproducible
    forms = competition.forms
    return tuple(
        forms[(number + lap) % len(forms)].format(place) for lap in range(len(forms)) for number, place in enumerate(places)
    )


def pairing(competition: Competition, seed: int, rank: int, slots: int, number: int) -> tuple[str, str]:
    """Return the home and the away side of a match.

    Slots of a competition take turns with its clubs, so that each club has played once before the first one plays again.

    Args:
        competition: the match's.
        seed: of the simulation.
        rank: the slot's place among those of the competition, from 0.
        slots: how many slots the competition has.
        number: the match's number in its slot.
    """
    clubs = clubs_of(competition, seed)
    first = 2 * (number * slots + rank)
    return clubs[first % len(clubs)], clubs[(first + 1) % len(clubs)]
