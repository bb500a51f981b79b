"""Declare, plan, run, track. The only package that knows all the others.

A file or notebook of one's own needs the names below, whatever room they live in: each is imported when it is asked for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers; nothing in harness imports sweeps
    from benchmarks.scorers.metric import Metric
    from benchmarks.track import Track
    from harness.declare.sets import sets
    from harness.declare.settings import EvalSettings, ScoreSettings
    from harness.declare.spec import Experiment, Variant, experiment
    from harness.results.load import load
    from svi.axes import (
        CacheSettings,
        DistillationSettings,
        ForcingSettings,
        MethodSettings,
        ResamplingSettings,
        RolloutSettings,
        StreamSettings,
    )
    from svi.backbones.catalogue import Geometry
    from svi.backbones.plain import PlainBackbone
    from svi.error_settings import BankSettings, InjectionSettings
    from svi.generation.clips import ClipLoop
    from svi.generation.denoiser import Given
    from svi.objectives.objective import Objective as FlowMatching
    from svi.settings import (
        BackboneSettings,
        ConditionSettings,
        DataSettings,
        FlowSettings,
        GenerateSettings,
        SpeedSettings,
        TinySettings,
        TrainSettings,
    )
    from sweeps.space import Choice, Float, Int
    from sweeps.sweep import Objective, Sweep

__all__ = [
    "BackboneSettings",
    "BankSettings",
    "CacheSettings",
    "Choice",
    "ClipLoop",
    "ConditionSettings",
    "DataSettings",
    "DistillationSettings",
    "EvalSettings",
    "Experiment",
    "Float",
    "FlowMatching",
    "FlowSettings",
    "ForcingSettings",
    "GenerateSettings",
    "Geometry",
    "Given",
    "InjectionSettings",
    "Int",
    "MethodSettings",
    "Metric",
    "Objective",
    "PlainBackbone",
    "ResamplingSettings",
    "RolloutSettings",
    "ScoreSettings",
    "SpeedSettings",
    "StreamSettings",
    "Sweep",
    "TinySettings",
    "Track",
    "TrainSettings",
    "Variant",
    "experiment",
    "load",
    "sets",
]

_ROOMS = {
    "ClipLoop": "svi.generation.clips",
    "FlowMatching": "svi.objectives.objective",
    "Geometry": "svi.backbones.catalogue",
    "Given": "svi.generation.denoiser",
    "PlainBackbone": "svi.backbones.plain",
    "Metric": "benchmarks.scorers.metric",
    "Track": "benchmarks.track",
    **dict.fromkeys(("Experiment", "Variant", "experiment"), "harness.declare.spec"),
    "load": "harness.results.load",
    "sets": "harness.declare.sets",
    **dict.fromkeys((name for name in __all__ if name.endswith("Settings")), "harness.declare.settings"),
    **dict.fromkeys(("Choice", "Float", "Int"), "sweeps.space"),
    **dict.fromkeys(("Objective", "Sweep"), "sweeps.sweep"),
}

_THERE = {"FlowMatching": "Objective"}  # what has another name in its room: here Objective is a sweep's

if not TYPE_CHECKING:  # a type checker would take this to say that every name is there

    def __getattr__(name: str) -> object:
        """One of the names above. Raises AttributeError for any other."""
        from importlib import import_module

        if name not in _ROOMS:
            raise AttributeError(f"module 'harness' has no {name!r}; it has {', '.join(__all__)}")
        return getattr(import_module(_ROOMS[name]), _THERE.get(name, name))
