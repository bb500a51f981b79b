"""A request: an experiment at a scale, and the layers that its settings are resolved from."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.core.credentials import repeated
from harness.core.errors import UseError
from harness.declare.parts import chosen
from harness.declare.profiles import PROFILES
from harness.declare.recipes import RECIPES
from harness.declare.settings import Settings
from harness.declare.spec import SECRET, Experiment, Resolved, Variant, resolve, typed

Layer = tuple[str, Mapping[str, object]]  # where settings come from, and what it sets
TYPED = "command line"
FIRST_LOOK = 2  # seeds, with which trainings can be seen to differ
FILMS = "generate.samples"
MADE = "model"  # how films are made (generate.method), unless by a trivial method


@dataclass(frozen=True)
class Request:
    """What a person asked for. `reference` is the experiment as typed: a name, or file.py:name; `called`: the run's name.

    `at_most_seeds`: of a run that adds seeds until every row is decided; None for one that has those of its experiment.
    `first_look`: how many such a run begins with. `films`: how many films a track and variant such a run has, from those of its
    settings on, each more than the one before; none where it adds no films. `film_look`: which of these this look has.
    """

    experiment: Experiment
    reference: str
    profile: str
    recipes: tuple[str, ...] = ()
    overrides: Mapping[str, object] = field(default_factory=dict)
    only: str | None = None
    called: str | None = None
    at_most_seeds: int | None = None
    first_look: int = FIRST_LOOK
    films: tuple[int, ...] = ()
    film_look: int = 0

    @property
    def looks(self) -> int:
        """How many times the run looks at most whether all is decided: at `first_look` seeds, and at each more, of seeds or of
        films."""
        return self.at_most_seeds - self.first_look + max(len(self.films), 1) if self.at_most_seeds else 1

    @property
    def name(self) -> str:
        """What the run is called: as the experiment, where nobody has said otherwise."""
        return self.called or self.experiment.name

    @property
    def command(self) -> str:
        """The command that makes the same results again, and what it leaves out."""
        words = ["harness", "run", self.reference, "--profile", self.profile]
        words += [word for name in self.recipes for word in ("--recipe", name)]
        words += ["--only", self.only] if self.only else []
        words += ["--name", self.name] if self.name != self.experiment.name else []
        # Who adds seeds says with how many it began: the looks, and so each one's share of 5 %, are counted from there.
        seeds = self.experiment.seeds[: self.first_look] if self.at_most_seeds else self.experiment.seeds
        words += ["--seeds", ",".join(map(str, seeds)) + ","]
        words += ["--until", "decided", "--at-most-seeds", str(self.at_most_seeds)] if self.at_most_seeds else []
        words += ["--at-most-films", str(self.films[-1])] if self.films else []
        words += ["tracks=" + ",".join(self._track_words)]
        words += typed(self.overrides)
        return repeated(shlex.join(words), self.overrides.get(SECRET))

    @property
    def _track_words(self) -> list[str]:
        own = self.experiment.own_tracks
        return [own[name].reference if name in own else name for name in self.experiment.tracks]


def variant_settings(request: Request, variant: Variant, seed: int) -> Resolved[Settings]:
    """Settings of one variant and seed: profile < recipe < experiment < command line < variant."""
    experiment = request.experiment
    declared = (f"experiment {experiment.name}", experiment.settings)
    layers = layers_of(request.profile, request.recipes, request.overrides, declared)
    if request.film_look:  # the first look has those of its settings
        layers.append((f"look of {request.films[request.film_look]} films", {FILMS: request.films[request.film_look]}))
    layers += [
        ("seed", {"train.seed": seed, "generate.seed": seed}),
        (f"variant {variant.name}", _one_length(variant.set)),
    ]
    method = next((values["generate.method"] for _, values in reversed(layers) if "generate.method" in values), MADE)
    if method != MADE:
        layers.append((f"generate.method={method}", {"train.enabled": False}))
    return resolved(layers)


def resolved(layers: Sequence[Layer]) -> Resolved[Settings]:
    """The settings of these layers, with those that the method's memory stands for.

    They give way to nothing but must not be contradicted by who chose the memory, or spoke after that. Raises UseError.
    """
    at = next((at for at, (_, values) in reversed(list(enumerate(layers))) if "method.memory" in values), None)
    if at is None:
        return resolve(Settings, layers)
    memory = str(layers[at][1]["method.memory"])
    meant = chosen("memory", memory).part.sets
    for layer, values in (*layers[at:], *(one for one in layers[:at] if one[0] == TYPED)):
        for key in meant.keys() & values.keys():
            if values[key] != meant[key]:
                raise UseError(
                    f"{key}={values[key]} ({layer}) contradicts method.memory={memory}, which stands for {key}={meant[key]}; "
                    "leave one of them out"
                )
    return resolve(Settings, [*layers, (f"method.memory={memory}", meant)])


def layers_of(
    profile_name: str, recipes: Sequence[str], overrides: Mapping[str, object], *declared: Layer
) -> list[Layer]:
    """What settings are resolved from, without seed and variant: profile < recipe < what is `declared` < command line."""
    profile = PROFILES.get(profile_name)
    given = [*declared, (TYPED, overrides)]
    layers: list[Layer] = [(f"profile {profile_name}", profile.values)]
    if {key: value for _, values in given for key, value in values.items()}.get("data.path") is not None:
        layers.append((f"profile {profile_name}, real videos", profile.real_videos))
    layers += [(f"recipe {name}", RECIPES.get(name).values) for name in (profile.recipe, *recipes)]
    return [*layers, *((name, _one_length(values)) for name, values in given)]


def _one_length(values: Mapping[str, object]) -> Mapping[str, object]:
    """Who sets a number of steps means it, also where a recipe below counts in epochs."""
    return {**values, "train.epochs": None} if "train.steps" in values and "train.epochs" not in values else values
