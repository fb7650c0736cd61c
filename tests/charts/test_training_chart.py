from __future__ import annotations

from typing import Any

import pytest

from helm_charts import CHARTS, NAMESPACE, RELEASE, Manifest, one, pods, render, run_helm, variants
from pod_security import violations

CHART = "modelyard-training"
VARIANTS = variants(CHART)
SELECTOR = {
    "app.kubernetes.io/name": CHART,
    "app.kubernetes.io/instance": RELEASE,
    "app.kubernetes.io/component": "search",
}
BY_JOB = [name for name, values in VARIANTS.items() if values.get("engine") != "kuberay"]
BY_KUBERAY = [name for name in VARIANTS if name not in BY_JOB]


def rendered(variant: str = "minimal", **values: Any) -> list[Manifest]:
    return render(CHART, VARIANTS[variant] | values)


def job(manifests: list[Manifest]) -> Manifest:
    (found,) = [it for it in manifests if it["kind"] in ("Job", "CronJob")]
    return dict(found["spec"] if found["kind"] == "Job" else found["spec"]["jobTemplate"]["spec"])


def every_pod(manifests: list[Manifest]) -> list[Manifest]:
    found = list(pods([it for it in manifests if it["kind"] != "RayJob"]))
    for ray in (it["spec"] for it in manifests if it["kind"] == "RayJob"):
        cluster = ray["rayClusterSpec"]
        found += [cluster["headGroupSpec"]["template"], *(group["template"] for group in cluster["workerGroupSpecs"])]
        found += [ray["submitterPodTemplate"]] if "submitterPodTemplate" in ray else []
    return found


def environment(container: Manifest) -> dict[str, Any]:
    return {it["name"]: it.get("value", it.get("valueFrom")) for it in container["env"]}


@pytest.mark.parametrize("variant", VARIANTS)
def test_lint_finds_nothing(variant: str) -> None:
    code, printed = run_helm("lint", "--strict", CHARTS / CHART, values=VARIANTS[variant])
    assert code == 0, printed


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_says_whose_it_is(variant: str) -> None:
    manifests = rendered(variant)
    for manifest in manifests:
        labels = manifest["metadata"]["labels"]
        assert manifest["metadata"]["namespace"] == NAMESPACE
        assert labels.items() >= SELECTOR.items()
        assert labels["helm.sh/chart"] == f"{CHART}-0.1.0"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_pod_is_restricted_says_its_size_and_writes_to_limited_places_only(variant: str) -> None:
    found = every_pod(rendered(variant))
    assert [violations(pod["spec"]) for pod in found] == [[]] * len(found)
    for pod in found:
        assert pod["metadata"]["labels"].items() >= SELECTOR.items()
        assert all(it["emptyDir"]["sizeLimit"] for it in pod["spec"]["volumes"] if "emptyDir" in it)
        for container in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])):
            resources = container["resources"]
            assert resources["requests"]["memory"] == resources["limits"]["memory"]
            assert resources["requests"]["cpu"]
            assert resources["limits"]["cpu"]


@pytest.mark.parametrize("variant", BY_JOB)
def test_one_indexed_job_ends_with_its_first_index(variant: str) -> None:
    spec = job(rendered(variant))
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == VARIANTS[variant].get("workers", 1) + 1
    assert spec["successPolicy"] == {"rules": [{"succeededIndexes": "0"}]}
    assert spec["backoffLimitPerIndex"] == VARIANTS[variant].get("job", {}).get("retries", 3)
    assert spec["maxFailedIndexes"] == 0
    assert spec["podReplacementPolicy"] == "TerminatingOrFailed"
    # the API server refuses both together
    assert "podFailurePolicy" not in spec
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("variant", BY_JOB)
def test_the_service_finds_the_head_alone(variant: str) -> None:
    manifests = rendered(variant)
    service = one(manifests, "Service")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is False
    assert service["spec"]["selector"] == SELECTOR | {"batch.kubernetes.io/job-completion-index": "0"}
    (container,) = job(manifests)["template"]["spec"]["containers"]
    assert f"--head={service['metadata']['name']}" in container["args"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports[container["readinessProbe"]["tcpSocket"]["port"]] == 6381
    assert ports["gcs"] == service["spec"]["ports"][0]["port"] == 6379


def test_nothing_is_random_and_the_token_comes_from_a_secret() -> None:
    assert rendered("server") == rendered("server")
    manifests = rendered("server")
    assert "Secret" not in {it["kind"] for it in manifests}
    spec = job(manifests)["template"]["spec"]
    (token,) = [it["secret"] for it in spec["volumes"] if it["name"] == "token"]
    assert token["secretName"] == "adult-ray"
    assert token["items"] == [{"key": "token", "path": "token"}]
    given = environment(spec["containers"][0])
    assert (given["RAY_AUTH_MODE"], given["RAY_AUTH_TOKEN_PATH"]) == ("token", "/secrets/ray/token")


def test_lost_nodes_are_noticed_soon() -> None:
    spec = job(rendered())["template"]["spec"]
    assert {it["key"].split("/")[1]: it["tolerationSeconds"] for it in spec["tolerations"]} == {
        "not-ready": 15,
        "unreachable": 15,
    }
    given = environment(spec["containers"][0])
    names = ("period_ms", "timeout_ms", "failure_threshold")
    assert [given[f"RAY_health_check_{name}"] for name in names] == ["2000", "3000", "3"]
    (constraint,) = spec["topologySpreadConstraints"]
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
    assert constraint["labelSelector"]["matchLabels"] == SELECTOR


@pytest.mark.parametrize(
    ("workers", "cpus", "head", "slots"), [(1, 2, 1, 3), (3, 4, 3, 15), (0, 2, 2, 2), (2, 1, 0, 2)]
)
def test_the_driver_has_a_core_of_its_own_beside_workers(workers: int, cpus: int, head: int, slots: int) -> None:
    (container,) = job(rendered(workers=workers, cpus=cpus))["template"]["spec"]["containers"]
    assert {f"--cpus={cpus}", f"--head-cpus={head}", f"--slots={slots}"} <= set(container["args"])
    assert container["resources"]["requests"] == {"cpu": cpus, "memory": f"{1024 + 200 + 330 * cpus}Mi"}
    assert container["resources"]["limits"]["cpu"] == cpus + 1


def test_the_object_store_fits_into_shared_memory() -> None:
    spec = job(rendered("server"))["template"]["spec"]
    assert f"--object-store-bytes={2048 * 2**20}" in spec["containers"][0]["args"]
    (shm,) = [it["emptyDir"] for it in spec["volumes"] if it["name"] == "shm"]
    assert shm == {"medium": "Memory", "sizeLimit": "2112Mi"}


def test_plugins_are_unpacked_before_anything_runs() -> None:
    spec = job(rendered("server"))["template"]["spec"]
    (first,) = spec["initContainers"]
    assert first["args"] == ["/wheels", *VARIANTS["server"]["wheels"]]
    assert environment(spec["containers"][0])["PYTHONPATH"] == "/wheels"
    # an object store's keys, as the search itself has them
    assert first["envFrom"] == spec["containers"][0]["envFrom"] == [{"secretRef": {"name": "s3-keys"}}]
    assert "initContainers" not in job(rendered())["template"]["spec"]


def test_a_claim_takes_the_place_of_an_object_store() -> None:
    spec = job(rendered("claim"))["template"]["spec"]
    assert {"name": "storage", "persistentVolumeClaim": {"claimName": "shared"}} in spec["volumes"]
    assert {"name": "storage", "mountPath": "/storage"} in spec["containers"][0]["volumeMounts"]
    assert spec["securityContext"]["fsGroup"] == 2000


def test_pods_reach_each_other_names_and_the_storage_and_nothing_else() -> None:
    policy = one(rendered("server", metrics={"port": 0}), "NetworkPolicy")["spec"]
    own = {"podSelector": {"matchLabels": SELECTOR}}
    assert policy["podSelector"] == own["podSelector"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"from": [own]}]
    pods_, names, storage, more = policy["egress"]
    assert pods_ == {"to": [own]}
    assert {(port["port"], port["protocol"]) for port in names["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert storage["ports"] == [{"port": 9000, "protocol": "TCP"}]
    assert storage["to"] == VARIANTS["server"]["networkPolicy"]["storage"]
    assert more == VARIANTS["server"]["networkPolicy"]["egress"][0]


@pytest.mark.parametrize(
    ("endpoint", "port"), [("", 443), ("http://s3", 80), ("https://s3.org", 443), ("https://s3.org:8443", 8443)]
)
def test_the_storages_port_is_that_of_its_address(endpoint: str, port: int) -> None:
    policy = one(rendered(storage=VARIANTS["minimal"]["storage"] | {"s3": {"endpoint": endpoint}}), "NetworkPolicy")
    assert policy["spec"]["egress"][2] == {"ports": [{"port": port, "protocol": "TCP"}]}


def test_a_schedule_names_runs_by_their_jobs_and_pushes_the_candidate() -> None:
    manifests = rendered("retraining")
    spec = one(manifests, "CronJob")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("0 3 * * 1", "Europe/Berlin", False)
    assert spec["concurrencyPolicy"] == "Forbid"
    (container,) = job(manifests)["template"]["spec"]["containers"]
    given = environment(container)
    assert given["JOB_NAME"]["fieldRef"]["fieldPath"] == "metadata.labels['batch.kubernetes.io/job-name']"
    assert {"--run=$(JOB_NAME)", "--publish=registry.local:5000/adult", "--insecure"} <= set(container["args"])
    assert given["DOCKER_CONFIG"] == "/secrets/registry"
    registry = one(manifests, "NetworkPolicy")["spec"]["egress"][3]
    assert registry["ports"] == [{"port": 5000, "protocol": "TCP"}]
    assert registry["to"] == VARIANTS["retraining"]["networkPolicy"]["registry"]


def test_one_value_makes_the_same_run_a_rayjob() -> None:
    by_job, by_kuberay = rendered("server", token={"existingSecret": "adult-ray"}), None
    by_kuberay = rendered("server", token={"existingSecret": "adult-ray"}, engine="kuberay")
    ray = one(by_kuberay, "RayJob")
    assert ray["apiVersion"] == "ray.io/v1"
    assert len(ray["metadata"]["name"]) <= 47
    assert {it["kind"] for it in by_kuberay} & {"Job", "Service"} == set()
    (container,) = job(by_job)["template"]["spec"]["containers"]
    driver = [it for it in container["args"] if it.split("=")[0] in ("--run", "--storage", "--config", "--slots")]
    assert len(driver) == 4
    assert all(it in ray["spec"]["entrypoint"].split() for it in driver)
    cluster = ray["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token", "secretName": "adult-ray"}
    (group,) = cluster["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == 3
    # KubeRay passes them on as they are, and takes texts only
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "3"
    assert all(isinstance(value, str) for value in group["rayStartParams"].values())


@pytest.mark.parametrize("variant", BY_KUBERAY)
def test_kubrays_operator_may_ask_the_head(variant: str) -> None:
    manifests = rendered(variant)
    (_, operator, *_) = one(manifests, "NetworkPolicy")["spec"]["ingress"]
    assert operator["ports"] == [{"port": 8265, "protocol": "TCP"}]
    by_pod = one(manifests, "RayJob")["spec"]["submissionMode"] == "K8sJobMode"
    assert ("submitterPodTemplate" in one(manifests, "RayJob")["spec"]) == by_pod


def test_a_pod_is_placed_as_its_values_say() -> None:
    values, manifests = VARIANTS["placed"], rendered("placed")
    assert {it["metadata"]["name"].split("-")[0] for it in manifests} == {"income"}
    assert "ServiceAccount" not in {it["kind"] for it in manifests}
    template = job(manifests)["template"]
    spec = template["spec"]
    assert spec["serviceAccountName"] == "trainer"
    assert spec["nodeSelector"] == values["nodeSelector"]
    assert spec["affinity"] == values["affinity"]
    assert spec["tolerations"][2:] == values["tolerations"]
    assert spec["priorityClassName"] == "low"
    assert len(spec["topologySpreadConstraints"]) == 2
    assert spec["terminationGracePeriodSeconds"] == 60
    assert template["metadata"]["labels"]["team"] == "risk"
    (container,) = spec["containers"]
    assert container["terminationMessagePath"] == "/tmp/termination-log"
    assert "--termination-log=/tmp/termination-log" in container["args"]
    assert environment(container)["PGHOST"] == "db"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_notes_say_what_comes_next(variant: str) -> None:
    code, printed = run_helm(
        "install", RELEASE, CHARTS / CHART, "--dry-run=client", "--namespace", NAMESPACE, values=VARIANTS[variant]
    )
    assert code == 0, printed
    notes = printed.partition("NOTES:")[2]
    scheduled = "retraining" in VARIANTS[variant]
    assert ("kubectl create job" if scheduled else "modelyard attach") in notes
    assert ("WARNING: networkPolicy" in notes) == (variant == "claim")


def test_a_cluster_that_is_too_old_is_refused() -> None:
    code, printed = run_helm("template", CHARTS / CHART, "--kube-version", "1.30.9", values=VARIANTS["minimal"])
    assert code != 0
    assert "1.31" in printed
