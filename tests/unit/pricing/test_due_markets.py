"""Markets that must be priced only because time has passed are found without a look at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.builders import a_definition
from tests.support.laws.examples import examples
from tests.support.pricing.priced_source import TRADED, Source, offers

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import BookChange

#: An update that is priced, one that is not, as nothing of it moves prices, another pricing, or only time.
Step: TypeAlias = tuple[Literal["update", "silent", "price", "suspend", "adjust", "wait"], int]

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("update", "silent", "price", "suspend", "adjust", "wait")),
        st.sampled_from((1, 500, 1_000, 1_999, 2_000, 2_001, 30_000, 60_001)),
    ),
    max_size=25,
)


def _change(number: int) -> list[BookChange]:
    back = 1.96 + number % 3 * 0.02
    return [offers("home", back, back + 0.04), offers("away", last=2.0 if number % 2 else None)]


@examples(100)
@example([("adjust", 1), ("wait", 2_001)], 2.0, 0.0)
@example([("update", 1), ("wait", 2_001), ("price", 1), ("silent", 1)], 2.0, 0.0)
@example([("update", 1), ("update", 1), ("wait", 1), ("wait", 60_001)], 0.0, 0.0)
@given(_STEPS, st.sampled_from((0.0, 2.0)), st.sampled_from((0.0, 0.01)))
def test_what_is_due_is_what_each_market_says_of_itself(steps: list[Step], max_age_s: float, max_move: float) -> None:
    source = Source(a_definition(), exchange=TRADED, max_age_s=max_age_s, max_move=max_move)
    source.update(*_change(0))
    pricer = source.pricer
    for number, (step, after_ms) in enumerate(steps):
        if step == "update":
            source.update(*_change(number), after_ms=after_ms)
        else:
            source.now_ms += after_ms
        if step == "silent":
            source.book.markets["1.1"].received_ms = source.now_ms
        elif step == "price":
            source.price()
        elif step == "suspend":
            pricer.suspend(source.definition, "provider")
        elif step == "adjust":
            pricer.adjust(source.definition.id, ())
        expected = [market for market, book in pricer._books.items() if book.is_due(source.now_ms)]
        assert expected == pricer.due(source.now_ms)
