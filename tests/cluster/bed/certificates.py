"""The keys and certificates of a cluster, and the kubeconfigs that name them."""

from __future__ import annotations

import json

from cluster.bed.layout import ADMIN, API_SERVER, CONTROL_IP, KEYS, kubeconfig
from cluster.bed.shell import run

__all__ = ["make_keys"]

DAYS = 30
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
AUTHORITY, FRONT_PROXY_AUTHORITY = "ca", "front-proxy-ca"
ADMINISTRATORS = "/O=system:masters"
SERVER_NAMES = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
SERVER_ADDRESSES = [CONTROL_IP, "10.96.0.1", "127.0.0.1"]
CLIENTS = {
    ADMIN: f"{ADMINISTRATORS}/CN=admin",
    "controller-manager": "/CN=system:kube-controller-manager",
    "scheduler": "/CN=system:kube-scheduler",
    "proxy": "/CN=system:kube-proxy",
    "coredns": f"{ADMINISTRATORS}/CN=coredns",
    "metrics-server": f"{ADMINISTRATORS}/CN=metrics-server",
}


def make_keys(nodes: list[str]) -> None:
    """Makes everything that is secret in a cluster with these nodes."""
    KEYS.mkdir(parents=True, mode=0o700)
    for authority in (AUTHORITY, FRONT_PROXY_AUTHORITY):
        key = [*NEW_KEY, "-keyout", KEYS / f"{authority}.key"]
        subject = ["-subj", f"/CN={authority}", "-days", DAYS, "-out", KEYS / f"{authority}.crt"]
        run("openssl", "req", "-x509", *key, *subject)
    run("openssl", "genrsa", "-out", KEYS / "service-account.key", 2048)
    run("openssl", "rsa", "-in", KEYS / "service-account.key", "-pubout", "-out", KEYS / "service-account.pub")
    names = [f"IP:{address}" for address in SERVER_ADDRESSES] + [f"DNS:{name}" for name in SERVER_NAMES]
    _certify("apiserver", "/CN=kube-apiserver", names)
    _certify("kubelet-client", f"{ADMINISTRATORS}/CN=kubelet-client")
    _certify("front-proxy", "/CN=front-proxy-client", authority=FRONT_PROXY_AUTHORITY)
    for name, owner in (CLIENTS | {node: f"/O=system:nodes/CN=system:node:{node}" for node in nodes}).items():
        _certify(name, owner)
        _write_kubeconfig(name)


def _certify(name: str, subject: str, names: list[str] | None = None, authority: str = AUTHORITY) -> None:
    request, extensions = KEYS / f"{name}.csr", KEYS / f"{name}.ext"
    usage = ["extendedKeyUsage=serverAuth,clientAuth"] + ([f"subjectAltName={','.join(names)}"] if names else [])
    extensions.write_text("\n".join(usage) + "\n")
    key = [*NEW_KEY, "-keyout", KEYS / f"{name}.key"]
    run("openssl", "req", "-new", *key, "-subj", subject, "-out", request)
    signer = ["-CA", KEYS / f"{authority}.crt", "-CAkey", KEYS / f"{authority}.key", "-CAcreateserial"]
    signed = ["-days", DAYS, "-extfile", extensions, "-out", KEYS / f"{name}.crt"]
    run("openssl", "x509", "-req", "-in", request, *signer, *signed)


def _write_kubeconfig(name: str) -> None:
    cluster = {"server": API_SERVER, "certificate-authority": str(KEYS / f"{AUTHORITY}.crt")}
    user = {"client-certificate": str(KEYS / f"{name}.crt"), "client-key": str(KEYS / f"{name}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bed",
        "clusters": [{"name": "bed", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": name}}],
    }
    path = kubeconfig(name)
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))
