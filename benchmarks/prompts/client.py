"""JSON over HTTP to an OpenAI-compatible service, with the standard library alone.

The key comes from an environment variable and goes nowhere but into the request's header: redirects, which would carry
it elsewhere, are refused, and it is taken out of every text that comes back.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn
from urllib.parse import SplitResult, urlsplit

DEFAULT_KEY = "OPENAI_API_KEY"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MAX_BYTES = 64 << 20
_MAX_WAIT = 60.0  # seconds, whatever the service asks for
_SHORTEST_SECRET = 8  # characters; "EMPTY" and "none" are no secrets, and replies may hold them
_SHOWN = 300


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None  # the redirect is then an HTTPError like any other


class _Again(Exception):
    """A failure that may pass; `after`: seconds that the service asks to wait."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Client:
    """A service at `url`, such as http://127.0.0.1:8000/v1.

    `key_env` names the environment variable with the key; None: OPENAI_API_KEY if it is set, but not in clear text over
    http to another machine. `timeout`: seconds for a whole answer. HTTP 429, 5xx and broken connections are tried `tries`
    times in all, after `wait` seconds, twice as many each time, or as many as the service asks for (at most 60).

    Raises:
        ValueError: no http address, a name or password in it, or the named variable holds no key.
    """

    url: str
    key_env: str | None = None
    timeout: float = 300.0
    tries: int = 4
    wait: float = 1.0

    def __post_init__(self) -> None:
        parts = self._parts()
        if parts.username is not None or parts.password is not None:
            raise ValueError(
                f"endpoint: received {self.shown} with a name or password in it, expected the key in an environment variable"
            )
        self._key()

    @property
    def shown(self) -> str:
        """The address for messages and provenance: without a name, a password or a query, which may be secret."""
        parts = self._parts()
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON object that the service answers at `path` below its address.

        Raises:
            ValueError: it cannot be reached, refuses, does not answer in time, or answers something else.
        """
        wait = self.wait
        for left in reversed(range(self.tries)):
            try:
                return self._once(path, json.dumps(body).encode())
            except _Again as fault:
                if not left:
                    raise ValueError(
                        f"endpoint {self.shown}: {fault}, {self.tries} times; try again later, the same command asks again"
                    ) from None
                time.sleep(min(wait if fault.after is None else fault.after, _MAX_WAIT))
                wait *= 2
        raise ValueError(f"endpoint tries: received {self.tries}, expected at least 1")

    def _once(self, path: str, data: bytes) -> dict[str, Any]:
        opener = urllib.request.build_opener(_NoRedirect)
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "svi-harness"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        base, mark, query = self.url.partition("?")
        request = urllib.request.Request(f"{base.rstrip('/')}{path}{mark}{query}", data, headers)
        deadline = time.monotonic() + self.timeout
        try:
            with opener.open(request, timeout=self.timeout) as response:
                return self._json(self._body(response, deadline))
        except urllib.error.HTTPError as error:
            with error:
                self._refuse(error, deadline)
        except TimeoutError:
            raise self._late() from None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise self._late() from None
            said = self._clean(str(reason) or type(reason).__name__)
            dropped = (
                ConnectionResetError,
                BrokenPipeError,
                http.client.IncompleteRead,
            )  # a server that stopped half way
            if isinstance(reason, dropped):
                raise _Again(f"the connection broke ({said})") from None
            raise ValueError(
                f"endpoint {self.shown}: it cannot be reached ({said}), expected an OpenAI-compatible service there, "
                "at an address such as http://127.0.0.1:8000/v1"
            ) from None

    def _refuse(self, error: urllib.error.HTTPError, deadline: float) -> NoReturn:
        """Raises what an answer with another status than 200 comes to."""
        try:
            text = self._clean(_message(self._body(error, deadline)))
        except (OSError, ValueError, http.client.HTTPException):
            text = "no readable answer"
        said = f"received HTTP {error.code} ({text})"
        if error.code == 429 or error.code >= 500:
            raise _Again(said, _retry_after(error.headers.get("Retry-After")))
        raise ValueError(f"endpoint {self.shown}: {said}; {self._advice(error.code)}")

    def _advice(self, code: int) -> str:
        if code in (401, 403):
            sent = f"the key in {self.key_env or DEFAULT_KEY} was sent" if self._key() else "no key was sent"
            return f"{sent}: name the environment variable that holds a key for this service"
        if code in (404, 405):
            return "expected the service's base address, such as http://127.0.0.1:8000/v1, and a model that it serves"
        if 300 <= code < 400:
            return "redirects are not followed, as they would carry the key along: give the final address"
        return "expected 200: put right what it names"

    def _body(self, response: Any, deadline: float) -> bytes:
        """All bytes. Raises TimeoutError where they trickle in beyond the deadline, ValueError where they are too many."""
        body = bytearray()
        while part := response.read1(1 << 16):
            body += part
            if time.monotonic() > deadline:
                raise TimeoutError
            if len(body) > _MAX_BYTES:
                raise ValueError(f"endpoint {self.shown}: received more than {_MAX_BYTES >> 20} MB, expected a reply")
        if response.length:  # still to come, says the header; read1 does not tell
            raise http.client.IncompleteRead(bytes(body), response.length)
        return bytes(body)

    def _json(self, body: bytes) -> dict[str, Any]:
        text = self._hide(body.decode(errors="replace"))
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ValueError(
                f"endpoint {self.shown}: received {self._clean(text) or 'nothing'!r}, expected a JSON object; "
                "is this the address of an OpenAI-compatible service, such as http://127.0.0.1:8000/v1?"
            )
        return found

    def _parts(self) -> SplitResult:
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and not parts.fragment
        except ValueError:
            good = False
        if not good or not self.url.isascii() or any(letter <= " " for letter in self.url):
            raise ValueError("endpoint: received no http address, expected one such as http://127.0.0.1:8000/v1")
        return parts

    def _key(self) -> str | None:
        name = self.key_env or DEFAULT_KEY
        key = os.environ.get(name, "").strip()
        if self.key_env is None and self._parts().scheme == "http" and self._parts().hostname not in _LOOPBACK:
            return None
        if self.key_env is not None and not key:
            # Not repeated here: it may be the key itself, given by mistake.
            raise ValueError(
                f"key: received a name of {len(self.key_env)} letters of which no environment variable is set, expected the "
                f"name of the one that holds the endpoint's key, such as {DEFAULT_KEY}"
            )
        if not (key.isascii() and key.isprintable()):
            raise ValueError(f"key: the environment variable {name} holds characters that no key has; set it again")
        return key or None

    def _late(self) -> ValueError:
        return ValueError(
            f"endpoint {self.shown}: received no whole answer in {self.timeout:g} s; allow more time, or ask for less"
        )

    def _hide(self, text: str) -> str:
        key = self._key()
        return text.replace(key, "[key]") if key and len(key) >= _SHORTEST_SECRET else text

    def _clean(self, text: str) -> str:
        """Text from elsewhere for a message: one line of printable characters, without the key."""
        line = " ".join(self._hide(text).split())
        return "".join(letter if letter.isprintable() else "?" for letter in line[:_SHOWN])


def _message(body: bytes) -> str:
    """What an answer says of an error: OpenAI's {"error": {"message": ...}}, else all of it."""
    text = body.decode(errors="replace")
    try:
        error = json.loads(text)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def _retry_after(header: str | None) -> float | None:
    """Seconds; the header holds them, or a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
