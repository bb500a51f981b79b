"""The parts that a method against drift is put together from, by axis and name. Loads none of them.

A part says what it needs of the other axes and what it gives them, in words that a refusal can say: a combination makes sense
when all that is needed is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from svi.axes import CLIPS, ERROR_RECYCLING, NO_MEMORY, RESAMPLING
from svi.settings import TRAINING_CLIPS

Axis = Literal["objective", "generation", "memory", "signal"]
SETTING: Mapping[Axis, str] = MappingProxyType(
    {
        "objective": "method.objective",
        "generation": "method.generation",
        "memory": "method.memory",
        "signal": "condition.signal",
    }
)
"""The setting that names a part of an axis."""
FOLLOWS = "films that follow a signal frame by frame"
EACH_FRAME = "noise levels of each latent frame"
CAUSAL = "block-causal attention"
CLEAN_PAST = "clean frames before the noisy ones"
CONDITION = "clips that are conditioned on an image"
KV_CACHE = "a cache of keys and values"
FRAMES_ON = "frames that are handed on"
REFERENCE = "a reference image in the condition of every clip"
GAIN = "a first frame whose errors can be followed"
EPS = "a first frame that should be its start image again"
"""With GAIN: what one clip foretells the film by."""
PACKED_PAST = "a long past packed into the sequence"
ANCHOR_TOKENS = "an anchor image among the tokens of the text"
EULER = "Euler steps"
EVERY_FORWARD = "every forward of the model"
NO_ANCHOR = "a past without an anchor"
LATENTS = "latents that are handed on"
OWN_CONDITION = "conditions that training changes in no other way"
SHARED_SHOWN = "hand-offs that the later of two clips shows"
REVERSIBLE = "prompts whose motion a rule can turn around"
ONE_EXPERT = "one transformer for all noise levels"
RENOISING = "films that are sampled with new noise after every step"
CLIP_BY_CLIP = "clips that know of none after them"
"""So that with another prompt those before it stay what they are."""
WHOLE = "whole weights on every rank"
# What an objective reads that takes later clips of the training footage.
FOOTAGE = (*TRAINING_CLIPS, "data.references", "data.reference_from")
# What films that are made within a training need, beside settings of its own.
ROLLED = (
    "rollout.clips",
    *FOOTAGE,
    *(f"generate.{key}" for key in ("steps", "shift", "solver", "pixels", "handoff", "fix", "detector")),
    *(f"generate.{key}" for key in ("guidance", "guidance_low", "negative_prompt")),
)


@dataclass(frozen=True)
class Part:
    """`target`: "module:class", empty for one that is settings alone; `version`: raised when it computes something else; `reads`:
    sections of settings of its own; `sets`: settings that it stands for."""

    target: str
    about: str
    version: int = 1
    reads: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    sets: Mapping[str, object] = field(default_factory=dict)


OBJECTIVES: dict[str, Part] = {
    ERROR_RECYCLING: Part(
        "svi.objectives.error_recycling:ErrorRecycling",
        "the model's own past errors are put back into its inputs (SVI, arXiv 2510.09212)",
        reads=("injection", "bank"),
        gives=(CONDITION, FOLLOWS),
    ),
    "anchor_tokens": Part(
        "svi.objectives.anchor_tokens:AnchorTokens",
        "an earlier image of the film among the text's tokens (StreamingT2V-style, arXiv 2403.14773)",
        reads=FOOTAGE,
        needs=(NO_ANCHOR, OWN_CONDITION),
        gives=(ANCHOR_TOKENS,),
    ),
    "diffusion_forcing": Part(
        "svi.objectives.diffusion_forcing:DiffusionForcing",
        "an independent noise level for every latent frame, the past in the sequence itself (arXiv 2407.01392)",
        reads=("forcing.chunk", "forcing.p_history"),
        needs=(NO_ANCHOR,),
        gives=(EACH_FRAME,),
    ),
    "flow_matching": Part(
        "svi.objectives.objective:Objective",
        "plain flow matching on clean clips: the control",
        gives=(CONDITION, FOLLOWS),
    ),
    "history_corruption": Part(
        "svi.objectives.history_corruption:HistoryCorruption",
        "motion frames with noise, less resolution, another saturation (Helios-style, arXiv 2603.04379)",
        gives=(CONDITION, FOLLOWS),
    ),
    "packed_history": Part(
        "svi.objectives.packed_history:PackedHistory",
        "clips behind a long past in the sequence, the older the smaller (FramePack-style, arXiv 2504.12626)",
        reads=FOOTAGE,
        needs=(NO_ANCHOR,),
        gives=(PACKED_PAST,),
    ),
    RESAMPLING: Part(
        "svi.objectives.resampling:Resampling",
        "motion frames that the current model has finished from noise (Resampling Forcing, arXiv 2512.15702)",
        reads=("resampling",),
        gives=(CONDITION, FOLLOWS),
    ),
    "stream": Part(
        "svi.objectives.stream:Stream",
        "a buffer of chunks at rising noise (StreamDiT, arXiv 2507.03745; Rolling Diffusion, 2402.09470)",
        reads=("stream.chunk", "stream.mixed", "stream.whole"),
        needs=(NO_ANCHOR,),
        gives=(EACH_FRAME,),
    ),
    "teacher_forcing": Part(
        "svi.objectives.teacher_forcing:TeacherForcing",
        "each block of a clip is learned behind the true blocks before it (CausVid, arXiv 2412.07772)",
        reads=("cache.noise",),
        needs=(CAUSAL, NO_ANCHOR),
        gives=(CLEAN_PAST,),
    ),
    "self_rollout": Part(
        "svi.objectives.self_rollout:SelfRollout",
        "some conditions are the end of the model's own film, the target is what truly follows (project's notes on Self-Forcing)",
        version=2,  # of uneven videos, films start from more
        reads=("rollout", *ROLLED),
        needs=(ONE_EXPERT, WHOLE),
        gives=(CONDITION,),
    ),
    "self_forcing": Part(
        "svi.objectives.self_forcing:SelfForcing",
        "a few-step student is trained on its own films by distribution matching (Self-Forcing, arXiv 2506.08009)",
        version=2,  # of uneven videos, films start from more
        reads=(*ROLLED, "distillation"),
        needs=(ONE_EXPERT, WHOLE, RENOISING),
        gives=(CONDITION,),
    ),
    "bagger": Part(
        "svi.objectives.bagger:Bagger",
        "the model's own films, reversed in time, show how to get from drifted to clean (BAgger, arXiv 2512.12080)",
        reads=(*ROLLED, "rollout.starts", "rollout.every", "rollout.share"),
        needs=(ONE_EXPERT, WHOLE, REVERSIBLE),
        gives=(CONDITION,),
    ),
}
GENERATIONS: dict[str, Part] = {
    CLIPS: Part(
        "svi.generation.clips:ClipLoop",
        "clip after clip, each conditioned on the last frames of the one before",
        needs=(CONDITION,),
        gives=(REFERENCE, FRAMES_ON, GAIN, EPS, FOLLOWS, CLIP_BY_CLIP),
    ),
    "anchor_tokens": Part(
        "svi.generation.anchor_tokens:AnchorTokens",
        "the clip loop with the start image among the text's tokens (StreamingT2V-style, arXiv 2403.14773)",
        needs=(ANCHOR_TOKENS, NO_ANCHOR),
        gives=(REFERENCE, FRAMES_ON, GAIN, EPS, CLIP_BY_CLIP),
    ),
    "forcing": Part(
        "svi.generation.forcing:ForcingLoop",
        "clips behind their own history, clean, noisy or as guidance; all frames together or as a pyramid (forcing.*)",
        reads=("forcing.sigma_h", "forcing.weight", "forcing.stagger"),
        needs=(EACH_FRAME, EULER, EVERY_FORWARD, NO_ANCHOR),
        gives=(GAIN, CLIP_BY_CLIP),
    ),
    "step_first": Part(
        "svi.generation.step_first:StepFirst",
        "every step of a clip sees the clip before at the same noise level (HiAR-style, arXiv 2603.08703)",
        needs=(EACH_FRAME, EULER, EVERY_FORWARD, NO_ANCHOR, LATENTS),
        gives=(GAIN,),
    ),
    "free_noise": Part(
        "svi.generation.free_noise:FreeNoise",
        "the clip loop on shuffles of the first clip's noise, blended where clips overlap (FreeNoise-style, arXiv 2310.15169)",
        needs=(CONDITION, SHARED_SHOWN),
        gives=(REFERENCE, FRAMES_ON, GAIN, EPS, FOLLOWS),
    ),
    "packed_history": Part(
        "svi.generation.packed_history:PackedHistory",
        "clips behind a long past in the sequence, the older the smaller (FramePack-style, arXiv 2504.12626)",
        needs=(PACKED_PAST, EULER, EVERY_FORWARD, NO_ANCHOR),
        gives=(GAIN, CLIP_BY_CLIP),
    ),
    "stream": Part(
        "svi.generation.stream:StreamLoop",
        "a buffer from which the cleanest chunk is emitted while noise is pushed (StreamDiT; stream.chunk=1: Rolling Diffusion)",
        reads=("stream.chunk", "stream.micro_steps"),
        needs=(EACH_FRAME, EULER, EVERY_FORWARD, NO_ANCHOR),
        gives=(GAIN,),
    ),
    "blocks": Part(
        "svi.generation.blocks:BlockLoop",
        "one long sequence, block by block behind a cache of keys and values (CausVid, arXiv 2412.07772)",
        reads=("cache.frames", "cache.noise"),
        needs=(CAUSAL, CLEAN_PAST, EVERY_FORWARD, NO_ANCHOR),
        gives=(KV_CACHE, GAIN, CLIP_BY_CLIP),
    ),
}
MEMORIES: dict[str, Part] = {
    NO_MEMORY: Part("", "the frames handed on, and whatever condition.* adds to them; blocks: the last cache.frames"),
    "anchor_frame": Part(
        "",
        "one copy of the start image behind the last frames, then zeros (padding k = 1 of the authors' code of SVI)",
        needs=(REFERENCE,),
        sets={"condition.padding": 1},
    ),
    "anchor_latents": Part(
        "",
        "latents of the start image before those of the last frames (SVI 2.0 Pro)",
        needs=(REFERENCE,),
        sets={"condition.anchor": True},
    ),
    "reference_padding": Part(
        "",
        "the start image everywhere behind the last frames (padding -1 of SVI Shot)",
        needs=(REFERENCE,),
        sets={"condition.padding": "reference"},
    ),
    "sink": Part(
        "svi.memory.sink:Sink.of",
        "the film's first cache.first frames, and the last ones (LongLive, arXiv 2509.22622)",
        reads=("cache.frames", "cache.first"),
        needs=(KV_CACHE,),
    ),
    "half": Part(
        "svi.memory.half:Half.of",
        "half of what is remembered is the film's beginning (Deep Forcing, arXiv 2512.05081)",
        reads=("cache.frames",),
        needs=(KV_CACHE,),
    ),
    "ema": Part(
        "svi.memory.ema:Ema.of",
        "frames that leave the window flow into the first ones (Reward Forcing, arXiv 2512.04678)",
        reads=("cache.frames", "cache.first", "cache.decay"),
        needs=(KV_CACHE,),
    ),
    "sparse": Part(
        "svi.memory.sparse:Sparse.of",
        "the last frames, and one in cache.every of those before",
        reads=("cache.frames", "cache.first", "cache.every"),
        needs=(KV_CACHE,),
    ),
}
SIGNALS: dict[str, Part] = {
    "audio": Part(
        "svi.conditions.talk:Audio",
        "sound, which a cross-attention behind the text's adds to every block (SVI-Talk, MultiTalk)",
        gives=(FOLLOWS,),
        version=2,  # its scores look for the object everywhere
    ),
    "pose": Part(
        "svi.conditions.dance:Pose",
        "skeletons, which a small encoder adds to the tokens (SVI-Dance, UniAnimate-DiT)",
        gives=(FOLLOWS,),
    ),
}
BUILT_IN: Mapping[Axis, dict[str, Part]] = MappingProxyType(
    {"objective": OBJECTIVES, "generation": GENERATIONS, "memory": MEMORIES, "signal": SIGNALS}
)
