"""Each alert leads to a section of the runbook, each section belongs to an alert, and each has a test of its rule."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ALERTS = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
RULE_TESTS = (ROOT / "deploy" / "prometheus" / "alerts.test.yml").read_text(encoding="utf-8")
INCIDENTS = (ROOT / "docs" / "incidents.md").read_text(encoding="utf-8")
NAMES = re.findall(r"- alert: (\w+)", ALERTS)


def test_each_alert_leads_to_its_section() -> None:
    assert [f"docs/incidents.md#{name.lower()}" for name in NAMES] == re.findall(r'runbook_url: "(.+)"', ALERTS)
    assert NAMES == re.findall(r"^## (\w+)$", INCIDENTS, re.MULTILINE), "in the same order"


def test_each_section_says_what_to_look_at_and_what_to_do() -> None:
    for section in INCIDENTS.split("\n## ")[1:]:
        assert re.search(r"\*\*Look( and do)?\*\*:", section), section
        assert re.search(r"\*\*(Do|Look and do)\*\*:", section), section


def test_links_between_sections_lead_somewhere() -> None:
    anchors = {name.lower() for name in NAMES}
    assert set() == set(re.findall(r"\]\(#(\w+)\)", INCIDENTS)) - anchors


def test_each_alert_is_tested_before_and_after_it_fires() -> None:
    assert NAMES == sorted(re.findall(r"alertname: (\w+), exp_alerts: \[\]", RULE_TESTS), key=NAMES.index)
    assert NAMES == sorted(re.findall(r"alertname: (\w+)\n\s+exp_alerts:\n", RULE_TESTS), key=NAMES.index)
