"""The file of a directed film: all that its clips were made from, so that it can be made once more, bit for bit."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.declare.files import of_file
from harness.declare.numbers import Seed
from harness.declare.spec import Scalar
from harness.plan.image_fit import Fit
from harness.plan.shots import OWN, Setup

SETTINGS, PROMPTS = "settings.json", "prompt.txt"  # beside the film
FORMAT: Literal[1] = 1


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DirectedClip(_Plain):
    """A clip: `own` are its settings among `harness.plan.shots.OWN`, `take` the name that it then has."""

    prompt: str
    seed: Seed
    own: dict[Literal[OWN], Scalar]  # type: ignore[valid-type]
    take: str = Field(pattern="^[0-9a-f]{64}$")


class DirectedFilm(_Plain):
    """A film; its image lies beside the file."""

    format: Literal[1] = FORMAT
    profile: str
    recipes: list[str]
    overrides: dict[str, Scalar]
    loras: list[str]
    image: str = Field(pattern=r"^[A-Za-z0-9_-]+\.[a-z]+$")
    fit: Fit
    clips: list[DirectedClip] = Field(min_length=1)

    @property
    def setup(self) -> Setup:
        return Setup(self.profile, tuple(self.recipes), self.overrides, tuple(self.loras))

    def write(self, file: Path) -> None:
        """Raises OSError."""
        write_json(file, self.model_dump(mode="json"))

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises UseError for what no desk wrote, and for a part in a Python file: a file that was received runs nothing."""
        try:
            film = cls.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UseError(f"{file} cannot be read ({error})") from error
        except ValidationError as error:
            first: Any = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise UseError(
                f"{file}: {where}: {first['msg']}; expected the {SETTINGS} of a film that `harness desk` exported"
            ) from error
        for key, value in film.overrides.items():
            if any(of_file(part.strip()) for part in str(value).split(",")):
                raise UseError(
                    f"{file}: overrides: {key}={str(value)[:200]!r} would run a Python file, which a replay never does; if you "
                    "know that file, give the setting to `harness desk` and make the film there"
                )
        return film
