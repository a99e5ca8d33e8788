"""The interfaces of the modules in C; `native`, `solving`, `books` and `pricing` describe each function in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Set as AbstractSet


class GatewayLoops(Protocol):
    """The loops of a gateway. What they read of objects are slots of their classes."""

    def take_over(self, markets: dict[Any, Any], ids: list[Any], records: list[bytes], seq: int, /) -> bool:
        """Note the records of markets; return whether any is new."""
        ...

    def touch(self, known: dict[Any, Any], runs: list[tuple[Any, int]], seq: int, order: dict[Any, None], /) -> bool:
        """Move the events of runs to the end of an order; return whether any was moved."""
        ...

    def keep_versions(
        self, known: dict[Any, Any], ids: list[Any], records: list[bytes], published_ms: int, received_ms: int, oldest_ms: int, /
    ) -> None:
        """Add a version to each market, and drop old ones."""
        ...

    def covers(self, earlier: bytes, later: bytes, /) -> bool:
        """Check whether a fragment sets all that an earlier one has set."""
        ...

    def frames(  # noqa: PLR0913 - one call a flush
        self,
        runs: list[tuple[Any, int]],
        total: int,
        ids: list[Any] | None,
        events: dict[Any, Any],
        by_channel: dict[str, Any],
        is_wide: bool,  # noqa: FBT001 - by position
        full: AbstractSet[str],
        limit: int,
        fragments_of: Callable[[Any], Sequence[bytes | None]],
        stamps: dict[tuple[int, ...], bytes],
        stamp_of: Callable[[tuple[int, ...]], bytes],
        special: Callable[[str, Any, Sequence[int]], bytes | None],
        now_s: float,
        /,
    ) -> tuple[list[tuple[Any, bytes]], int, int, int] | None:
        """Frame what each audience is sent of changed markets; None if that has to be done in Python."""
        ...

    def coalesce(
        self, due: list[tuple[Any, bytes]], /
    ) -> tuple[list[Any], list[Callable[[bytes], None]], list[Callable[[], int]], Iterator[bytes]]:
        """Collect the frames due to each member of audiences."""
        ...


class Solvers(Protocol):
    """The solvers of the margin equations, and the fit of probabilities into their bounds.

    The solvers return None, the fit NotImplemented, where Python has to decide.
    """

    def power(self, values: Sequence[float], target: float, /) -> tuple[float, list[float]] | None:
        """Find k with sum(v^k) = target; return k and the powers."""
        ...

    def odds_ratio(self, values: Sequence[float], target: float, /) -> list[float] | None:
        """Divide the odds of all values by the factor that makes the values sum to the target."""
        ...

    def shin_remove(self, inverse: Sequence[float], book_sum: float, /) -> list[float] | None:
        """Return the probabilities behind inverse odds."""
        ...

    def shin_apply(self, probabilities: Sequence[float], book_sum: float, /) -> list[float] | None:
        """Return the inverse odds of probabilities."""
        ...

    def fit(self, probabilities: Sequence[float | None], lows: Sequence[float], highs: Sequence[float], winners: int, /) -> Any:
        """Return the factor of probabilities and what they are fitted to, None if they contradict each other."""
        ...


class Books(Protocol):
    """The loops over the changed order books of a message. What they read of objects are slots of their classes."""

    def read_runners(
        self, runners: list[Any], names: dict[Any, str], name_runner: Callable[[Any], str], make: Callable[..., Any], /
    ) -> list[Any]:
        """Return the changes of runners, each made of the runner's name and its rows."""
        ...

    def apply(self, books: dict[str, Any], changes: list[Any], traded_ms: int, new_book: Callable[[], Any], /) -> int:
        """Apply changes to the books of their selections; return how many may have moved what a price follows from."""
        ...

    def are_usable(self, updates: list[Any], market_update: type[Any], /) -> bool:
        """Check whether updates are all of that type, without a definition, and have nothing that can't be priced by."""
        ...


class Pricing(Protocol):
    """The steps from best offers to published prices. What it reads and writes of objects are slots of their classes."""

    def changed_books(self, books: list[Any], versions: list[int], /) -> list[int]:
        """Return the indices of the books that have changed since their versions were noted, and note them."""
        ...

    def imply_singly(self, group: Any, indices: list[int], max_spread: float, min_size: float, /) -> bool | None:
        """Update the probabilities of selections from their own books; return whether one or its bounds have changed.

        Return None where one is quoted by a bookmaker.
        """
        ...

    def common_factor(self, group: Any, /) -> Any:
        """Return the factor by which all probabilities are clearly within their bounds; NotImplemented leaves it to Python."""
        ...

    def differing(self, before: list[float | None], now: list[float | None], /) -> list[int]:
        """Return the indices of the numbers that are no longer those of before."""
        ...

    def update_independent(
        self, book: Any, inverses: list[float | None], scale: float, moved: Sequence[int], changed: set[int], /
    ) -> None:
        """Price what moved in the profiles that price each selection independently, and add the indices of what changed."""
        ...

    def moved_since(self, selections: dict[str, Any], seq: int, /) -> list[tuple[str, Any]]:
        """Return the selections that have changed after a position, each with its key."""
        ...

    def price_fragments(
        self, head: bytes, keys: list[bytes], rows: list[tuple[int | None, ...]], profiles: int, /
    ) -> list[bytes]:
        """Return what is sent in each profile of a market whose prices alone have changed."""
        ...
