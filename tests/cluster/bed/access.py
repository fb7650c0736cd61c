"""How a program inside the control plane's network reaches the cluster: by these environment variables."""

from __future__ import annotations

import os

from cluster.bed.layout import ADMIN, BIN, POD_IMAGES, REGISTRY, S3, kubeconfig

__all__ = ["environment"]


def environment() -> dict[str, str]:
    """Returns our environment variables with those of the cluster: tests/README.md says what each one is."""
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    ours = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
    return ours | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "KUBECONFIG": str(kubeconfig(ADMIN)),
        "CLUSTER_REGISTRY": REGISTRY,
        "CLUSTER_IMAGES": POD_IMAGES,
        "CLUSTER_BUCKET": S3.bucket,
        "AWS_ENDPOINT_URL": f"http://{S3.address}",
        "AWS_ACCESS_KEY_ID": S3.key,
        "AWS_SECRET_ACCESS_KEY": S3.secret,
        "AWS_DEFAULT_REGION": S3.region,
    }
