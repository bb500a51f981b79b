"""Tracks as they are asked for: built in, of an installed package, or a value of a file of one's own."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.track import TRACKS, Track
from harness.core.errors import UseError
from harness.core.names import check_name
from harness.declare.doors import DOORS
from harness.declare.files import of_file

KEY = "track"  # of a stage's settings


@dataclass(frozen=True)
class OwnTrack:
    """A track of a file. `reference`: what a command line calls it: FILE.py:NAME, or its name where its experiment gives it."""

    reference: str
    track: Track


def track_of(reference: str) -> Track:
    """The track of that name, or of "path/to/file.py:NAME". Raises UseError."""
    if reference in TRACKS:
        return TRACKS[reference]
    found = DOORS[KEY].find(reference, TRACKS, KEY)
    if not of_file(reference) and found.value.name != found.name:
        raise UseError(
            f"{found.target}, of {found.package}, is listed as {found.name} and calls itself {found.value.name}"
        )
    return own_track(found.value, reference).track


def own_track(track: Track, reference: str) -> OwnTrack:
    """A track that is not built in. Raises UseError for a name that no file can have, or a built-in track has."""
    check_name("a track", track.name)
    if track.name in TRACKS:
        raise UseError(f"{reference}: a built-in track is called {track.name!r}; give this one another name")
    return OwnTrack(reference, track)


def by_name(given: Iterable[str | Track], own: Mapping[str, OwnTrack]) -> tuple[tuple[str, ...], dict[str, OwnTrack]]:
    """The names of tracks that are given by name, as FILE.py:NAME or as values; and those that are not built in, with what `own`
    had of them. Raises UseError."""
    names, found = list[str](), dict(own)
    for one in given:
        if isinstance(one, Track):
            kept = None if TRACKS.get(one.name) == one else own_track(one, one.name)
        else:
            kept = OwnTrack(one, track_of(one)) if of_file(one) else None
        names.append(kept.track.name if kept else one.name if isinstance(one, Track) else one)
        found |= {kept.track.name: kept} if kept else {}
    return tuple(names), found


def identity_of(track: Track) -> dict[str, Any]:
    """What a signature holds of it: of one that is built in its name and version, of another one all that it says."""
    told = {KEY: track.name, f"{KEY}.version": track.version}
    if TRACKS.get(track.name) == track:
        return told
    return told | {f"{KEY}.{name}": value for name, value in asdict(track).items() if name not in ("name", "about")}


def track_in(settings: Mapping[str, Any]) -> Track:
    """The track of a stage, from `identity_of` it."""
    name = settings[KEY]
    fields = {key.partition(".")[2]: value for key, value in settings.items() if key.startswith(f"{KEY}.")}
    return Track(name=name, about="", **fields) if "kind" in fields else TRACKS[name]
