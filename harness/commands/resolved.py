"""Every setting with the value that a run would take, and where it comes from: for `harness show`."""

from collections.abc import Iterator, Mapping, Sequence

from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.core.signature import flat, leaves
from harness.declare.request import Request, layers_of, resolved, variant_settings
from harness.declare.settings import Settings
from harness.declare.spec import Resolved, check_no_clash, load_experiment
from harness.experiments import EXPERIMENTS
from harness.plan.model import settled

SETTLED = "follows from other settings, or from this machine"


def variant_lines(
    name: str, variant: str | None, profile: str, recipes: Sequence[str], values: Mapping[str, object]
) -> Iterator[str]:
    """What a variant of an experiment runs with; None: its baseline. Raises UseError for what a run would refuse too."""
    experiment = load_experiment(name, EXPERIMENTS)
    known = {one.name: one for one in experiment.variants}
    chosen = variant or experiment.baseline
    if chosen not in known:
        raise UseError(f"{experiment.name} has no variant {chosen!r}: {suggestion(chosen, known)}")
    check_no_clash(values, experiment.variants)
    request = Request(experiment, name, profile, tuple(recipes), values)
    seed = experiment.seeds[0]
    yield f"{experiment.name}, variant {chosen}, seed {seed}, profile {profile}"
    yield from _lines(variant_settings(request, known[chosen], seed), described=False)


def settings_lines(profile: str, recipes: Sequence[str], values: Mapping[str, object]) -> Iterator[str]:
    """Every setting as a profile has it, with what it means."""
    yield f"settings of profile {profile}; (runtime): changes no result, only where or how fast it is computed"
    yield from _lines(resolved(layers_of(profile, recipes, values)), described=True)


def _lines(found: Resolved[Settings], described: bool) -> Iterator[str]:
    """Below its section a line a setting: its value, and its origin or what it means."""
    values, given, runtime = flat(settled(found.settings)), flat(found.settings), flat(Settings(), "runtime")
    section = ""
    for key, field in leaves(Settings).items():
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            yield section
        origin = found.origin[key] if values[key] == given[key] else SETTLED
        about = f"{field.description}{' (runtime)' if key in runtime else ''}" if described else origin
        yield f"  {f'{key}={values[key]}':<38}  {about}"
