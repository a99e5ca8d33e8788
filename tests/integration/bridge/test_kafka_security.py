"""The bridge shows Kafka who it is by every mechanism it knows, and connects to nobody that it does not trust."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.bridge.delivery import BrokerFailed
from oddsengine.bridge.kafka import connect_kafka
from oddsengine.bridge.messages import status_message
from oddsengine.bridge.settings import KafkaSettings
from oddsengine.streams.positions import Position
from tests.support.credentials import Certificates
from tests.support.programs.kafka import by, consuming, secured_kafka

if TYPE_CHECKING:
    from pathlib import Path

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


async def test_a_broker_that_asks_for_tls_and_a_password_is_published_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates(tmp_path)
    context = ssl.create_default_context(cafile=certificates.trusted)
    password = tmp_path / "password"
    password.write_text("a secret\n")
    monkeypatch.setenv("KAFKA_USER", "odds")
    async with secured_kafka(certificates, "odds", "a secret") as address:
        known: dict[str, Any] = {"tls": True, "tls_ca": str(certificates.trusted), "user_env": "KAFKA_USER"}

        def settings(**options: Any) -> KafkaSettings:
            return KafkaSettings(brokers=(address,), **{**known, "password_file": str(password), **options})

        for seq, mechanism in enumerate(MECHANISMS):
            broker = await connect_kafka(settings(sasl=mechanism))
            await broker.send([status_message(0, Position(1, seq), 0, is_live=True)])
            await broker.close()
        async with consuming(address, "odds.status", **by("SCRAM-SHA-256", context, "odds", "a secret")) as consumer:
            for seq in range(3):
                await consumer.until(lambda each, seq=seq: each.body["at"] == f"1-{seq}")

        refused: tuple[tuple[dict[str, Any], str], ...] = (
            ({"sasl": "PLAIN", "user_env": "", "user": "nobody"}, "AuthenticationFailed"),
            ({"sasl": "SCRAM-SHA-512", "password_file": "", "password": "another secret"}, "AuthenticationFailed"),
            ({"sasl": "SCRAM-SHA-256", "user_env": "", "user": "nobody"}, "AuthenticationFailed"),
            ({"tls": False, "tls_ca": ""}, "closed"),
            ({"tls_ca": ""}, "CERTIFICATE_VERIFY_FAILED"),
            ({"user_env": "", "password_file": ""}, "Unable to bootstrap"),
        )
        found = {}
        for number, (options, _) in enumerate(refused):
            with pytest.raises(BrokerFailed) as failed:
                await connect_kafka(settings(**options))
            found[number] = str(failed.value)
        assert [] == [(each, found[number]) for number, each in enumerate(refused) if each[1] not in found[number]]
        assert "secret" not in str(found)
