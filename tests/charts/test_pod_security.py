from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from pod_security import violations

SPEC: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "tmp", "emptyDir": {}}],
    "containers": [
        {
            "name": "main",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "ports": [{"containerPort": 80}],
            "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
        }
    ],
}
CONTAINER = ("containers", 0)
SECURITY = (*CONTAINER, "securityContext")


def test_a_restricted_pod_violates_nothing() -> None:
    assert violations(SPEC) == []


@pytest.mark.parametrize(
    ("place", "value", "found"),
    [
        (("hostNetwork",), True, "hostNetwork"),
        (("automountServiceAccountToken",), True, "automountServiceAccountToken"),
        (("volumes",), [{"name": "host", "hostPath": {"path": "/"}}], "volume host: hostPath"),
        (("securityContext", "runAsNonRoot"), False, "main: runAsNonRoot"),
        (("securityContext", "runAsUser"), 0, "main: runAsUser"),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}, "main: seccompProfile"),
        (("securityContext", "appArmorProfile"), {"type": "Unconfined"}, "main: appArmorProfile"),
        (("securityContext", "seLinuxOptions"), {"user": "system_u"}, "main: seLinuxOptions"),
        (("securityContext", "windowsOptions"), {"hostProcess": True}, "main: hostProcess"),
        (("securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}], "sysctl kernel.msgmax"),
        ((*SECURITY, "runAsNonRoot"), False, "main: runAsNonRoot"),
        ((*SECURITY, "privileged"), True, "main: privileged"),
        ((*SECURITY, "allowPrivilegeEscalation"), True, "main: allowPrivilegeEscalation"),
        ((*SECURITY, "readOnlyRootFilesystem"), False, "main: readOnlyRootFilesystem"),
        ((*SECURITY, "procMount"), "Unmasked", "main: procMount"),
        ((*SECURITY, "capabilities"), {"drop": ["NET_RAW"]}, "main: capabilities"),
        ((*SECURITY, "capabilities"), {"drop": ["ALL"], "add": ["SYS_TIME"]}, "main: capabilities"),
        ((*CONTAINER, "ports"), [{"containerPort": 80, "hostPort": 80}], "main: hostPort"),
        ((*CONTAINER, "livenessProbe"), {"tcpSocket": {"host": "a.org"}}, "main: livenessProbe of another host"),
        (("initContainers",), [{"name": "first"}], "first: allowPrivilegeEscalation"),
    ],
)
def test_what_restricted_forbids_is_found(place: tuple[Any, ...], value: Any, found: str) -> None:
    spec = deepcopy(SPEC)
    inner = spec
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    assert found in violations(spec)
