"""The desk's server: on this machine only, for who has the token; what a browser is shown comes from here alone."""

import hmac
import os
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from PIL import Image

from harness.core.errors import UseError
from harness.desk.desk import Desk
from harness.desk.playing import answer
from harness.desk.record import Recorder

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")  # whom a browser may take this server for
SMALL = 160  # pixels of the longer side of a picture in the tree
# Gradio reads these when it is imported: it tells nobody that it runs.
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_TEMP_DIR": ""}
# Scripts of the page itself alone, which Gradio writes into it; nothing from elsewhere, and nobody may frame it.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' "
    "blob:; frame-ancestors 'none'; form-action 'self'; base-uri 'self'; object-src 'none'"
)


def application(desk: Desk, port: int, token: str, recorder: Recorder) -> FastAPI:
    """The page, and the films and pictures that it shows, behind the token; its films are recorded."""
    for name, value in QUIET.items():
        os.environ[name] = value or str(desk.shelf.root / ".uploads")
    import gradio

    from harness.desk.page import CSS, HEAD, page, theme

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/watch/{film}/{head}.mp4", _films(desk))
    app.add_api_route("/picture/{take}.png", lambda take: _picture(desk, take))
    app.middleware("http")(_guard(port, token))
    mounted: FastAPI = gradio.mount_gradio_app(
        app, page(desk, recorder), path="/", theme=theme(), css=CSS, head=HEAD, footer_links=[], ssr_mode=False, show_error=False,
        max_file_size="50mb", enable_monitoring=False, pwa=False, mcp_server=False,
    )  # fmt: skip
    return mounted


def new_token() -> str:
    return secrets.token_urlsafe(24)


def _guard(port: int, token: str) -> Callable[[Any, Callable[[Any], Awaitable[Response]]], Awaitable[Response]]:
    """Lets pass who has the token: in the address once, then in a cookie of this port, whose value is no token.

    Cookies know no port: another server of this machine is sent ours too, and is the same site. So no page of it may ask here.
    """
    cookie, hosts, let_in = f"harness-desk-{port}", {f"{name}:{port}" for name in NAMES}, new_token()

    async def guard(request: Any, go_on: Callable[[Any], Awaitable[Response]]) -> Response:
        if request.headers.get("host", "") not in hosts:  # a name of elsewhere that leads here
            return PlainTextResponse("this desk is at 127.0.0.1 alone", 403)
        if request.headers.get("origin", "") not in {"", *(f"http://{host}" for host in hosts)}:
            return PlainTextResponse("only the page of this desk may ask it", 403)
        given = parse_qs(request.url.query).get("token", [""])[0]
        if given and _same(given, token):
            answer: Response = RedirectResponse("/", 303)
            answer.set_cookie(cookie, let_in, httponly=True, samesite="lax")  # not strict: a browser comes from a file
        elif _same(request.cookies.get(cookie, ""), let_in):
            answer = await go_on(request)
        else:
            return PlainTextResponse("open the address that `harness desk` printed: it has the token", 403)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    return guard


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _films(desk: Desk) -> Callable[[Request, str, str], Response]:
    def film(request: Request, film: str, head: str) -> Response:
        """Of the takes up to the one whose name begins so."""
        try:
            making = desk.shelf.read(film)
            end = next((take.name for take in making.takes if take.name[:32] == head), head)
            return answer(desk.watched(film, making, end), request.headers.get("range", ""))
        except UseError as error:
            raise HTTPException(404) from error

    return film


def _picture(desk: Desk, take: str) -> FileResponse:
    """The last frame of a take; drawn once."""
    if not re.fullmatch("[0-9a-f]{64}", take) or take not in desk.takes:
        raise HTTPException(404)
    file: Path = desk.shelf.root / ".pictures" / f"{take[:32]}.png"
    if not file.is_file():
        from harness.core.atomic import replacing

        image = Image.fromarray(np.asarray(desk.takes.frames(take)[-1]))
        image.thumbnail((SMALL, SMALL))
        file.parent.mkdir(exist_ok=True)
        with replacing(file) as fresh:
            image.save(fresh, "PNG")
    return FileResponse(file, media_type="image/png")
