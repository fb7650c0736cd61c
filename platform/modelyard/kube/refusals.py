"""What Helm and the API server say when they refuse, as errors of our own."""

from __future__ import annotations

import re

from modelyard.errors import (
    ClusterError,
    ClusterUnreachable,
    NamespaceNotFound,
    NoRight,
    QuotaReached,
    ReleaseFailed,
    ReleaseNotFound,
    ValuesRefused,
)

__all__ = ["helm_refusal", "outcome_of", "refusal"]

FORBIDDEN = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[\w./-]+)"')
MISSING_NAMESPACE = re.compile(r'namespaces? "(?P<name>[^"]+)" not found')
QUOTA = re.compile(r"exceeded quota: .*")
UNREACHABLE = re.compile(r"kubernetes cluster unreachable:? ?(?P<reason>.*)", re.IGNORECASE | re.DOTALL)
SCHEMA = re.compile(
    r"specifications of the schema\(s\) in the following chart\(s\):\s*(?P<chart>[\w-]+):(?P<list>.*)", re.DOTALL
)
VALUE = re.compile(r"- at '(?P<path>[^']*)': (?P<problem>[^\n]*)")
UNKNOWN = re.compile(r"additional properties (?P<names>.*) not allowed")
CHECK = re.compile(r"execution error at \((?P<chart>[\w-]+)/[^)]*\): (?P<problem>[^\n]*)")
# what Helm puts before the reason
FRAMES = re.compile(
    r"(UPGRADE|INSTALLATION) FAILED: |release \S+ failed, and has been [\w ]+ due to [\w -]+ being set: "
)
UNKNOWN_USER = "the server has asked for the client to provide credentials"
ROLLED_BACK, REMOVED = "has been rolled back due to", "has been uninstalled due to"
LONGEST = 400


def refusal(said: str, namespace: str) -> ClusterError | None:
    """Returns the error that a refusal of the API server stands for, if it is one of the well-known ones.

    Args:
        said: What the API server said, with whatever stands around it.
        namespace: Where.
    """
    if found := FORBIDDEN.search(said):
        return NoRight(found["verb"], found["resource"], namespace)
    if found := MISSING_NAMESPACE.search(said):
        return NamespaceNotFound(found["name"])
    if found := QUOTA.search(said):
        return QuotaReached(namespace, found[0].rstrip("."))
    return None


def helm_refusal(said: str, release: str, namespace: str) -> ClusterError:
    """Returns the error that Helm's words stand for.

    Args:
        said: What it printed to standard error, without its log lines.
        release: What it was about.
        namespace: Where.
    """
    if (known := refusal(said, namespace)) is not None:
        return known.ending(outcome_of(said))
    if UNKNOWN_USER in said:
        hint = "log in again, or mend the user of the kubeconfig's context"
        return ClusterError("the cluster", "does not know you", hint)
    if found := UNREACHABLE.search(said):
        return ClusterUnreachable("the cluster", found["reason"].strip() or "there is no kubeconfig")
    if found := SCHEMA.search(said):
        return ValuesRefused(found["chart"], "; ".join(map(_value, VALUE.finditer(found["list"]))))
    if found := CHECK.search(said):
        return ValuesRefused(found["chart"], found["problem"])
    if "release: not found" in said:
        return ReleaseNotFound(release, namespace, ())
    reason = " ".join(FRAMES.sub("", said).split())
    return ReleaseFailed(release, reason[-LONGEST:] or "failed without a word", outcome_of(said))


def outcome_of(said: str) -> str:
    """Returns what Helm says became of a release that it could not change; empty where nothing was changed."""
    if ROLLED_BACK in said:
        return "it was rolled back to what ran before"
    return "it was removed again" if REMOVED in said else ""


def _value(found: re.Match[str]) -> str:
    place = found["path"].strip("/").replace("/", ".")
    if unknown := UNKNOWN.search(found["problem"]):
        return f"{place or 'the chart'} has no value {unknown['names']}"
    return f"{place}: {found['problem']}"
