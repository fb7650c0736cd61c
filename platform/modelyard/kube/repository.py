"""A client of container registries, as OCI's distribution specification has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from modelyard import __version__
from modelyard.errors import RegistryError
from modelyard.kube.authorization import RegistryAuth
from modelyard.kube.credentials import credentials_for
from modelyard.kube.oci import INDEXES, MANIFESTS, Manifest, sha256
from modelyard.kube.reference import Reference

__all__ = ["Repository", "Traffic"]

TIMEOUT = httpx.Timeout(60.0, connect=10.0)
GREETING_S = 5.0
CHUNK = 1 << 20
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))


@dataclass
class Traffic:
    """What was written to a registry.

    Attributes:
        blobs: Number of blobs that were sent.
        bytes: Of blobs and manifests that were sent.
        mounted: Number of blobs that the registry took from another of its repositories.
        present: Number of blobs that were there already.
    """

    blobs: int = 0
    bytes: int = 0
    mounted: int = 0
    present: int = 0


class Repository:
    """A repository of images in a registry; to be used in a `with` statement.

    Args:
        image: Any reference into it.
        actions: What is to be done: ``pull``, or ``pull,push``.
        sources: Other repositories of the same registry, to mount blobs from.
        insecure: Whether plain HTTP will do where the registry does not speak TLS.

    Attributes:
        host: The registry.
        name: The repository's name inside the registry.
        traffic: What was written to it so far.

    Raises:
        RegistryError: Docker's config file is damaged, or a program that it names does not work.
    """

    def __init__(
        self, image: Reference, actions: str = "pull", *, sources: Sequence[str] = (), insecure: bool = False
    ) -> None:
        self.host, self.name, self.traffic = image.host, image.name, Traffic()
        self._insecure = insecure
        self._scopes = [f"repository:{self.name}:{actions}", *(f"repository:{name}:pull" for name in sources)]
        self._credentials = credentials_for(self.host)
        headers = {"User-Agent": f"modelyard/{__version__}"}
        self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers=headers)

    def __enter__(self) -> Self:
        """Finds out how the registry is spoken to."""
        base = httpx.URL(f"https://{self.host}")
        if self._insecure and not self._speaks_tls(base):
            base = base.copy_with(scheme="http")
        self._client.base_url = base.join(f"/v2/{self.name}/")
        self._auth = RegistryAuth(base, self._credentials, self._scopes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connections."""
        self._client.close()

    def manifest(self, version: str) -> Manifest | None:
        """Returns what a tag or digest names; none where it names nothing.

        Raises:
            RegistryError: The registry does not answer, or refuses, or its answer is not what the digest names.
        """
        response = self._call("GET", f"manifests/{version}", (200, 404), headers={"Accept": ACCEPT})
        if response.status_code == 404:
            return None
        manifest = Manifest(response.headers.get("Content-Type", "").partition(";")[0], response.content)
        if version.startswith("sha256:"):
            self._compare(version, manifest.digest)
        return manifest

    def put_manifest(self, manifest: Manifest, version: str) -> None:
        """Writes a manifest under its digest or a tag; a tag that is there moves.

        Raises:
            RegistryError: The registry does not answer, or refuses.
        """
        headers = {"Content-Type": manifest.media_type}
        self._call("PUT", f"manifests/{version}", (201,), content=manifest.content, headers=headers)
        self.traffic.bytes += len(manifest.content)

    def has_blob(self, digest: str) -> bool:
        """Whether a blob is there.

        Raises:
            RegistryError: The registry does not answer, or refuses.
        """
        there = self._call("HEAD", f"blobs/{digest}", (200, 404)).status_code == 200
        self.traffic.present += there
        return there

    def read_blob(self, digest: str) -> bytes:
        """Returns a small blob.

        Raises:
            RegistryError: The registry does not answer, or refuses, or the answer is not what the digest names.
        """
        content = self._call("GET", f"blobs/{digest}", (200,)).content
        self._compare(digest, sha256(content))
        return content

    @contextmanager
    def open_blob(self, digest: str) -> Iterator[Iterator[bytes]]:
        """Gives a blob chunk by chunk; whoever keeps it has to check the digest.

        Raises:
            RegistryError: The registry does not answer, or refuses.
        """
        with self._reached(), self._client.stream("GET", f"blobs/{digest}", auth=self._auth) as response:
            if response.status_code != 200:
                response.read()
                raise self._refusal(response)
            yield response.iter_bytes(CHUNK)

    def mount(self, digest: str, source: str) -> bool:
        """Takes a blob from another repository of the registry; says whether the registry did."""
        response = self._post_upload({"mount": digest, "from": source}, (201, 202, 401, 403, 404))
        mounted = response.status_code == 201
        self.traffic.mounted += mounted
        return mounted

    def upload(self, digest: str, size: int, chunks: Iterable[bytes]) -> None:
        """Sends a blob.

        Raises:
            RegistryError: The registry does not answer, or refuses, or found another digest.
        """
        session = self._post_upload({}, (202,))
        # the address may be of another server, and has parameters of its own
        url = session.url.join(session.headers["Location"]).copy_merge_params({"digest": digest})
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        self._call("PUT", url, (201, 204), content=self._counted(chunks), headers=headers)
        self.traffic.blobs += 1

    def _post_upload(self, parameters: Mapping[str, str], expected: Sequence[int]) -> httpx.Response:
        return self._call("POST", "blobs/uploads/", expected, params=parameters, headers={"Content-Length": "0"})

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.traffic.bytes += len(chunk)
            yield chunk

    def _call(self, method: str, url: str | httpx.URL, expected: Sequence[int], **more: Any) -> httpx.Response:
        with self._reached():
            response = self._client.request(method, url, auth=self._auth, **more)
        if response.status_code not in expected:
            raise self._refusal(response)
        return response

    def _speaks_tls(self, base: httpx.URL) -> bool:
        try:
            self._client.get(base.join("/v2/"), timeout=GREETING_S)
        except httpx.TransportError:
            return False
        return True

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            hint = "check its name and the network" + ("" if self._insecure else "; without TLS it needs --insecure")
            raise RegistryError(self.host, f"it cannot be reached ({reason})", hint) from None

    def _refusal(self, response: httpx.Response) -> RegistryError:
        action = f"{'pull from' if response.request.method in ('GET', 'HEAD') else 'push to'} {self.name}"
        if response.status_code in (401, 403):
            return self._auth.denied(action)
        try:
            said = "; ".join(f"{error['code']}: {error['message']}" for error in response.json()["errors"])
        except (ValueError, KeyError, TypeError):
            said = response.reason_phrase
        what = f"cannot {action}: {response.request.method} {response.url.path} gave {response.status_code} ({said})"
        return RegistryError(self.host, what, "see the registry's log, or try again later")

    def _compare(self, wanted: str, found: str) -> None:
        if wanted != found:
            raise RegistryError(self.host, f"gives {found} for {wanted}", "its storage or a proxy is damaged")
