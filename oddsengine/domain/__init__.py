"""The domain: ids, events, markets, statuses, odds, ladders and what feeds say. Pure: no clock, no I/O."""
