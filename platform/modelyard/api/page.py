"""The page to try a model on: a few files without a secret, which are open even where keys are needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

__all__ = ["PAGE", "PAGE_PATHS", "make_page"]

PAGE = "/page/"
FILES = Path(__file__).with_name("page")
INDEX = "index.html"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # asked for again each time, so that an updated service shows at once; the tag makes that cheap
    "Cache-Control": "no-cache",
}
MAX_ROWS = b"MAX_ROWS"


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str

    async def answer(self, request: Request) -> Response:
        tag = f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'
        headers = {**HEADERS, "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def _names() -> dict[str, str]:
    """The name of each file by the path that it is served at."""
    found = sorted(file.name for file in FILES.iterdir() if file.suffix in MEDIA_TYPES)
    return {"/" if name == INDEX else f"{PAGE}{name}": name for name in found}


PAGE_PATHS = frozenset(_names())


def make_page(max_rows: int) -> APIRouter:
    """Returns the routes of the page.

    Args:
        max_rows: Most rows that the service takes in one request.
    """
    router = APIRouter(include_in_schema=False)
    for path, name in _names().items():
        content = (FILES / name).read_bytes()
        if name == INDEX:
            content = content.replace(MAX_ROWS, b"%d" % max_rows)
        file = _File(content, MEDIA_TYPES[Path(name).suffix])
        router.add_api_route(path, file.answer, methods=["GET", "HEAD"])
    return router
