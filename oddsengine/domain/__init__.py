"""The domain: ids, events, markets, statuses, odds, ladders, feed updates and published changes. Pure values, no I/O."""
