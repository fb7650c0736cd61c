"""People who may do in one namespace what the documentation's Roles allow, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from cluster.place import Namespace

__all__ = ["documented_role", "user_config"]

DOCS = Path(__file__).parents[2] / "docs"
ROLE = re.compile(r"<!-- role: begin -->\n```yaml\n(.*?)```\n<!-- role: end -->", re.DOTALL)
NAME = "anna"


def documented_role(page: str) -> dict[str, Any]:
    """Returns the Role that a page of the documentation gives to users."""
    (text,) = ROLE.findall((DOCS / page).read_text())
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def user_config(namespace: Namespace, folder: Path, *roles: dict[str, Any]) -> Path:
    """Makes a user with these Roles in a namespace, and returns the kubeconfig that is theirs.

    Args:
        namespace: Where they may do something.
        folder: Where the file goes.
        roles: What.
    """
    bindings = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": role["metadata"]["name"]},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace.name}],
        }
        for role in roles
    ]
    namespace.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}}, *roles, *bindings)
    config = json.loads(namespace.cluster.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
    config["users"][0]["user"] = {"token": namespace.kubectl("create", "token", NAME).strip()}
    file = folder / f"{NAME}.kubeconfig"
    file.write_text(json.dumps(config))
    return file
