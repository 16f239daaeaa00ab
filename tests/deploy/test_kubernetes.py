"""The chart renders what Kubernetes accepts, and refuses what cannot work; the Compose file is one.

Nothing is installed: no cluster and no Docker is needed, and none is tried. docs/kubernetes.md says
so.
"""

import functools
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lambent.model.nodes import SILENT_S
from tests.lengths import IS_LONG
from tests.packages import INSTALLED

pytestmark = pytest.mark.skipif(not IS_LONG, reason="long: make test-long installs Helm")
ROOT = Path(__file__).parents[2]
SMALL = {
    "image": {"repository": "registry.example.com/lambent"},
    "database": {"existingSecret": "store"},
    "packages": {"url": "s3://bucket/packages"},
}
FULL = {
    "image": {"repository": "registry.example.com/lambent", "tag": "1"},
    "imagePullSecrets": [{"name": "pull"}],
    "database": {"cloudNativePG": {"enabled": True, "storageClass": "fast", "imageName": "pg"}},
    "packages": {"existingClaim": "shared"},
    "settings": {"LAMBENT_INVOCATION__CONCURRENT_EXECUTIONS": "2000"},
    "tls": {"secret": "certificate"},
    "sandbox": {"privileged": False},
    "persistence": {"storageClass": "fast"},
    "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
    "ingress": {"enabled": True, "className": "nginx", "host": "l.example.com", "tlsSecret": "t"},
    "networkPolicy": {"from": [{"namespaceSelector": {}}]},
    "autoscaling": {"enabled": True},
    "telemetry": {"otlpEndpoint": "http://collector:4318"},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "podAnnotations": {"x": "y"},
    "podLabels": {"l": "m"},
}
BUCKET = {"url": "s3://b/p", "endpoint": "http://minio:9000", "credentialsSecret": "keys"}
REFUSED = [
    ({}, "image.repository"),
    ({**SMALL, "database": {}}, "one PostgreSQL database"),
    ({**SMALL, "packages": {}}, "nodes share packages"),
    ({**SMALL, "packages": {"url": "s3://b/p", "existingClaim": "c"}}, "nodes share packages"),
    ({**SMALL, "replicas": "three"}, "want integer"),
    ({**SMALL, "nonsense": 1}, "additional properties 'nonsense'"),
    ({**SMALL, "settings": {"PATH": "/"}}, "PATH"),
    ({**SMALL, "packages": {"url": "/local"}}, "packages/url"),
]
COMPOSE = ROOT / "deploy" / "compose" / "compose.yaml"


@functools.cache
def results() -> dict[str, Any]:
    """All that is rendered, in one process."""
    text = COMPOSE.read_text()
    broken = text.replace("restart: on-failure", "restrat: on-failure")
    values = [SMALL, FULL, {**SMALL, "packages": BUCKET, "persistence": {"enabled": False}}]
    asked = {"charts": [*values, *(each for each, _ in REFUSED)], "compose": [text, broken]}
    done = subprocess.run(
        [sys.executable, "-m", "tests.deploy.rendering"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(INSTALLED / "kubernetes")},
        timeout=300,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_kubernetes_accepts_it() -> None:
    """With few values, with all, and with a bucket that is not of AWS."""
    for found in results()["charts"][:3]:
        assert found["wrong"] == []
        assert "StatefulSet x-lambent" in found["documents"]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_cannot_work_is_refused(number: int) -> None:
    """With a reason, before anything is installed."""
    assert REFUSED[number][1] in results()["charts"][3 + number]["refused"]


def test_a_node_ends_in_time() -> None:
    """Kubernetes waits for requests in progress; it does not restart what drains or waits."""
    pod = results()["charts"][0]["documents"]["StatefulSet x-lambent"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    grace_s = float(variables["LAMBENT_GATEWAY__SHUTDOWN_GRACE_S"])
    leaves_s = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > grace_s + leaves_s
    ready, alive = container["readinessProbe"], container["livenessProbe"]
    assert ready["httpGet"]["path"] == "/_lambent/health"
    assert ready["periodSeconds"] * ready["failureThreshold"] < leaves_s
    assert "httpGet" not in alive
    assert alive["periodSeconds"] * alive["failureThreshold"] > SILENT_S
    assert container["securityContext"] == {"privileged": True}


def test_few_privileges_where_no_sandbox_is_wanted() -> None:
    """And everything that was asked for is there."""
    documents = results()["charts"][1]["documents"]
    pod = documents["StatefulSet x-lambent"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {name.partition(" ")[0] for name in documents} == {
        "Cluster", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PodDisruptionBudget",
        "Service", "StatefulSet",
    }  # fmt: skip
    assert "replicas" not in documents["StatefulSet x-lambent"]["spec"]


def test_the_compose_file() -> None:
    """It follows the specification; a mistake would be found."""
    right, broken = results()["compose"]
    assert right == ""
    assert "restrat" in broken


def test_the_chart_is_of_this_release() -> None:
    """The image's default tag is the release."""
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = (ROOT / "deploy" / "helm" / "lambent" / "Chart.yaml").read_text()
    assert f'appVersion: "{release}"' in chart
