"""How long a variant's films are on a track."""

from benchmarks.track import FilmLength, Track, film_length
from harness.declare.settings import Settings


def length_of(settings: Settings, track: Track) -> FilmLength:
    """Clips and frames of a film with these settings."""
    made = settings.generate
    fps = made.film_fps(settings.data)
    return film_length(track, fps, settings.data.clip_frames, settings.condition.overlap, made.length)
