"""Names of teams, players and competitions: normalised, with their marks, and how alike they are."""

from oddsengine.sourcing.matching.names.normaliser import Name, NameNormaliser
from oddsengine.sourcing.matching.names.score import NameScore, name_score

__all__ = ["Name", "NameNormaliser", "NameScore", "name_score"]
