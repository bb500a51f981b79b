"""An Optuna study whose trials are variants of an experiment, so equal settings are never computed twice."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.names import check_name
from harness.core.store import Store
from harness.declare.profiles import DEFAULT
from harness.declare.request import Request, variant_settings
from harness.declare.run_name import run_name
from harness.declare.settings import Settings
from harness.declare.spec import SECRET, Experiment, Scalar, Variant, check_no_clash, parse_overrides
from harness.plan.pipeline import Pipeline, build
from harness.plan.scoring import check_metric
from sweeps import halving
from sweeps.pruning import default_pruner
from sweeps.samplers import OwnSeed, rehearse
from sweeps.slots import Slots
from sweeps.storage import StudyStorage
from sweeps.sweep import Sweep

BEST = "_best"  # after a sweep's name: the report of its best trials beside the known settings
STUDY = "study.json"  # in a study's folder: whose it is
EVAL_SEED = 4048  # a sweep chooses settings, so it must not see the scenes that ablations report


@dataclass(frozen=True)
class SweepRequest:
    """What a person asked of a sweep."""

    profile: str = DEFAULT
    overrides: Sequence[str] = ()
    seed: int = 100
    sampler: str = "tpe"
    storage: str | None = None
    pruner: str | None = None  # the forecast where it speaks of the objective


class SweepStudy:
    """The study of one sweep, with one store for what its trials make: where it lies, its slots, its trials as pipelines."""

    def __init__(
        self,
        name: str,
        sweep: Sweep,
        asked: SweepRequest,
        store: Path,
        proposals: Sequence[Mapping[str, Scalar]] = (),
    ) -> None:
        """`proposals` are settings to try after the known ones, before the sampler draws.

        Raises UseError for whatever cannot work, before a study is made.
        """
        _quiet()
        self.name, self.sweep, self.asked = check_name("a sweep", name), sweep, asked
        check_name("the report of a sweep's best trials", f"{self.experiment}{BEST}")
        self.overrides = {"eval.seed": EVAL_SEED, **parse_overrides(asked.overrides)}
        self.pruner = asked.pruner or default_pruner(sweep)
        self._check()
        self.store = Store(store)
        # Its inputs are there, and its stages are like those of all trials.
        self.first = self.pipeline({trial_name(0): sweep.known[0] if sweep.known else self._corner()})
        self._check_pruner(self.first)
        rehearse(asked.sampler, sweep)
        self.storage = StudyStorage(asked.storage, self.store.root)
        self.optuna, self.made_here = self._open()
        self._distinct = self._claim()
        self.slots = Slots(self.optuna, self._space, sweep.known, proposals)

    @property
    def study_name(self) -> str:
        """Trials that were not made the same way are not of one study: it names profile, seed, overrides and declaration."""
        sweep = self.sweep
        parts = repr((sweep.space, sweep.track, sweep.objectives, sweep.known))
        declared = hashlib.sha256(parts.encode()).hexdigest()
        made_by = {key: value for key, value in self.overrides.items() if not key.startswith("slurm.")}
        overrides = [f"{key}={value}" for key, value in sorted(made_by.items())]
        return " ".join(
            [self.name, self.asked.profile, f"seed{self.asked.seed}", *overrides, f"declared {declared[:8]}"]
        )

    @property
    def experiment(self) -> str:
        """What the trials are as an experiment; several studies of the sweep have it in common."""
        return f"sweep_{self.name}"

    def title(self, before: str = "", after: str = "") -> str:
        """What is made of this study alone is called: as the sweep, or like a run by what its command overrides."""
        return self._title(f"{before}{self.name}{after}{self._distinct}")

    @property
    def folder(self) -> Path:
        """Where the study's tables and figures are."""
        return self.store.root / "sweeps" / self.title()

    def pipeline(
        self, variants: Mapping[str, Mapping[str, Any]], reference: str | None = None, after: str | None = None
    ) -> Pipeline:
        """Trials as variants of one experiment; the first is its baseline. With `after`, as a run that has a name of its own."""
        experiment = Experiment(
            name=self.experiment + (after or ""),
            question=self.sweep.question,
            variants=tuple(Variant(name, dict(settings)) for name, settings in variants.items()),
            baseline=next(iter(variants)),
            tracks=(self.sweep.track,),
            seeds=(self.asked.seed,),
            compare_to=None,
            settings={key: value for key, value in self.overrides.items() if key != SECRET},
        )
        request = Request(
            experiment,
            reference or self.experiment,
            self.asked.profile,
            overrides={key: value for key, value in self.overrides.items() if key == SECRET},
            only=",".join(variants) if reference else None,  # the file that it names declares other trials too
            called=None if after is None else self.title("sweep_", after),
        )
        return build(request, self.store.fingerprints)

    def rungs(self, number: int, params: Mapping[str, Scalar]) -> list[Pipeline]:
        """The shorter trainings that a trial is judged by before its own; none unless it is asked for."""
        if self.pruner != "halving":
            return []
        steps = halving.shorter(self.settings(params).train.steps)
        return [self.pipeline({trial_name(number): {**params, "train.steps": fewer}}) for fewer in steps]

    def _title(self, name: str) -> str:
        variant = Variant("searched")
        experiment = Experiment(
            name=name,
            question=self.sweep.question,
            variants=(variant,),
            baseline=variant.name,
            tracks=(self.sweep.track,),
            seeds=(self.asked.seed,),
        )
        request = Request(experiment, name, self.asked.profile, overrides=parse_overrides(self.asked.overrides))
        return run_name(request, experiment.tracks, (SweepRequest.seed,))

    def _claim(self) -> str:
        """What tells its names from those of another study, of another declaration perhaps, that has them in this store."""
        (self.store.root / "sweeps").mkdir(exist_ok=True)
        digest = hashlib.sha256(self.study_name.encode()).hexdigest()[:8]
        with FileLock(self.store.root / "sweeps" / ".lock"):
            for distinct in ("", f"-{digest}"):
                file = self.store.root / "sweeps" / self._title(self.name + distinct) / STUDY
                if not file.exists():
                    file.parent.mkdir(exist_ok=True)
                    write_json(file, {"study": self.study_name})
                if json.loads(file.read_text(encoding="utf-8"))["study"] == self.study_name:
                    break
        return distinct

    def _open(self) -> tuple[optuna.Study, bool]:
        """The study, and whether this worker has made it."""
        sampler = OwnSeed(self.asked.sampler, self.asked.seed)
        directions = [objective.direction for objective in self.sweep.objectives]
        lies = {
            "storage": self.storage.optuna,
            "study_name": self.study_name,
            "sampler": sampler,
            "pruner": halving.pruner(),  # asked by trials that are halved alone
        }
        try:
            return optuna.create_study(**lies, directions=directions), True
        except DuplicatedStudyError:
            return optuna.load_study(**lies), False

    @cached_property
    def _space(self) -> dict[str, Any]:
        return {key: dimension.distribution for key, dimension in self.sweep.space.items()}

    def _corner(self) -> dict[str, Scalar]:
        return {key: next(dimension.corners()) for key, dimension in self.sweep.space.items()}

    def settings(self, chosen: Mapping[str, Scalar] | None = None) -> Settings:
        """Those of a trial that chose these values; none given: the first value of every dimension."""
        variant = Variant("searched", dict(self._corner() if chosen is None else chosen))
        experiment = Experiment(
            name=self.name,
            question=self.sweep.question,
            variants=(variant,),
            baseline="searched",
            tracks=(self.sweep.track,),
        )
        request = Request(experiment, self.name, self.asked.profile, overrides=self.overrides)
        return variant_settings(request, variant, self.asked.seed).settings

    def _check(self) -> None:
        """The settings take every end and choice of the space, and the films will have the metrics."""
        check_no_clash(self.overrides, [Variant("searched", dict.fromkeys(self.sweep.space))])
        for key, dimension in self.sweep.space.items():
            for value in dimension.corners():
                self.settings({**self._corner(), key: value})
        for objective in self.sweep.objectives:
            objective.check_direction(check_metric(objective.metric, self.settings()))

    def _check_pruner(self, first: Pipeline) -> None:
        if self.pruner != "halving":
            return
        why = halving.why_not(self.settings(), len(self.sweep.objectives))
        if why is None and self.sweep.track not in first.children[0].forecast:
            why = "these films have no forecast to be judged by"
        if why is not None:
            raise UseError(f"--pruner halving: {why}; choose --pruner none")


def _quiet() -> None:
    """Keep Optuna from telling people what they cannot change."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    # It expects optimize() to beat; sweeps.storage does.
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")


def trial_name(number: int) -> str:
    """What a trial is called as a variant."""
    return f"trial-{number:03d}"
