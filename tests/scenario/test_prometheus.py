"""`/_lambent/metrics` as scrapers see it, and the dashboard that is made for it."""

import json
import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.platforms import Platform, deploy

ROOT = Path(__file__).parents[2]
FUNCTION = "def handler(event, context):\n    return 1 / event"
_NAME = re.compile(r"\b(?:lambent|process)_[a-z0-9_]+")
_LABELS = re.compile(r"\{([^{}]*)\}|by ?\(([^()]*)\)")


def scrape(platform: Platform, accept: str = "") -> tuple[str, str]:
    request = urllib.request.Request(
        f"{platform.endpoint}/_lambent/metrics", headers={"Accept": accept}
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read().decode(), response.headers["Content-Type"]


def called(platform: Platform) -> str:
    client, name = platform.client("lambda"), "scraped"
    deploy(client, name, {"app.py": FUNCTION})
    for event in ("1", "2", "0"):
        client.invoke(FunctionName=name, Payload=event)
    return name


def test_what_a_scraper_reads(platform: Platform) -> None:
    """Counters, a histogram, and the platform's own health; in OpenMetrics with exemplars."""
    name = called(platform)
    text, content_type = scrape(platform)
    assert content_type.startswith("text/plain")
    families = {family.name: family for family in read_text(text)}

    def value(family: str, suffix: str, **labels: str) -> float:
        return sum(
            sample.value
            for sample in families[family].samples
            if sample.name == f"{family}{suffix}"
            and all(sample.labels.get(key) == wanted for key, wanted in labels.items())
        )

    assert value("lambent_invocations", "_total", function=name) == 3
    assert value("lambent_errors", "_total", function=name) == 1
    assert families["lambent_duration_seconds"].type == "histogram"
    assert value("lambent_duration_seconds", "_bucket", function=name, le="+Inf") == 3
    assert value("lambent_duration_seconds", "_count", function=name) == 3
    assert 0 < value("lambent_duration_seconds", "_sum", function=name) < 60
    assert value("lambent_environments", "") >= 1
    assert value("process_cpu_seconds", "_total") > 0
    assert all(family.documentation for family in families.values())
    text, content_type = scrape(platform, "application/openmetrics-text;version=1.0.0,text/plain")
    assert content_type.startswith("application/openmetrics-text")
    exemplars = [
        sample.exemplar
        for family in read_openmetrics(text)
        for sample in family.samples
        if sample.exemplar and sample.labels.get("function") == name
    ]
    assert len(exemplars) == 1
    assert re.fullmatch(r"[0-9a-f-]{36}", exemplars[0].labels["request_id"])
    assert re.fullmatch(r"[0-9a-f]{32}", exemplars[0].labels["trace_id"])
    platform.client("lambda").delete_function(FunctionName=name)


def test_the_dashboard_asks_for_what_is_there(platform: Platform) -> None:
    """Each name and label of its expressions exists in what the platform exposes."""
    called(platform)
    text, _ = scrape(platform)
    known: dict[str, set[str]] = {}
    for family in read_text(text):
        for sample in family.samples:
            known.setdefault(sample.name, set()).update(sample.labels)
    # Functions that were never throttled have the counter as well; queues may be unused.
    dashboard = json.loads((ROOT / "docs/grafana/lambent.json").read_text())
    expressions = [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())
    ]
    assert len(expressions) >= 10
    for expression in expressions:
        names = set(_NAME.findall(expression))
        assert names, expression
        for name in names:
            assert name in known, f"{name} of {expression}"
        for label in _labels(expression):
            assert all(label in known[name] or label == "le" for name in names), expression
    check_variables(dashboard)


def _labels(expression: str) -> set[str]:
    found: set[str] = set()
    for selector, grouping in _LABELS.findall(expression):
        parts = (selector or grouping).split(",")
        found |= {re.split(r"[=!~]", part)[0].strip() for part in parts if part.strip()}
    return found


def check_variables(dashboard: Mapping[str, Any]) -> None:
    """What expressions use is defined."""
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$([a-z]+)\b", json.dumps(dashboard["panels"])))
    assert used <= variables
