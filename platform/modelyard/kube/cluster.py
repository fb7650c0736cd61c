"""A namespace of a cluster, by the official client; what goes wrong is a sentence."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kubernetes import client
from kubernetes import config as kubeconfig
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning

from modelyard.config.models import ClusterSettings
from modelyard.errors import ClusterError, ClusterUnreachable, NoRight
from modelyard.kube.forwarding import fetch
from modelyard.kube.refusals import refusal
from modelyard.utils.sentences import first_line

__all__ = ["Cluster", "Right"]

TIMEOUT_S = 10.0
MANAGER = "modelyard"
# a connection that was cut says nothing, and neither does a program that is busy: it is asked again
SILENCE_S = 60.0
POLL_S = 0.5
# from the end of a pod's grace period to its end
KILLING_S = 10.0


class Right(NamedTuple):
    """Something that a user may do in a namespace, as a Role says it: ``create``, ``jobs``, ``batch``."""

    verb: str
    resource: str
    group: str = ""


class Cluster:
    """A namespace.

    Args:
        settings: Say which context of the kubeconfig and which namespace.

    Attributes:
        namespace: Its name.
        context: The kubeconfig's, if it is not the current one.

    Raises:
        ClusterError: There is no kubeconfig, or no such context.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        made = client.Configuration()
        file = os.environ.get("KUBECONFIG")  # the client looks only once, when it is imported
        try:
            kubeconfig.load_kube_config(file, context=settings.context, client_configuration=made)
            contexts, current = kubeconfig.list_kube_config_contexts(file)
        except kubeconfig.ConfigException as error:
            hint = "set KUBECONFIG to the file of your cluster, and cluster.context to one of its contexts"
            raise ClusterError("there is no cluster", first_line(error), hint) from None
        named = [each for each in contexts if each["name"] == settings.context] or [current]
        self.context = settings.context
        self.namespace: str = settings.namespace or named[0]["context"].get("namespace") or "default"
        if not made.verify_ssl:  # as the kubeconfig has it, and nobody wants to hear of it at every call
            disable_warnings(InsecureRequestWarning)
        made.retries = False  # a cluster that does not answer is said to be away, and asked again by who waits for it
        self._api = client.ApiClient(made)
        self._address = str(made.host)
        self._core, self._batch = client.CoreV1Api(self._api), client.BatchV1Api(self._api)

    def require(self, rights: Sequence[Right]) -> None:
        """Asks the cluster whether the user may do all this.

        Raises:
            NoRight: Names the first that is missing.
            ClusterError: The cluster cannot be reached.
        """
        reviews = client.AuthorizationV1Api(self._api)
        for right in rights:
            resource, _, part = right.resource.partition("/")
            wanted = client.V1ResourceAttributes(
                namespace=self.namespace,
                verb=right.verb,
                group=right.group,
                resource=resource,
                subresource=part or None,
            )
            spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=wanted)
            with self._explained():
                review = reviews.create_self_subject_access_review(
                    client.V1SelfSubjectAccessReview(spec=spec), _request_timeout=TIMEOUT_S
                )
            if not review.status.allowed:
                raise NoRight(right.verb, right.resource, self.namespace)

    def make_secret(self, name: str, entries: dict[str, str], labels: dict[str, str]) -> None:
        """Makes a Secret, or gives the one that is there these entries."""
        metadata = client.V1ObjectMeta(name=name, labels=labels)
        secret = client.V1Secret(metadata=metadata, string_data=entries)
        with self._explained():
            try:
                self._core.create_namespaced_secret(self.namespace, secret, _request_timeout=TIMEOUT_S)
            except client.ApiException as error:
                if error.status != 409:
                    raise
                self._core.replace_namespaced_secret(name, self.namespace, secret, _request_timeout=TIMEOUT_S)

    def remove_secret(self, name: str) -> None:
        """Removes a Secret; none is fine."""
        with self._explained(), _missing_is_fine():
            self._core.delete_namespaced_secret(name, self.namespace, _request_timeout=TIMEOUT_S)

    def job(self, name: str) -> Any | None:
        """Returns a Job, if there is one."""
        with self._explained(), _missing_is_fine():
            return self._batch.read_namespaced_job(name, self.namespace, _request_timeout=TIMEOUT_S)
        return None

    def rayjob(self, name: str) -> dict[str, Any] | None:
        """Returns a RayJob of KubeRay, if there is one."""
        objects = client.CustomObjectsApi(self._api)
        with self._explained(), _missing_is_fine():
            found: dict[str, Any] = objects.get_namespaced_custom_object(
                "ray.io", "v1", self.namespace, "rayjobs", name, _request_timeout=TIMEOUT_S
            )
            return found
        return None

    def pods(self, selector: str) -> list[Any]:
        """Returns the pods of a label selector, the newest first."""
        with self._explained():
            found = self._core.list_namespaced_pod(
                self.namespace, label_selector=selector, _request_timeout=TIMEOUT_S
            ).items
        return sorted(found, key=lambda pod: pod.metadata.creation_timestamp, reverse=True)

    def wait_gone(self, selector: str) -> None:
        """Returns when the pods of a label selector have ended.

        Those of a node that is lost never do: they are left behind when all would have ended by themselves.
        """
        began = time.monotonic()
        while pods := self.pods(selector):
            grace = max(pod.spec.termination_grace_period_seconds for pod in pods)
            if time.monotonic() - began > grace + KILLING_S:
                return
            time.sleep(POLL_S)

    def deployments(self, selector: str) -> list[Any]:
        """Returns the Deployments of a label selector."""
        with self._explained():
            found: list[Any] = (
                client.AppsV1Api(self._api)
                .list_namespaced_deployment(self.namespace, label_selector=selector, _request_timeout=TIMEOUT_S)
                .items
            )
            return found

    def patch_deployment(self, name: str, change: dict[str, Any]) -> None:
        """Changes a Deployment; a `resourceVersion` in it is the one that it must still have."""
        apps = client.AppsV1Api(self._api)
        with self._explained():
            apps.patch_namespaced_deployment(
                name, self.namespace, change, field_manager=MANAGER, _request_timeout=TIMEOUT_S
            )

    def autoscaler(self, name: str) -> Any | None:
        """Returns a HorizontalPodAutoscaler, if there is one."""
        scaling = client.AutoscalingV2Api(self._api)
        with self._explained(), _missing_is_fine():
            return scaling.read_namespaced_horizontal_pod_autoscaler(name, self.namespace, _request_timeout=TIMEOUT_S)
        return None

    def last_words(self, pod: str, container: str) -> str:
        """Returns the last line that a container wrote before it was started again; empty where there is none."""
        with self._explained(), _missing_is_fine():
            text = self._core.read_namespaced_pod_log(
                pod, self.namespace, container=container, previous=True, tail_lines=5, _request_timeout=TIMEOUT_S
            )
            return next((line.strip() for line in reversed(str(text).splitlines()) if line.strip()), "")
        return ""

    def get(self, pod: str, port: int, path: str) -> str:
        """Returns what a pod answers to a GET, over a port that the cluster forwards, past every network policy.

        Raises:
            NoRight: The user may not forward ports.
            ClusterError: The pod or the cluster cannot be reached, or answers with an error.
        """
        with self._explained():
            return fetch(self._api.configuration, self.namespace, pod, port, path)

    def warnings(self, name: str) -> list[str]:
        """Returns what the cluster warns of an object, such as that a quota is reached, the newest last."""
        with self._explained():
            found = self._core.list_namespaced_event(
                self.namespace, field_selector=f"involvedObject.name={name},type=Warning", _request_timeout=TIMEOUT_S
            ).items
        return [str(event.message) for event in found]

    def log(self, pod: str, container: str) -> Iterator[str]:
        """Yields the lines of a pod's log as they are written, until it ends."""
        with self._explained():
            answer = self._core.read_namespaced_pod_log(
                pod,
                self.namespace,
                container=container,
                follow=True,
                _preload_content=False,
                _request_timeout=(TIMEOUT_S, SILENCE_S),
            )
            try:
                rest = b""
                for part in answer.stream():
                    *lines, rest = (rest + part).split(b"\n")
                    yield from (line.decode(errors="replace") for line in lines)
            finally:
                answer.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except client.ApiException as error:
            raise self._sentence(error) from None
        except (HTTPError, OSError) as error:
            reason = first_line(error).rpartition("Caused by ")[2]
            raise ClusterUnreachable(f"the cluster at {self._address}", reason) from None

    def _sentence(self, error: client.ApiException) -> ClusterError:
        try:
            message = str(json.loads(error.body)["message"])
        except (TypeError, ValueError, KeyError):
            message = str(error.reason)
        if error.status == 401:
            hint = "log in again, or mend the user of the kubeconfig's context"
            return ClusterError(f"the cluster at {self._address}", "does not know you", hint)
        known = refusal(message, self.namespace)
        return known or ClusterError(f"the cluster at {self._address}", message.rstrip("."))


@contextlib.contextmanager
def _missing_is_fine() -> Iterator[None]:
    try:
        yield
    except client.ApiException as error:
        if error.status != 404:
            raise
