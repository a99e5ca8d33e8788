"""The laws of what is published: of each flush by itself, across markets, and from one flush to the next."""

from tests.oracles.laws.jumps import Jumps
from tests.oracles.laws.prices import Published, across_lines, speakers, violations
from tests.oracles.laws.scores import across_markets

__all__ = ["Jumps", "Published", "across_lines", "across_markets", "speakers", "violations"]
