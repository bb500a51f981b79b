"""A model behind an OpenAI-compatible address: chat completions with an image, and image generations."""

import base64
import binascii
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.prompts.client import Client
from benchmarks.prompts.engine import Message, Reply, excerpt
from benchmarks.prompts.picture import Picture

_CHAT, _IMAGES = "/chat/completions", "/images/generations"
IMAGE_TEMPLATE = "image 1"  # rises whenever the words of the request for an image change
# OpenAI's GPT image models always answer in base64 and refuse the field that asks for it.
_ALWAYS_BASE64 = "gpt-image"


@dataclass(frozen=True)
class EndpointEngine:
    """Chat completions of `model`. A temperature or seed of None is not sent: the endpoint's own hold, and some refuse them."""

    client: Client
    model: str
    temperature: float | None = None
    seed: int | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "engine": "endpoint",
            "name": f"{self.model} at {_base(self.client)}",
            "endpoint": _base(self.client),
            "model": self.model,
            "temperature": self.temperature,
            "seed": self.seed,
        }

    def reply(self, messages: Sequence[Message], image: Picture, attempt: int) -> Reply:
        body: dict[str, Any] = {"model": self.model, "messages": _turns(messages, image)}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.seed is not None:
            body["seed"] = self.seed + attempt
        answer = self.client.post(_path(self.client, _CHAT), body)
        try:
            choice = answer["choices"][0]
            text = _text(choice["message"])
        except (KeyError, IndexError, TypeError):
            raise ValueError(
                f"endpoint {self.client.shown}: received {excerpt(str(answer))}, expected a chat completion "
                '({"choices": [{"message": {"content": "..."}}]})'
            ) from None
        details = {name: answer[name] for name in ("model", "system_fingerprint") if isinstance(answer.get(name), str)}
        return Reply(text, choice.get("finish_reason") != "length", details)


@dataclass(frozen=True)
class EndpointPainter:
    """Image generations; `model` and `size` ("1536x1024") of None are not sent: the endpoint's own hold."""

    client: Client
    model: str | None = None
    size: str | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "image endpoint",
            "endpoint": _base(self.client),
            "model": self.model,
            "size": self.size,
            "template": IMAGE_TEMPLATE,
        }

    def paint(self, keyword: str) -> bytes:
        """The file of an image of `keyword`.

        Raises:
            ValueError: as `Client.post`, or the answer holds no image in base64 (addresses of images are not followed).
        """
        words = " ".join(keyword.split())
        body: dict[str, Any] = {
            "prompt": f"{words}. One still frame of a film, in wide format, without text or borders.",
            "n": 1,
        }
        body |= {name: value for name, value in (("model", self.model), ("size", self.size)) if value is not None}
        if not (self.model or "").startswith(_ALWAYS_BASE64):
            body["response_format"] = "b64_json"
        answer = self.client.post(_path(self.client, _IMAGES), body)
        try:
            return base64.b64decode(answer["data"][0]["b64_json"], validate=True)
        except (KeyError, IndexError, TypeError, ValueError, binascii.Error):
            raise ValueError(
                f"endpoint {self.client.shown}: received {excerpt(str(answer))}, expected an image in base64 "
                '({"data": [{"b64_json": "..."}]}); take an endpoint that can answer so, or give the image as a file'
            ) from None


def _base(client: Client) -> str:
    return client.shown.removesuffix(_CHAT).removesuffix(_IMAGES)


def _path(client: Client, path: str) -> str:
    """`path`, unless the address that was given ends with it."""
    return "" if client.shown.endswith(path) else path


def _turns(messages: Sequence[Message], image: Picture) -> list[dict[str, Any]]:
    """The conversation in OpenAI's form, the image as a data URL before the first turn's words."""
    encoded = io.BytesIO()
    image.view().save(encoded, "JPEG", quality=90)
    url = f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"
    turns: list[dict[str, Any]] = [{"role": message.role, "content": message.text} for message in messages]
    turns[0]["content"] = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": messages[0].text},
    ]
    return turns


def _text(message: dict[str, Any]) -> str:
    """The words of a message: one string, or parts; a refusal is words too."""
    content = message["content"]
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") == "text")
    text = content or message.get("refusal") or ""
    if not isinstance(text, str):
        raise TypeError
    return text
