"""Whether a pod satisfies Pod Security `restricted`, which an API server only says of a namespace that enforces it.

After https://kubernetes.io/docs/concepts/security/pod-security-standards/, with what the house adds: a root file system
that cannot be written to and no token.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["violations"]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}
APPARMOR = {"RuntimeDefault", "Localhost", None}
SELINUX = {"container_t", "container_init_t", "container_kvm_t", "container_engine_t", None}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}


def violations(spec: dict[str, Any]) -> list[str]:
    """What in a pod's spec is not allowed, a line each."""
    security = spec.get("securityContext", {})
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    if spec.get("automountServiceAccountToken") is not False:
        found.append("automountServiceAccountToken")
    for volume in spec.get("volumes", []):
        found += [f"volume {volume['name']}: {kind}" for kind in volume.keys() - VOLUMES - {"name"}]
    found += [f"sysctl {it['name']}" for it in security.get("sysctls", []) if it["name"] not in SYSCTLS]
    for group in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(group, []):
            found += [f"{container['name']}: {text}" for text in _of_container(container, security)]
    return found


def _of_container(container: dict[str, Any], pod: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    merged = pod | own
    if merged.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if merged.get("runAsUser") == 0:
        yield "runAsUser"
    if merged.get("seccompProfile", {}).get("type") not in SECCOMP:
        yield "seccompProfile"
    if merged.get("appArmorProfile", {}).get("type") not in APPARMOR:
        yield "appArmorProfile"
    options = merged.get("seLinuxOptions", {})
    if options.get("type") not in SELINUX or options.get("user") or options.get("role"):
        yield "seLinuxOptions"
    if merged.get("windowsOptions", {}).get("hostProcess"):
        yield "hostProcess"
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem"
    if own.get("procMount", "Default") != "Default":
        yield "procMount"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "hostPort"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        handler = container.get(probe, {})
        if handler.get("httpGet", {}).get("host") or handler.get("tcpSocket", {}).get("host"):
            yield f"{probe} of another host"
