"""Keys that have a new name, so that `oddsengine check` can name it."""

from __future__ import annotations

from typing import Final

#: Old name -> new name. A key is reported as renamed only in a table that has the new one, so a name may be in use elsewhere.
RENAMED_KEYS: Final[dict[str, str]] = {
    # sections
    "selection": "sourcing",
    # engine
    "keep_closed_s": "closed_event_ttl_s",
    # gateway
    "history_s": "quote_history_s",
    "suspend_stale_s": "stale_suspend_after_s",
    "origins": "allowed_origins",
    # auth
    "anonymous": "anonymous_role",
    # limits
    "handshake_s": "handshake_timeout_s",
    "stalled_s": "slow_client_timeout_s",
    # profiles and their rules
    "source_book_sum": "source_overround",
    "least_margin": "min_margin",
    "least_odds": "min_odds",
    "greatest_odds": "max_odds",
    "hold_band": "min_move",
    "max_step": "max_move",
    "spike_limit": "jump_limit",
    "whole_book": "require_complete_book",
    # matching
    "accept": "merge_threshold",
    "doubt": "review_threshold",
    "margin": "min_lead",
    "same": "matches",
    "apart": "non_matches",
    # feeds.<name> of The Odds API
    "least_interval_s": "min_interval_s",
    "greatest_interval_s": "max_interval_s",
}
