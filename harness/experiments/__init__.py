"""The built-in experiments, one short file an ablation."""

from harness.core.registry import Registry
from harness.declare.spec import Experiment

EXPERIMENTS: Registry[Experiment] = Registry("experiment")

EXPERIMENTS.add("ablation_eimg", "harness.experiments.ablation_eimg:ablation_eimg")
EXPERIMENTS.add("injection_probability", "harness.experiments.injection_probability:injection_probability")
EXPERIMENTS.add("bank_size", "harness.experiments.bank_size:bank_size")
EXPERIMENTS.add("error_source", "harness.experiments.error_source:error_source")
EXPERIMENTS.add("lora_alpha", "harness.experiments.lora_alpha:lora_alpha")
EXPERIMENTS.add("recipe_paper_vs_code", "harness.experiments.recipe_paper_vs_code:recipe_paper_vs_code")
EXPERIMENTS.add("handoff", "harness.experiments.handoff:handoff")
EXPERIMENTS.add("seeds_per_clip", "harness.experiments.seeds_per_clip:seeds_per_clip")
EXPERIMENTS.add("stability", "harness.experiments.stability:stability")
EXPERIMENTS.add("error_visualisation", "harness.experiments.error_visualisation:error_visualisation")
EXPERIMENTS.add("ablation_talk", "harness.experiments.ablation_talk:ablation_talk")
EXPERIMENTS.add("ablation_dance", "harness.experiments.ablation_dance:ablation_dance")
EXPERIMENTS.add("league", "harness.experiments.league:league")
EXPERIMENTS.add("only_e_img", "harness.experiments.only_e_img:only_e_img")
EXPERIMENTS.add("error_domain", "harness.experiments.error_domain:error_domain")
EXPERIMENTS.add("train_length", "harness.experiments.train_length:train_length")
EXPERIMENTS.add("data_size", "harness.experiments.data_size:data_size")
EXPERIMENTS.add("timestep_alignment", "harness.experiments.timestep_alignment:timestep_alignment")
