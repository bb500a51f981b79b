"""Optuna's samplers by name, each worker's with a seed of its own."""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from harness.core.errors import UseError
from harness.core.registry import suggestion
from sweeps.sweep import Sweep

REHEARSED = 4  # trials: enough for every sampler to leave its first random draws, or to say why it cannot


def sampler_class(name: str) -> type[BaseSampler]:
    """The class that "tpe", "TPE" or "TPESampler" names, of those that need no more than a seed. Raises UseError."""
    usable = {
        word.removesuffix("Sampler").lower(): found
        for word, found in vars(optuna.samplers).items()
        if inspect.isclass(found)
        and word.endswith("Sampler")
        and not inspect.isabstract(found)
        and _needs_nothing(found)
    }
    short = name.lower().removesuffix("sampler").replace("-", "")
    if short not in usable:
        raise UseError(f"unknown sampler {name!r}: {suggestion(short, sorted(usable))}")
    return usable[short]


def _needs_nothing(sampler: type[BaseSampler]) -> bool:
    parameters = inspect.signature(sampler).parameters
    return "seed" in parameters and all(p.default is not p.empty for p in parameters.values())


def rehearse(name: str, sweep: Sweep) -> None:
    """Draw from the sampler for a study in memory. Raises UseError where it lacks a package, or cannot search such a space."""
    # Pending trials without numbers, as a real study has them; a sampler that takes many first draws is asked for few here.
    study = optuna.create_study(
        directions=[objective.direction for objective in sweep.objectives], sampler=OwnSeed(name, seed=0)
    )
    try:
        for number in range(REHEARSED):
            trial = study.ask({key: dimension.distribution for key, dimension in sweep.space.items()})
            study.tell(trial, [float(number)] * len(sweep.objectives))
    except ImportError as error:
        raise UseError(f"sampler {name} needs a package: pip install {error.name or error}") from error
    except ValueError as error:
        raise UseError(f"sampler {name} cannot search this space: {error}") from error


class OwnSeed(BaseSampler):  # type: ignore[misc]
    """A sampler seeded with the study's seed plus the number of the worker's first trial.

    No two workers begin with the same trial, so none repeats another's draws; nor does one that goes on with a study later.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._make, self._seed = sampler_class(name), seed
        self._inner: BaseSampler | None = None

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        if self._inner is None:
            self._inner = self._make(seed=self._seed + trial.number)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return dict(self._begun.infer_relative_search_space(study, trial))

    def sample_relative(self, study: Study, trial: FrozenTrial, space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return dict(self._begun.sample_relative(study, trial, space))

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        return self._begun.sample_independent(study, trial, name, distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        if self._inner is not None:  # else it is a dead worker's trial, ended before this one has any
            # Brute force stops optimize(), which nobody has called, when it has tried everything.
            with suppress(RuntimeError):
                self._inner.after_trial(study, trial, state, values)

    @property
    def _begun(self) -> BaseSampler:
        assert self._inner is not None  # before_trial comes first
        return self._inner


def drawn(sweep: Sweep, count: int, seed: int) -> list[Mapping[str, Any]]:
    """Settings that a seeded random sampler draws one after another."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    space = {key: dimension.distribution for key, dimension in sweep.space.items()}
    return [study.ask(space).params for _ in range(count)]
