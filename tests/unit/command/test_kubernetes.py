"""Manifests for a cluster, and commands as its jobs: both pass the schemas of Kubernetes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lethe.command.cli import NAMES
from lethe.command.kubernetes import ARCHIVE, BUILD, NAMESPACE, job_manifest
from lethe.errors import Misconfigured

CONTAINERS = Path(__file__).parents[3] / "xnat-containers"
MANIFESTS = CONTAINERS / "kubernetes"
VERSIONS = ("1.30", "1.34")


def documents() -> list[dict[str, Any]]:
    return [one for path in sorted(MANIFESTS.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]


def named(kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [one for one in documents() if one["kind"] == kind and name in ("", one["metadata"]["name"])]
    return found


def definition_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CONTAINERS / name / "command.json").read_text())
    return found


def job_of(name: str, **more: Any) -> dict[str, Any]:
    definition = definition_of(name)
    folders = {mount["name"]: f"some/{mount['name']}" for mount in definition["mounts"]}
    return job_manifest(definition, folders, name=f"try-{name}", **more)


@pytest.mark.requirement("A-13")
@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_and_every_job_passes_the_schema_of_kubernetes(version: str) -> None:
    for document in [*documents(), *(job_of(name) for name in NAMES)]:
        kubernetes_validate.validate(document, version, strict=True)


def test_the_schema_check_finds_a_mistake() -> None:
    document = job_of("deface")
    document["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_all_objects_are_in_one_namespace_with_a_standard_of_security() -> None:
    namespace = named("Namespace")
    assert namespace["metadata"]["name"] == NAMESPACE
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    rest = [one for one in documents() if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in rest} == {NAMESPACE}
    assert {one["metadata"]["name"] for one in rest if one["kind"] == "PersistentVolumeClaim"} == {
        ARCHIVE,
        BUILD,
    }


def test_xnat_may_make_jobs_and_read_their_logs_and_nothing_else() -> None:
    allowed = {
        (group, resource): set(rule["verbs"])
        for rule in named("Role")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert set(allowed) == {("batch", "jobs"), ("", "pods"), ("", "pods/log")}
    assert allowed["", "pods"] == {"get", "list", "watch"}
    assert allowed["", "pods/log"] == {"get"}
    assert not any("*" in verbs for verbs in allowed.values())
    binding = named("RoleBinding")
    assert binding["roleRef"]["name"] == named("Role")["metadata"]["name"]
    assert [one["name"] for one in binding["subjects"]] == ["container-service"]
    assert named("ServiceAccount", "default")["automountServiceAccountToken"] is False


@pytest.mark.requirement("M-24")
def test_no_pod_reaches_the_network() -> None:
    spec = named("NetworkPolicy")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_largest_command_fits_the_quota() -> None:
    hard = named("ResourceQuota")["spec"]["hard"]
    largest = max(definition_of(name)["limit-memory"] for name in NAMES)
    assert int(hard["limits.memory"].removesuffix("Gi")) * 1024 >= 12 * largest
    assert int(hard["limits.cpu"]) >= 12 * max(definition_of(name)["limit-cpu"] for name in NAMES)


def test_the_settings_of_the_container_service_name_the_claims() -> None:
    settings = json.loads((MANIFESTS / "container-service/server.json").read_text())
    assert settings["backend"] == "kubernetes"
    assert (settings["archive-pvc-name"], settings["build-pvc-name"]) == (ARCHIVE, BUILD)
    assert not settings["container-user"].startswith("0")


@pytest.mark.parametrize("name", NAMES)
def test_a_job_has_the_limits_of_command_json_and_no_more_rights_than_it_needs(name: str) -> None:
    definition = definition_of(name)
    job = job_of(name, constraints={"images": "true"})
    assert job["spec"]["backoffLimit"] == 0
    pod = job["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"]) == ("Never", False)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["nodeSelector"] == {"images": "true"}
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {
        "memory": f"{definition['limit-memory']}Mi",
        "cpu": f"{int(definition['limit-cpu'] * 1000)}m",
    }
    assert container["resources"]["requests"]["memory"] == f"{definition['reserve-memory']}Mi"
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert "#" not in container["command"][2]
    assert not any("#" in one["value"] for one in container["env"])
    for mount, made in zip(definition["mounts"], container["volumeMounts"], strict=False):
        assert (made["mountPath"], made["readOnly"]) == (mount["path"], not mount["writable"])
        assert made["name"] == ("build" if mount["writable"] else "archive")


def test_values_are_checked_and_quoted() -> None:
    def container(name: str, **values: str) -> dict[str, Any]:
        made = job_of(name, values=values)["spec"]["template"]["spec"]["containers"][0]
        return dict(made)

    assert container("deface", modality="ct")["command"][2].endswith("--modality ct")
    with pytest.raises(Misconfigured, match="no such value"):
        container("deface", modality="ct; rm -rf /")
    with pytest.raises(Misconfigured, match="no input colour"):
        container("deface", colour="x")
    rules = container("dicom-to-nifti", **{"lane-rules": "rules: [a b]"})["env"]
    assert {"name": "LETHE_LANE_RULES", "value": "rules: [a b]"} in rules


@pytest.mark.parametrize("folder", ["", "/etc", "a/../../b"])
def test_a_folder_stays_inside_its_claim(folder: str) -> None:
    with pytest.raises(Misconfigured, match="folder inside its claim"):
        job_manifest(definition_of("check-quality"), {"input": folder, "output": "x"}, name="x")
