"""URIs with a user name and a password in them: these are held in memory, and are never told."""

import re
from urllib.parse import quote, unquote

LEFT_OUT = (
    "credentials are left out: give them again in tracking.uri, or set MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD"
)
_QUERY = re.compile(r"(?i)[?&][^?&=]*(?:pass|pwd|token|secret|odbc_connect)[^?&=]*=([^&]*)")
_live: dict[str, str] = {}  # a URI as it is shown -> as it was given


def shown(uri: str) -> str:
    """The URI as it may be told: without user name, password, and parameters that are called like one.

    Of a malformed one all before its last "@" goes, for a password may hold any character.
    """
    scheme, _, place = _parts(uri)
    place = _QUERY.sub("", place)
    if "?" not in place:  # the first of several parameters was one of them
        place = place.replace("&", "?", 1)
    return scheme + place


def hidden(text: str, uri: str) -> str:
    """A text that another program wrote of the URI, such as an error, without what `shown` leaves out."""
    _, credentials, place = _parts(uri)
    user, colon, password = credentials.partition(":")
    text = text.replace(uri, shown(uri))
    for secret in (password if colon else user, *_QUERY.findall(place)):
        for form in {secret, unquote(secret), quote(unquote(secret), safe="")} - {""}:
            text = text.replace(form, "***")
    return text


def conceal(uri: str) -> str:
    """The URI as it may be told; this process alone remembers the rest, which `live` gives back."""
    _live[shown(uri)] = uri
    return shown(uri)


def live(uri: str) -> str:
    """The URI as it was given."""
    return _live.get(uri, uri)


def repeated(command: str, uri: object) -> str:
    """A command that may be told, and below it what a person must add to repeat it, where `uri` was concealed."""
    return command if not isinstance(uri, str) or live(uri) == uri else f"{command}\n# {LEFT_OUT}"


def _parts(uri: str) -> tuple[str, str, str]:
    """Scheme with its "://", credentials without their "@", and the rest; a path has no credentials."""
    scheme, mark, rest = uri.partition("://") if "://" in uri else ("", "", uri)
    parameters = _QUERY.search(rest)
    end = parameters.start() if parameters else len(rest)
    at = -1 if rest.startswith("/") else rest.rfind("@", 0, end)
    return scheme + mark, rest[: max(at, 0)], rest[at + 1 :]
