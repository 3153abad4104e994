"""The manifests, without a cluster: they agree with one another and with the code, and grant no more rights than needed."""

import os
import re
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import ROOT, Settings
from tests.conftest import ROUTES
from voice.store.connection import CONNECT_S, STATEMENT_S

DIRECTORY = ROOT / "kubernetes"
KUSTOMIZATION = yaml.safe_load((DIRECTORY / "kustomization.yaml").read_text())
ALL = [document for name in KUSTOMIZATION["resources"] for document in yaml.safe_load_all((DIRECTORY / name).read_text())]
OBJECTS: dict[str, Any] = {document["kind"]: document for document in ALL if document["kind"] != "NetworkPolicy"}
POLICIES: dict[str, Any] = {document["metadata"]["name"]: document["spec"] for document in ALL if document["kind"] == "NetworkPolicy"}
DEPLOYMENT, JOB = OBJECTS["Deployment"]["spec"], OBJECTS["Job"]["spec"]
SETTINGS = {name.upper() for name in Settings.model_fields}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def container_of(spec: Any) -> Any:
    (container,) = spec["template"]["spec"]["containers"]
    return container


def test_the_kustomization_lists_every_manifest() -> None:
    assert set(KUSTOMIZATION["resources"]) == {path.name for path in DIRECTORY.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(OBJECTS) == {"ConfigMap", "Job", "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert len(OBJECTS) + len(POLICIES) == len(ALL)
    assert all(document["metadata"]["name"].startswith("voice") for document in ALL)


def test_a_deployment_starts_with_the_settings_of_its_config_map(monkeypatch: pytest.MonkeyPatch) -> None:
    config = OBJECTS["ConfigMap"]["data"]
    named = {variable["name"] for variable in container_of(DEPLOYMENT)["env"]}
    secret = set(re.findall(r"--from-literal=([A-Z_]+)=", (DIRECTORY / "kustomization.yaml").read_text()))
    assert set(config) | named | secret <= SETTINGS
    assert secret == {"DATABASE_URL", "TOKEN_SECRET", "CREDENTIALS"}
    assert all(isinstance(value, str) for value in config.values())
    for name, value in config.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOKEN_SECRET", "abcdefghij" * 4)
    assert Settings().environment.is_deployed


@pytest.mark.parametrize("spec", [DEPLOYMENT, JOB], ids=["deployment", "job"])
def test_no_container_runs_as_root_or_writes_to_its_image(spec: Any) -> None:
    pod, container = spec["template"]["spec"], container_of(spec)
    user, group = re.findall(r"(?m)^USER (\d+):(\d+)$", DOCKERFILE)[0]
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (int(user), int(group))
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    assert container["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - in the container
    assert container["resources"]["limits"]["memory"]
    assert container["image"] == KUSTOMIZATION["images"][0]["name"]


def test_the_migration_gets_only_the_address_of_the_database() -> None:
    assert container_of(DEPLOYMENT)["envFrom"] == [{"configMapRef": {"name": "voice"}}, {"secretRef": {"name": "voice"}}]
    address = {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "voice", "key": "DATABASE_URL"}}}
    assert container_of(JOB)["env"] == [address]
    assert "envFrom" not in container_of(JOB)


def test_the_migration_runs_with_only_the_address_of_the_database(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/voice.db"}
    command = [sys.executable, "-m", *container_of(JOB)["command"]]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)  # noqa: S603
    assert (tmp_path / "voice.db").stat().st_size


def test_the_image_is_named_by_its_digest() -> None:
    (image,) = KUSTOMIZATION["images"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", image["digest"])
    assert "newTag" not in image


def test_only_the_ingress_and_prometheus_reach_a_pod_and_it_reaches_only_its_storages() -> None:
    for name, template in (("voice", DEPLOYMENT["template"]), ("voice-migrate", JOB["template"])):
        policy = POLICIES[name]
        assert policy["podSelector"]["matchLabels"] == (template["metadata"].get("labels") or {})
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert all(rule["to"] and rule["ports"] for rule in policy["egress"])
        assert all(rule["from"] and rule["ports"] for rule in policy["ingress"])
    (incoming,) = POLICIES["voice"]["ingress"]
    assert incoming["ports"] == [{"protocol": "TCP", "port": container_of(DEPLOYMENT)["ports"][0]["name"]}]
    assert all("namespaceSelector" in peer for peer in incoming["from"])
    assert POLICIES["voice-migrate"]["ingress"] == []
    ports = {name: {port["port"] for rule in policy["egress"] for port in rule["ports"]} for name, policy in POLICIES.items()}
    storage = int(OBJECTS["ConfigMap"]["data"]["RATE_LIMIT_STORAGE_URI"].partition("/0")[0].rpartition(":")[2])
    assert ports == {"voice": {53, 5432, storage}, "voice-migrate": {53, 5432}}


def test_no_large_network_is_a_trusted_proxy() -> None:
    for networks in (
        OBJECTS["ConfigMap"]["data"]["TRUSTED_PROXIES"],
        COMPOSE["services"]["voice"]["environment"].get("TRUSTED_PROXIES", ""),
    ):
        assert all(ip_network(network.strip()).num_addresses <= 256 for network in networks.split(",") if network.strip())


# Measured: memory of a process with the models, and peak memory of a request in sizes of its body.
LOADED_BYTES, COPIES = 0.7 * 2**30, 2.1


def test_the_memory_limit_allows_twelve_of_the_largest_bodies_at_once() -> None:
    limits = [
        (container_of(DEPLOYMENT)["resources"]["limits"]["memory"], OBJECTS["ConfigMap"]["data"]["MAX_BODY_BYTES"]),
        (
            COMPOSE["services"]["voice"]["mem_limit"].upper() + "i",
            re.sub(r"\$\{MAX_BODY_BYTES:-(\d+)\}", r"\1", COMPOSE["services"]["voice"]["environment"]["MAX_BODY_BYTES"]),
        ),
    ]
    for memory, max_body_bytes in limits:
        assert memory == "2Gi"
        assert LOADED_BYTES + 12 * COPIES * int(max_body_bytes) < 2 * 2**30


def test_the_migration_job_runs_the_command_of_compose() -> None:
    assert container_of(JOB)["command"] == COMPOSE["services"]["migrate"]["command"]
    assert JOB["template"]["spec"]["restartPolicy"] == "OnFailure"


def test_ports_and_probes_agree_with_the_service() -> None:
    container = container_of(DEPLOYMENT)
    (port,) = container["ports"]
    assert port["containerPort"] == Settings.model_fields["port"].default
    assert f"EXPOSE {port['containerPort']}" in DOCKERFILE
    assert DEPLOYMENT["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(port["containerPort"])
    open_paths = {route.path for route in ROUTES if getattr(getattr(route, "endpoint", None), "facts", None)}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
        assert container[probe]["httpGet"]["path"] in open_paths
    # An unreachable database makes a pod unready, and does not restart it.
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthcheck"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readiness"
    assert container["readinessProbe"]["timeoutSeconds"] > CONNECT_S + STATEMENT_S
    (exposed,) = OBJECTS["Service"]["spec"]["ports"]
    assert exposed["targetPort"] == port["name"]


def test_a_terminating_pod_has_time_to_become_unready_and_to_drain() -> None:
    drain_s = float(OBJECTS["ConfigMap"]["data"]["DRAIN_SECONDS"])
    pod, probe = DEPLOYMENT["template"]["spec"], container_of(DEPLOYMENT)["readinessProbe"]
    assert pod["terminationGracePeriodSeconds"] >= drain_s + 5
    assert probe["periodSeconds"] * probe["failureThreshold"] < drain_s / 4  # for which a terminating pod still accepts connections
    assert DEPLOYMENT["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert int(COMPOSE["services"]["voice"]["stop_grace_period"].removesuffix("s")) >= drain_s + 5


def test_all_selectors_match_the_pods_of_the_service() -> None:
    labels = {"app": "voice"}
    assert DEPLOYMENT["template"]["metadata"]["labels"] == labels
    assert DEPLOYMENT["selector"]["matchLabels"] == labels
    assert OBJECTS["Service"]["spec"]["selector"] == labels
    assert OBJECTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert JOB["template"]["metadata"]["labels"] != labels  # a migration gets no traffic
    target = OBJECTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", OBJECTS["Deployment"]["metadata"]["name"])
    assert "replicas" not in DEPLOYMENT  # a release would reset the number that the autoscaler chose


@pytest.mark.anyio
async def test_the_autoscaler_uses_a_metric_of_the_service(stranger) -> None:
    scaler = OBJECTS["HorizontalPodAutoscaler"]["spec"]
    queue, cpu = scaler["metrics"]
    assert f"\n{queue['pods']['metric']['name']} " in (await stranger.get("/metrics")).text
    assert cpu["resource"]["name"] in container_of(DEPLOYMENT)["resources"]["requests"]
    assert scaler["minReplicas"] >= 2  # one may be disrupted at any time
    assert OBJECTS["PodDisruptionBudget"]["spec"]["maxUnavailable"] < scaler["minReplicas"]


def test_speech_threads_are_the_cpu_limit_of_the_container() -> None:
    (threads,) = (variable for variable in container_of(DEPLOYMENT)["env"] if variable["name"] == "SPEECH_THREADS")
    assert threads["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    assert container_of(DEPLOYMENT)["resources"]["limits"]["cpu"] == container_of(DEPLOYMENT)["resources"]["requests"]["cpu"]
