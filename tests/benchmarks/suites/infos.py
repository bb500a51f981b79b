"""What is known of small films of a disc."""

from benchmarks.films.info import FilmInfo, FilmSample


def info(*names: str) -> FilmInfo:
    """Of 40 frames of 16 x 16 pixels each, in ten clips that share a frame."""
    return FilmInfo(
        track="consistent-50s",
        track_version=1,
        method="model",
        samples_hash="5a" * 32,
        fps=8,
        clip_frames=5,
        overlap=1,
        n_clips=10,
        n_frames=40,
        samples=tuple(FilmSample(name, ("a disc",), f"videos/{i}.mp4", (16, 16)) for i, name in enumerate(names)),
    )
