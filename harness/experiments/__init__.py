"""The built-in experiments, one short file an ablation."""

from harness.registry import Registry
from harness.spec import Experiment

EXPERIMENTS: Registry[Experiment] = Registry("experiment")

EXPERIMENTS.add("ablation_eimg", "harness.experiments.ablation_eimg:ablation_eimg")
