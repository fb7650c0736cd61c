"""The control plane: etcd, API server, controller manager, scheduler, and what makes Services reachable from it."""

from __future__ import annotations

from cluster.bed.layout import (
    ADMIN,
    BIN,
    CONTROL,
    CONTROL_IP,
    KEYS,
    POD_CIDR,
    SERVICE_CIDR,
    STATE,
    kubeconfig,
)
from cluster.bed.processes import inside, start
from cluster.bed.shell import answers, run, wait

__all__ = ["kubectl", "start_control_plane", "start_proxy"]

# a node counts as lost after 10 s, as a cluster of many nodes would have it after 40 s
NODE_GRACE = ["--node-monitor-grace-period=10s", "--node-monitor-period=2s"]
# the autoscaler decides every 5 s and believes a new pod's CPU sooner, so that tests take minutes
AUTOSCALER = [
    "--horizontal-pod-autoscaler-sync-period=5s",
    "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
    "--horizontal-pod-autoscaler-cpu-initialization-period=15s",
]
# the machine's limits are not a node's to change
KEEP_CONNTRACK = [
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-established=0",
    "--conntrack-tcp-timeout-close-wait=0",
]


def kubectl(*arguments: object, text: str | None = None) -> str:
    """Runs kubectl as the administrator and returns what it printed."""
    return run(*_kubectl(*arguments), text=text)


def _kubectl(*arguments: object) -> list[str]:
    return inside(CONTROL, BIN / "kubectl", "--kubeconfig", kubeconfig(ADMIN), *arguments)


def start_control_plane() -> None:
    """Starts the control plane and waits until the API server takes requests."""
    _start("etcd", "--data-dir", STATE / "etcd", "--unsafe-no-fsync", "--log-level", "error")
    _start("kube-apiserver", *_api_server(), f"--cert-dir={STATE}/kube-apiserver")
    wait("the API server", lambda: answers(*_kubectl("get", "--raw", "/readyz")), see=STATE / "kube-apiserver.log")
    _start(
        "kube-controller-manager",
        f"--kubeconfig={kubeconfig('controller-manager')}",
        f"--service-account-private-key-file={KEYS}/service-account.key",
        f"--root-ca-file={KEYS}/ca.crt",
        f"--cluster-signing-cert-file={KEYS}/ca.crt",
        f"--cluster-signing-key-file={KEYS}/ca.key",
        "--use-service-account-credentials",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={STATE}/kube-controller-manager",
        *NODE_GRACE,
        *AUTOSCALER,
    )
    _start(
        "kube-scheduler",
        f"--kubeconfig={kubeconfig('scheduler')}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--cert-dir={STATE}/kube-scheduler",
    )
    start_proxy(CONTROL, CONTROL_IP)


def start_proxy(where: str, address: str) -> None:
    """Starts kube-proxy on a node, or in the control plane's network so that tests reach Services as pods do."""
    start(
        f"kube-proxy-{where}",
        where,
        BIN / "kube-proxy",
        f"--kubeconfig={kubeconfig('proxy')}",
        f"--hostname-override={where}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={POD_CIDR}",
        f"--bind-address={address}",
        "--healthz-bind-address=127.0.0.1:10256",
        "--metrics-bind-address=127.0.0.1:10249",
        *KEEP_CONNTRACK,
    )


def _start(program: str, *arguments: object) -> None:
    start(program, CONTROL, BIN / program, *arguments)


def _api_server() -> list[str]:
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--bind-address={CONTROL_IP}",
        f"--advertise-address={CONTROL_IP}",
        "--secure-port=6443",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        f"--tls-cert-file={KEYS}/apiserver.crt",
        f"--tls-private-key-file={KEYS}/apiserver.key",
        f"--client-ca-file={KEYS}/ca.crt",
        f"--service-account-key-file={KEYS}/service-account.pub",
        f"--service-account-signing-key-file={KEYS}/service-account.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={KEYS}/kubelet-client.crt",
        f"--kubelet-client-key={KEYS}/kubelet-client.key",
        # the metrics API is a server of its own behind this one
        "--enable-aggregator-routing=true",
        f"--proxy-client-cert-file={KEYS}/front-proxy.crt",
        f"--proxy-client-key-file={KEYS}/front-proxy.key",
        f"--requestheader-client-ca-file={KEYS}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    ]
