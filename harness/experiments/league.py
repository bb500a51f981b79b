"""The anti-drift league: published ideas against drift on one backbone, and the orderings that their papers published."""

from collections.abc import Iterator

from harness.declare.spec import Scalar, Variant, experiment

UNTRAINED: dict[str, Scalar] = {"train.enabled": False}
# A step of these costs several plain ones: they take fewer, for as many evaluations as the others.
ALL_IN: dict[str, Scalar] = {"train.budget": "evaluations"}
# A few-step student, which takes many small steps: as many clips' worth as 3,000 steps of 16.
DISTILLED: dict[str, Scalar] = {
    "method.objective": "self_forcing",
    "generate.solver": "renoise",
    "generate.steps": 4,
    "train.batch": 4,
    "train.steps": 12_000,
    "train.lr": 1e-3,
    "distillation.critic_lr": 0.5,
    **ALL_IN,
}
# In these the past lies in the sequence itself; here it is handed on as it is.
FORCING: dict[str, Scalar] = {
    "method.objective": "diffusion_forcing",
    "method.generation": "forcing",
    "generate.handoff": "latent",
}
STREAM: dict[str, Scalar] = {"method.objective": "stream", "method.generation": "stream"}
# A frame a block: 9 steps and the pass that remembers it are the token-evaluations of 8 steps of a whole clip. Both rows
# remember eight frames, the one with a sink the first four: with a sink of one frame of four nothing could be told apart.
BLOCKS: dict[str, Scalar] = {
    "method.objective": "teacher_forcing",
    "method.architecture": "causal",
    "method.generation": "blocks",
    "generate.steps": 9,
    "cache.frames": 8,
    **ALL_IN,
}


@experiment(
    baseline="full",
    tracks=("consistent-50s",),
    orderings="league",
    published="26 orderings of two rows each, from 13 papers; with their sources in docs/league.md.",
)
def league() -> Iterator[Variant]:
    """Which published idea against drift holds on one backbone, at one cost?"""
    yield Variant("base", UNTRAINED)
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    yield Variant("full")
    yield Variant("only_e_img", {"injection.p_vid": 0.0, "injection.p_noi": 0.0})
    yield Variant("no_e_img", {"injection.p_img": 0.0})
    yield Variant("handcrafted", {"injection.source": "handcrafted"})
    yield Variant("errors_both", {"injection.source": "both"})
    yield Variant("bank_1", {"bank.capacity": 1})
    yield Variant("alpha_0.2", {"generate.alpha": 0.2})
    yield Variant("history_corruption", {"method.objective": "history_corruption"})
    yield Variant("resampling", {"method.objective": "resampling", **ALL_IN})
    yield Variant("resampling_last", {"method.objective": "resampling", "resampling.frame": "last", **ALL_IN})
    yield Variant("bagger", {"method.objective": "bagger", "rollout.clips": 10, "rollout.every": 510, **ALL_IN})
    yield Variant("self_rollout", {"method.objective": "self_rollout", **ALL_IN})
    yield Variant("self_forcing", DISTILLED)
    yield Variant("diffusion_forcing_clean", FORCING)
    yield Variant("diffusion_forcing_noisy", {**FORCING, "forcing.sigma_h": 0.1})
    yield Variant("diffusion_forcing_guided", {**FORCING, "forcing.weight": 1.5})
    yield Variant("hiar", {**FORCING, "method.generation": "step_first"})
    yield Variant("rolling", {**STREAM, "stream.mixed": False})
    yield Variant("stream", STREAM)
    yield Variant("teacher_forcing", BLOCKS)
    yield Variant("teacher_forcing_sink", {**BLOCKS, "method.memory": "sink", "cache.first": 4})
    yield Variant("packed_history", {"method.objective": "packed_history", "method.generation": "packed_history"})
    yield Variant("anchor_tokens", {"method.objective": "anchor_tokens", "method.generation": "anchor_tokens"})
    yield Variant("free_noise", {**UNTRAINED, "method.generation": "free_noise", "generate.overlap_from": "next"})
    yield Variant("colour_match", {**UNTRAINED, "generate.fix": "mkl"})
    yield Variant("anchor", {**UNTRAINED, "method.memory": "reference_padding"})
    yield Variant("full_anchor", {"method.memory": "reference_padding"})
    yield Variant("full_causal", {"method.architecture": "causal"})
