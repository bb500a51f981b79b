"""What a measured card means for an experiment: clips trained on and calls of the denoiser, in hours and in money."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.card_report import CardReport, Work
from harness.core.signature import canonical, flat
from harness.declare.request import MADE, Request, variant_settings
from harness.declare.settings import Settings
from harness.declare.spec import load_experiment
from harness.experiments import EXPERIMENTS
from harness.plan.counts import film_work, train_work
from harness.plan.kinds import GENERATE, TRAIN, Kind
from harness.plan.length import length_of
from harness.plan.method import method_of
from svi.backbones.catalogue import MODELS

ASSUMED = 1000  # training clips, where a recipe counts in epochs and nobody has said how many there are


@dataclass(frozen=True)
class Amount:
    """Of a whole experiment, each training and each film once, in one card's work: clips through a training step, denoiser calls,
    clips decoded and encoded. `epochs`: whether the training clips were asked for."""

    trainings: int
    films: int
    work: Counter[Work]
    epochs: bool


def amount(name: str, profile: str, clips: int = ASSUMED) -> Amount:
    """Of an experiment at a profile, with so many training clips; no weights are needed. Raises UseError for an unknown name."""
    experiment = load_experiment(name, EXPERIMENTS)
    request = Request(experiment, name, profile)
    pairs = ((variant, seed) for variant in experiment.variants for seed in experiment.seeds)
    settings = [variant_settings(request, variant, seed).settings for variant, seed in pairs]
    experts = len(MODELS[profile].geometry.experts)  # each is trained on its own
    methods = [method_of(one, experts) for one in settings]
    trainings = [_key(one, *method.training(TRAIN)) for one, method in zip(settings, methods, strict=True)]
    films_of = [_key(one, *method.films(GENERATE)) for one, method in zip(settings, methods, strict=True)]
    trained = {key: one for key, one in zip(trainings, settings, strict=True) if one.train.enabled}
    filmed = {
        (key, training if one.train.enabled else ""): one
        for key, training, one in zip(films_of, trainings, settings, strict=True)
        if one.generate.method == MADE
    }
    work, films = Counter[Work](), 0
    for one in trained.values():
        work.update({kind: experts * count for kind, count in train_work(one, clips).items()})
    for one in filmed.values():
        for track in map(experiment.track, experiment.tracks):
            films += one.generate.samples
            work.update(film_work(one, length_of(one, track).n_clips * one.generate.samples))
    return Amount(experts * len(trained), films, work, any(one.train.epochs for one in trained.values()))


def _key(settings: Settings, kind: Kind, identity: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    """Two variants that agree in what a stage reads, by the same method, share it."""
    values = flat(settings, "identity")
    read = {key: value for key, value in values.items() if {key, key.partition(".")[0]} & {*kind.reads}}
    return canonical({**read, **identity})


def told(report: CardReport, name: str, profile: str, price: float | None, clips: int | None) -> Iterator[str]:
    """In sentences; what was not measured is named, and is in no sum."""
    whole = amount(name, profile, clips or ASSUMED)
    seconds = dict[Work, float]()
    for work, count in whole.work.items():
        found = report.of(profile, work)
        if found is not None and found.seconds is not None:
            seconds[work] = found.seconds * count
    missing = [work for work, count in whole.work.items() if count and work not in seconds]
    train, films = seconds.pop("step", 0.0), sum(seconds.values())
    assumed = f" (as if of {ASSUMED} clips; --clips says how many)" if whole.epochs and clips is None else ""
    yield f"{name} at {profile}, as measured on this card; without the latent cache, loading, scores, and what cards lose together:"
    yield f"  {whole.trainings} trainings{assumed}, {whole.work['step']} clips forward and back: {_cost(train, price)}"
    yield f"  {whole.films} films, {whole.work['call']} denoiser calls: {_cost(films, price)}"
    yield f"  together: {_cost(train + films, price)}"
    if missing:
        yield f"  not in these hours, since it was not measured: {', '.join(missing)}"


def _cost(seconds: float, price: float | None) -> str:
    hours = seconds / 3600
    money = "" if price is None else f", {hours * price:,.2f} at {price:g} an hour"
    return f"{hours:,.1f} card-hours{money}"
