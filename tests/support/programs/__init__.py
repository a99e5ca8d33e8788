"""Other people's programs that tests start: proxies and clients. A test is skipped where its program is not installed."""
