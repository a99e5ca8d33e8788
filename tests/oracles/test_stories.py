"""The engine keeps the oracle's laws in stories, here the same each time. `python -m tests.oracles 10000` runs others."""

from __future__ import annotations

from hypothesis import settings

from tests.oracles.stories import Stories

Stories.TestCase.settings = settings(max_examples=100, stateful_step_count=20, derandomize=True)
TestStories = Stories.TestCase
