"""Settings of the core: one frozen model a topic, every field marked as identity or runtime.

An *identity* field changes what a stage computes and is hashed into its signature; a *runtime* field (paths, cadence, number of
ranks) does not. Each field's description gives its unit and, where the sources disagree, which of them says what:
[P] the paper (arXiv 2510.09212), [C] the authors' code, [N] the project's notes.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


def identity(default: Any, about: str, **limits: Any) -> Any:
    """A field that changes the result."""
    return Field(default, description=about, json_schema_extra={"role": "identity"}, **limits)


def later(default: Any, about: str, **limits: Any) -> Any:
    """An identity field that is younger than results: at its default all is computed as before it, and it enters no signature.

    So what was made before is still found in the store.
    """
    return Field(default, description=about, json_schema_extra={"role": "identity", "later": True}, **limits)


def runtime(default: Any, about: str, **limits: Any) -> Any:
    """A field that changes where, when or how loudly the result is computed, never the result."""
    return Field(default, description=about, json_schema_extra={"role": "runtime"}, **limits)


TINY = "tiny"  # the name of the embedded backbone


class BackboneSettings(Frozen):
    """Which video model: the embedded one, or a Wan in diffusers' layout."""

    name: str = identity(TINY, "tiny, a Wan of `harness show backbones`, or folder: whatever backbone.weights holds")
    weights: str | None = runtime(
        None, "folder in diffusers' layout; none: the hub's cache (its contents are hashed, not its path)", min_length=1
    )
    dtype: Literal["float32", "bfloat16"] = identity("float32", "Wan: numbers of transformer and text encoder")
    boundary: float | None = identity(
        None,
        "two experts: sigma from which on the high-noise one works; none: the folder's (.9; svi-2.0: .875)",
        gt=0,
        lt=1,
    )
    clip_image: Literal["processor", "squash"] = identity(
        "processor", "CLIP's picture: the folder's image processor (diffusers), or [C] squashed to its square, bicubic"
    )
    text_tokens: int = identity(512, "Wan: text tokens a prompt, padded with zeros", ge=4)
    vae_tiling: bool = identity(
        False, "Wan: tiled VAE, for little memory; [C] warns of artefacts on static backgrounds"
    )

    @property
    def embedded(self) -> bool:
        """Whether it is the one that is trained here, not a Wan in files."""
        return self.name == TINY


class TinySettings(Frozen):
    """The embedded backbone: diffusers' WanTransformer3DModel at tiny size, trained once from a fixed seed."""

    layers: int = identity(3, "transformer blocks", ge=1, le=1000)
    heads: int = identity(4, "attention heads", ge=1, le=1000)
    head_dim: int = identity(24, "channels a head", ge=6, multiple_of=2)
    ffn_dim: int = identity(256, "hidden channels of the feed-forward layer", ge=1)
    latent_channels: int = identity(8, "channels of the codec (principal components a patch)", ge=1)
    codec_patch: int = identity(4, "side of a codec patch, pixels: of a latent's", ge=1)
    codec: Literal["components", "wan"] = later(
        "components",
        "components: principal components of each frame's patches; wan: an AutoencoderKLWan, which loses detail",
    )
    codec_frames: Literal[1, 4] = later(
        4, "wan: frames of a latent frame but the first, as Wan has them; 1: each frame is encoded alone"
    )
    codec_width: int = later(16, "wan: channels of the codec at full size", ge=4)
    codec_steps: int = later(
        6000, "wan: training steps of the codec; the first half on single frames, or all if alone", ge=2
    )
    codec_batch: int = later(16, "wan: clips a training step of the codec", ge=1)
    codec_lr: float = later(4e-3, "wan: learning rate of the codec (AdamW, cosine)", gt=0)
    patch: int = later(2, "latents of a token's side", ge=1)
    text_tokens: int = identity(6, "text tokens a prompt (with one, cross-attention has no gradient)", ge=4)
    text_dim: int = identity(16, "channels a text token", ge=1)
    text: Literal["words", "phrases"] = later(
        "words", "words: a token is one word; phrases: the first word of its phrase, up to the comma, is in it as well"
    )
    steps: int = identity(2500, "pretraining steps", ge=1)
    batch: int = identity(32, "clips a pretraining step", ge=1)
    lr: float = identity(2e-3, "pretraining learning rate (AdamW, cosine)", gt=0)
    shift: float = identity(3.0, "timestep shift in pretraining", gt=0)
    ema: float = identity(0.999, "decay of the weights' moving average, which is what is kept", ge=0, lt=1)
    seed: int = identity(1234, "seed of the initial weights and of the pretraining draws", ge=0)


class DataSettings(Frozen):
    """Training clips: the embedded world, or a folder of real videos in the authors' layout."""

    path: str | None = runtime(
        None, "folder of real videos with a csv of captions, or of such folders; none: the embedded world", min_length=1
    )
    world: Literal["shapes", "lanes"] = later(
        "shapes",
        "the embedded world: one shape on stripes or checks, or two textured objects that cross a landscape, a lane each",
    )
    clips: int = identity(6144, "clips rendered from the embedded world", ge=1, le=10_000_000)
    seed: int = identity(7, "seed of the embedded world's training clips", ge=0)
    clip_frames: int = identity(5, "frames a clip", ge=2, le=10_000)
    height: int = identity(16, "pixels", ge=8, le=8192)
    width: int = identity(16, "pixels", ge=8, le=8192)
    fps: int = identity(8, "frames a second: of the clips trained on and of the films made", ge=1, le=1000)
    hop: int = identity(1, "real videos: frames between the starts of two training clips", ge=1)
    hold_back: float = identity(
        0.1, "real videos: share of each video's end kept from training; none where eval.path is set", ge=0, lt=1
    )
    references: int = identity(1, "alternative reference images a clip (K), of which training draws one", ge=1)
    reference_from: Literal["clip", "video"] = identity(
        "video", "real videos: reference images from the clip itself, or (better, say the authors) from outside it"
    )
    augment_motion: bool = later(
        False,
        "training: colours, blur and sharpness of the motion frames changed, each reference with draws of its own ([C] offers it)",
    )
    dtype: Literal["float32", "bfloat16"] = identity("float32", "numbers of the latent cache")
    ranks: int | None = runtime(
        None,
        "processes that the latent cache's shards are dealt out to; none: as many as there are GPUs here",
        ge=1,
        le=1024,
    )
    shard_clips: int = runtime(256, "clips a file of the latent cache, at most: what an interruption can lose", ge=1)


# Which training clips there are, beside their size.
TRAINING_CLIPS = tuple(f"data.{key}" for key in ("path", "world", "clips", "seed", "fps", "hop", "hold_back"))


class FlowSettings(Frozen):
    """Timesteps of the fine-tuning. t runs from 0 (noise) to 1 (data); sigma = 1 - t."""

    t_sampling: Literal["uniform", "shifted"] = identity(
        "shifted", "[N] t ~ U(0,1); [C] uniform index in the shifted table"
    )
    shift: float = identity(5.0, "shift of the training table and of the inference timesteps", gt=0)
    inference_steps: int = identity(50, "inference timesteps that define the bank's slots", ge=1)
    slot_grid: Literal["inference", "linear"] = identity("inference", "[C][P] inference timesteps; [N] linspace(0, 1)")
    loss_weight: Literal["none", "bell"] = identity("none", "[P][N] plain MSE; [C] bell-shaped weight over sigma")
    truth: Literal["integration", "clean"] = identity(
        "integration", "ground truth of the one-step errors: [C] by integration; [N][P] the clean latents"
    )


class ConditionSettings(Frozen):
    """The image condition of a clip: motion frames, then padding."""

    motion_frames: int = identity(5, "last frames of the clip before that condition this one (m)", ge=1)
    p_motion: float = identity(
        0.9, "training: probability of all m motion frames, else one: [C] .9; [P] .95", ge=0, le=1
    )
    padding: Literal["zeros", "repeat", "reference"] | Annotated[int, Field(ge=1)] = identity(
        "zeros",
        "after the motion frames: zeros, the last motion frame, the reference image (-1 in [C]), or k of it, then zeros",
    )
    anchor: bool = identity(False, "latents of the reference image before those of the motion frames (SVI 2.0 Pro)")
    signal: str | None = later(
        None,
        "what films follow frame by frame beside image and prompts: audio, pose, or FILE.py:NAME of your own; none: nothing",
        min_length=1,
    )
    encoder: str | None = runtime(
        None,
        "audio: folder of a wav2vec2 in transformers' layout (its contents are hashed, not its path)",
        min_length=1,
    )
    weights: str | None = runtime(
        None, "published weights of what a signal adds: MultiTalk's, UniAnimate-DiT's; none: untrained", min_length=1
    )
    drop_signal: float = later(
        0.1, "training: probability that a clip is given no signal (SVI-Talk .1, SVI-Dance .145)", ge=0, le=1
    )
    drop_image: float = later(
        0.0, "training: probability that a clip is given no image: zeros, mask and all (SVI-Dance .1)", ge=0, le=1
    )

    @property
    def overlap(self) -> int:
        """Pixel frames that a clip shares with the one before; the anchor is one frame that no film shows."""
        return self.motion_frames + self.anchor

    @property
    def shows_reference(self) -> bool:
        """Whether the reference image is part of the condition."""
        return self.anchor or self.padding not in ("zeros", "repeat")


class TrainSettings(Frozen):
    """One fine-tuning."""

    model_config = ConfigDict(populate_by_name=True)  # Python's `from` is no name

    enabled: bool = identity(True, "false: the base model as it is")
    steps: int = identity(3500, "optimiser steps", ge=1)
    epochs: int | None = identity(None, "passes over the training clips; they then decide the steps", ge=1)
    clips: int | None = later(
        None, "fine-tune on at most so many of the training clips, the first ones; none: all", ge=1
    )
    budget: Literal["steps", "evaluations"] = later(
        "steps",
        "what train.steps counts: optimiser steps, or the transformer's evaluations of so many plain ones, so that an objective "
        "that spends more in a step (rollouts, a teacher) takes fewer",
    )
    batch: int = identity(8, "clips a step over all ranks", ge=1)
    lr: float = identity(2e-5, "learning rate (AdamW): [N][P] 2e-5; [C] scripts 1e-4", gt=0)
    schedule: Literal["cosine", "constant"] = identity("constant", "learning rate over the steps")
    from_: str | None = runtime(
        None,
        "what training goes on from, and films of a variant that trains nothing: a LoRA, or for adapter=full a model that was "
        "trained here (its contents are hashed, not its path); two experts: two, joined by a comma; none: the base model",
        min_length=1,
        alias="from",
    )
    adapter: Literal["lora", "full"] = identity("lora", "LoRA by PEFT, or every parameter")
    rank: int = identity(128, "LoRA rank", ge=1, le=65_536)
    alpha: int = identity(128, "LoRA alpha", ge=1)
    with_signal: bool = later(
        False, "with a LoRA: train along what condition.signal adds to the transformer, and keep it beside the LoRA"
    )
    grad_clip: float = identity(1.0, "largest gradient norm", gt=0)
    weight_decay: float = identity(0.01, "AdamW's weight decay", ge=0)
    seed: int = identity(0, "seed of the adapter's weights and of every draw", ge=0)
    dtype: Literal["float32", "bfloat16"] = identity("float32", "numbers of a step; the optimiser keeps float32")
    ranks: int = identity(
        1, "processes (devices) over all nodes, each with a bank of its own (bank.scope)", ge=1, le=65_536
    )
    zero: Literal[0, 2, 3] = identity(
        2, "DeepSpeed's ZeRO stage when there is more than one rank; bfloat16 takes at least 2"
    )
    micro_batch: int | None = runtime(
        None, "clips at once on a device; none: its whole share; the rest is accumulated, train.batch stays", ge=1
    )
    checkpointing: Literal["none", "block", "offload"] = runtime(
        "none", "activations: kept, computed again block by block, or that with block inputs kept in host memory"
    )
    show_errors: bool = runtime(
        False,
        "decode the errors of a step before and after training, and some of the bank's, injected: pictures in the report",
    )
    hostfile: str | None = runtime(None, "DeepSpeed hostfile of several nodes; under Slurm its environment says it")
    checkpoint_every: int = runtime(250, "steps between checkpoints", ge=1)
    log_every: int = runtime(25, "steps between logged metrics", ge=1)

    @property
    def starts(self) -> tuple[str, ...]:
        """The paths that `from_` names, an expert each."""
        return () if self.from_ is None else tuple(path.strip() for path in self.from_.split(","))

    def steps_over(self, clips: int) -> int:
        """Optimiser steps on so many training clips."""
        return self.steps if self.epochs is None else -(-self.epochs * clips // self.batch)

    def clips_at_once(self) -> int:
        """Clips that go through the model at once on each rank; the rest of a rank's share is accumulated.

        Raises ValueError if train.batch cannot be shared equally, or a share not be cut into micro-batches.
        """
        share, rest = divmod(self.batch, self.ranks)
        if rest:
            near = [self.ranks * n for n in (share, share + 1) if n]
            raise ValueError(
                f"train.batch is {self.batch}, which {self.ranks} ranks cannot share equally; "
                f"set train.batch={' or '.join(map(str, near))}, or a train.ranks that divides {self.batch}"
            )
        micro = min(self.micro_batch or share, share)
        if share % micro:
            fitting = ", ".join(str(n) for n in range(1, share + 1) if share % n == 0)
            raise ValueError(
                f"train.micro_batch is {self.micro_batch}, which does not divide the {share} clips of a rank "
                f"(train.batch {self.batch} over {self.ranks} ranks); set one of {fitting}"
            )
        return micro


Trivial = Literal["copy_image", "copy_clips", "ping_pong", "recode"]
TRIVIAL_METHODS: tuple[Trivial, ...] = get_args(Trivial)
COPY_IMAGE, COPY_CLIPS, PING_PONG, RECODE = TRIVIAL_METHODS


class GenerateSettings(Frozen):
    """The clip loop."""

    method: Literal["model", Trivial] = identity(
        "model",
        "clip by clip, or a trivial baseline: the start image, or the base model's first clip, again and again (or "
        "forwards and backwards), or (recode) the codec alone: a still clip of each clip's last frame",
    )
    steps: int = identity(50, "denoising steps a clip", ge=1, le=10_000)
    shift: float = identity(5.0, "timestep shift", gt=0)
    alpha: float = identity(
        1.0,
        "how much of what was trained, base + alpha (trained - base): as trained; [P] tries LoRA alpha .2 to 1",
        ge=0,
    )
    solver: Literal["euler", "unipc", "renoise"] = identity(
        "euler",
        "diffusers' FlowMatchEulerDiscrete or UniPCMultistep scheduler, or new noise after every step: what a few-step student "
        "is trained for (self_forcing)",
    )
    guidance: float = identity(5.0, "classifier-free guidance scale; 1 turns it off", ge=0)
    guidance_low: float | None = identity(None, "guidance of the low-noise expert; none: the same", ge=0)
    signal_guidance: float = later(
        1.0,
        "guidance by condition.signal: v_none + s_signal (v_signal - v_none) + s_text (v_both - v_signal) (SVI-Talk: 5); 1: none",
        ge=0,
    )
    signal: Literal["own", "another", "none"] = later(
        "own", "films follow their own signal, that of another one (a control), or none"
    )
    negative_prompt: str = identity("", "what guidance leads away from")
    prompts: Literal["stream", "first"] = identity("stream", "one prompt a clip (Film), or the first for all (Shot)")
    after_prompts: Literal["repeat", "stop"] = later(
        "repeat",
        "after the last prompt: that one again, or the film ends there ([C] v1); stop is refused for a track that lasts longer",
    )
    seed: int = identity(0, "seed of the films", ge=0)
    noise: Literal["film", "seed"] = later(
        "film",
        "a clip's noise is drawn by the film's name and the clip's seed, or [C] by the seed alone, as a published demo is",
    )
    seed_stride: int = identity(42, "seed of clip i = seed of the film + i * stride; 0 fixes it over clips", ge=0)
    handoff: Literal["pixel", "latent"] = identity(
        "pixel", "[C] decoded last frames, encoded again; [N] the last latents"
    )
    fix: Literal["none", "mean_std", "mkl", "histogram"] = later(
        "none",
        "the colours of each later clip made those of the start image, before it is shown and handed on: each channel's mean and "
        "deviation, the whole covariance, or each channel's histogram",
    )
    detector: Literal["off", "statistics"] = later(
        "off", "noise on what is handed on where a clip's channel statistics jump (Helios; off by default there too)"
    )
    overlap_from: Literal["next", "previous"] = later(
        "next",
        "the frames that two clips share are shown as the next one has them ([C] v1: a clip drops its last frames), or as "
        "the previous one has them ([2.0] the next clip drops its first frame; [2.0 Pro] its first 5)",
    )
    pixels: Literal["round", "truncate"] = later(
        "round",
        "decoded frames as 8 bits, shown and handed on: the nearest level, or [C] v1 the one below (half a level darker a clip)",
    )
    samples: int = identity(16, "films a track, at most", ge=1, le=100_000)
    together: int = runtime(16, "films side by side in one batch", ge=1)
    ranks: int | None = runtime(
        None, "processes that a track's films are dealt out to; none: as many as there are GPUs here", ge=1, le=1024
    )
    fps: int | None = later(
        None, "frames a second that films are saved and timed at; none: data.fps; [2.0 Pro] 15", ge=1, le=1000
    )
    lossless: bool = identity(False, "keep every film's frames as an array too; scores then read it, not the mp4")
    length: Literal["seconds", "paper_clips"] = identity(
        "seconds", "the track's true seconds, or the paper's fixed 10 / 50 clips"
    )
    probe_sigma: float = identity(0.3, "standard deviation of the perturbation that gain is measured with", gt=0)

    def film_fps(self, data: DataSettings) -> int:
        """Frames a second of the films."""
        return self.fps or data.fps

    @property
    def guided(self) -> bool:
        """Whether any expert is guided, so that the negative prompt matters."""
        return max(self.guidance, self.guidance if self.guidance_low is None else self.guidance_low) > 1


class SpeedSettings(Frozen):
    """How the transformer is run. Each may change the last digits of a result or more, so each is part of its identity."""

    attention: Literal["auto", "sdpa", "flash"] = identity(
        "auto",
        "flash-attn (the extra flash-attn), torch's SDPA, or auto: flash-attn where it is installed and a GPU is",
    )
    compile: bool = identity(False, "torch.compile of every transformer block")
    offload: Literal["none", "model", "group"] = identity(
        "none", "generation: weights on the card; whole models in turn; or block by block from host memory"
    )
    weights: Literal["as is", "fp8", "int8"] = identity(
        "as is", "generation: base weights stored as float8 (layerwise casting) or int8 (torchao, weight only)"
    )
    cache: Literal["none", "first_block", "taylorseer"] = identity(
        "none", "generation: diffusers' caching hook that skips what changes little between steps"
    )
    cache_threshold: float = identity(
        0.05, "first_block: relative change of the first block below which it skips", gt=0
    )
