"""The Helm chart: linted and rendered by Helm itself, every manifest checked against the schemas of Kubernetes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from oddsengine import __version__

CHART: Final = Path(__file__).parents[3] / "deploy" / "helm" / "oddsengine"
#: The oldest that the chart names, and the newest of the schemas.
KUBERNETES: Final = ("1.25", kubernetes_validate.latest_version())
#: Names of digits are names; those of volumes have no dots and are short.
SECRETS: Final = [
    *({"name": name} for name in ("tokens", "1", "odds.tokens", "x" * 200)),
    {"name": "betfair", "roles": ["feeder"]},
]
EVERYTHING: Final[dict[str, Any]] = {
    "image": {"repository": "registry.example/odds", "digest": "sha256:" + "a" * 64},
    "commonLabels": {"team": "1"},
    "config": "  # of all roles\n[engine]\nshards = 4\n",
    "redis": {"urlSecret": {"name": "1", "key": "2"}},
    "secrets": SECRETS,
    "feeder": {"enabled": True},
    "gateway": {
        "tls": True,
        "workers": 4,
        "autoscaling": {"enabled": True, "sessions": 5000},
        "ingress": {"enabled": True, "tlsSecret": "odds-tls"},
        "service": {"annotations": {"a": "b"}},
    },
    "archiver": {"enabled": True},
    "bridge": {"kafka": {"enabled": True}, "rabbitmq": {"enabled": True}},
    "spread": {"zones": "DoNotSchedule"},
    "networkPolicy": {
        "gatewayFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"to": [{"podSelector": {}}], "ports": [{"port": 6379}]}],
    },
    "podMonitor": {"enabled": True},
    "serviceAccount": {"annotations": {"a": "b"}},
    "env": [{"name": "ODDSENGINE_LOG__LEVEL", "value": "debug"}],
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "odds", "operator": "Exists"}],
    "priorityClassName": "100",
    "imagePullSecrets": [{"name": "registry"}],
}
LITTLE: Final[dict[str, Any]] = {
    "engine": {"enabled": False},
    "existingConfigMap": "mine",
    "serviceAccount": {"create": False},
    "podDisruptionBudget": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "gateway": {"drainDelaySeconds": 0},
}


def rendered(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the manifests by kind and name, each valid in the oldest and the newest Kubernetes."""
    from helm_python import Chart  # its threads would not survive a fork of the process that collects tests

    found: dict[tuple[str, str], Any] = {}
    with Chart.load(CHART) as chart:
        files = chart.render(values, name="live", namespace="odds")
    for file, text in files.items():
        for manifest in yaml.safe_load_all(text) if file.endswith(".yaml") else ():
            if not manifest:
                continue
            for version in KUBERNETES:
                if manifest["kind"] != "PodMonitor":  # no kind of Kubernetes itself
                    kubernetes_validate.validate(manifest, version, strict=True)
            key = manifest["kind"], manifest["metadata"]["name"]
            assert key not in found
            found[key] = manifest
    return found


@pytest.mark.parametrize("values", [{}, EVERYTHING, LITTLE], ids=["defaults", "everything", "little"])
def test_helm_finds_nothing_to_complain_about(values: dict[str, Any]) -> None:
    from helm_python import lint

    found = lint(CHART, values, strict=True)
    assert [] == [message for message in found["messages"] if "icon" not in str(message)], found


def test_a_misspelt_value_is_refused() -> None:
    from helm_python import Chart
    from helm_python.errors import HelmError

    misspelt: tuple[dict[str, Any], ...]
    misspelt = {"gatway": {}}, {"gateway": {"replica": 3}}, {"secrets": [{"name": "a", "roles": ["gate"]}]}
    scaling: tuple[dict[str, Any], ...] = ({"cpuPercent": 0}, {"minReplicas": 9, "maxReplicas": 2})
    misspelt += *({"gateway": {"autoscaling": {"enabled": True, **each}}} for each in scaling), {"commonLabels": {"a": 1}}
    for values in misspelt:
        with Chart.load(CHART) as chart, pytest.raises(HelmError):
            chart.render(values, name="live")


def test_every_pod_is_hardened_probed_and_spread() -> None:
    manifests = rendered(EVERYTHING)
    deployments = {name: each for (kind, name), each in manifests.items() if kind == "Deployment"}
    roles = {"engine", "feeder", "gateway", "archiver", "bridge-kafka", "bridge-rabbitmq"}
    assert {f"live-oddsengine-{role}" for role in roles} == set(deployments)
    for name, deployment in deployments.items():
        pod = deployment["spec"]["template"]["spec"]
        assert (True, 10001) == (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"])
        assert {"RuntimeDefault"} == set(pod["securityContext"]["seccompProfile"].values())
        assert {"topology.kubernetes.io/zone": "DoNotSchedule", "kubernetes.io/hostname": "ScheduleAnyway"} == {
            each["topologyKey"]: each["whenUnsatisfiable"] for each in pod["topologySpreadConstraints"]
        }
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            security = container["securityContext"]
            assert (True, False, ["ALL"]) == (
                security["readOnlyRootFilesystem"],
                security["allowPrivilegeEscalation"],
                security["capabilities"]["drop"],
            )
            assert "registry.example/odds@sha256:" + "a" * 64 == container["image"]
            mounted = {each["name"] for each in container["volumeMounts"]}
            assert {each["name"] for each in pod["volumes"]} == mounted
            assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", volume) for volume in mounted)
            variables = {each["name"]: each["value"] for each in container["env"]}
            assert ("5" if name.endswith("gateway") else None) == variables.get("ODDSENGINE_GATEWAY__DRAIN_DELAY_S")
            assert "/etc/oddsengine/metrics/token" == variables["ODDSENGINE_METRICS__TOKEN_FILE"]
            assert ("secret-betfair" in mounted) == (name == "live-oddsengine-feeder")
        (container,) = pod["containers"]
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            scheme = "HTTPS" if name.endswith("gateway") else "HTTP"
            assert {"path": path, "port": "http", "scheme": scheme} == container[probe]["httpGet"]
        for kind in ("PodDisruptionBudget", "NetworkPolicy"):
            selector = manifests[kind, name]["spec"]
            labels = (selector.get("selector") or selector["podSelector"])["matchLabels"]
            assert labels.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert "replicas" not in deployments["live-oddsengine-gateway"]["spec"]
    assert "--no-feeders" in deployments["live-oddsengine-engine"]["spec"]["template"]["spec"]["containers"][0]["args"]
    scaled = manifests["HorizontalPodAutoscaler", "live-oddsengine-gateway"]["spec"]["metrics"]
    assert ["Resource", "Pods"] == [metric["type"] for metric in scaled]


def test_the_defaults_run_two_engines_that_connect_feeds_and_two_gateways() -> None:
    manifests = rendered({})
    deployments = {name: each["spec"] for (kind, name), each in manifests.items() if kind == "Deployment"}
    assert {"live-oddsengine-engine": 2, "live-oddsengine-gateway": 2} == {
        name: spec["replicas"] for name, spec in deployments.items()
    }
    container = deployments["live-oddsengine-engine"]["template"]["spec"]["containers"][0]
    assert "--no-feeders" not in container["args"]
    assert f"oddsengine:{__version__}" == container["image"]
    (config,) = [each for (kind, _), each in manifests.items() if kind == "ConfigMap"]
    assert 4 == tomllib.loads(config["data"]["odds.toml"])["engine"]["shards"]
    assert {("Deployment", "live-oddsengine-gateway"), ("Service", "live-oddsengine-gateway")} == set(rendered(LITTLE))
