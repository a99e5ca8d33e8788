"""A publisher that keeps what it writes in memory."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING

from oddsengine.offer.owned_offer import OwnedOffer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.changes import Batch
    from oddsengine.streams.publisher import Publication


class MemoryPublisher:
    """Keeps what is written. Each call first raises the next of `errors`; writes wait for `released`."""

    def __init__(self, offer: OwnedOffer) -> None:
        self.offer = offer
        self.written: list[int] = []
        self.errors: list[Exception] = []
        self.claim_errors: list[Exception] = []
        self.loads = 0
        self.released = asyncio.Event()
        self.released.set()

    async def load(self) -> None:
        self._raise()
        self.loads += 1
        published, self.offer = self.offer, OwnedOffer(self.offer.profiles)
        self.offer.load(published.epoch, published.seq, list(copy.deepcopy(list(published.records()))))

    async def claim(self, now_ms: int, unpublished: Sequence[Batch] = (), age_ms: int = 0) -> None:
        self._raise()
        if self.claim_errors:
            raise self.claim_errors.pop(0)
        self.offer.open_epoch(self.offer.epoch + 1)

    async def publish(self, publication: Publication) -> None:
        await self.released.wait()
        self._raise()
        self.written.append(publication.seq)

    def _raise(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
