"""A Wan of random weights in diffusers' layout, made once a session. Nobody writes into it."""

from pathlib import Path

from tests.once import made_once


def wan(kind: str = "wan2.1-i2v") -> Path:
    """The folder of a model of that kind."""

    def make(folder: Path) -> None:
        from tests.svi.wan_folder import write_wan_folder

        write_wan_folder(folder, kind)

    return made_once(kind, make)
