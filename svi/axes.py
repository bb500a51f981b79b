"""A method against drift as settings: one part on each of four axes, and the settings that a part alone reads.

Which parts there are: svi/parts.py, and whatever files of one's own and installed packages add.
"""

from typing import Literal

from svi.settings import Frozen, identity

ERROR_RECYCLING, RESAMPLING, CLIPS, NO_MEMORY = "error_recycling", "resampling", "clips", "none"
STREAM = "stream"  # an objective and a loop of that name


class MethodSettings(Frozen):
    """A method against drift: its training objective, its architecture, its generation loop and its memory.

    `harness list` names the parts; FILE.py:NAME is one of your own (docs/extend.md).
    """

    objective: str = identity(ERROR_RECYCLING, "what a training step minimises", min_length=1)
    architecture: Literal["bidirectional", "causal"] = identity(
        "bidirectional", "every latent frame sees all, or a block sees itself and what came before"
    )
    block: int = identity(1, "causal: latent frames of a block", ge=1)
    generation: str = identity(CLIPS, "how the frames of a film come about", min_length=1)
    memory: str = identity(NO_MEMORY, "what a generator keeps of the past beside the last frames", min_length=1)


class ForcingSettings(Frozen):
    """Diffusion forcing: a noise level for each latent frame, in training and in films."""

    chunk: int = identity(
        1, "training: latent frames that share a noise level; what is left over is the first chunk", ge=1
    )
    p_history: float = identity(
        0.5,
        "training: probability that the first frames are clean, as many as a film hands on or fewer; 0: arXiv 2407.01392, where "
        "levels are uniform (at flow.shift 5 only 2 % of them are below sigma .1, and the history of a film always is)",
        ge=0,
        le=1,
    )
    sigma_h: float = identity(
        0.0,
        "films: noise level of the history, which is told to the model: 0 clean, a little is arXiv 2407.01392's stabilised rollout",
        ge=0,
        lt=1,
    )
    weight: float = identity(
        1.0, "films: v_masked + weight (v - v_masked), history masked by noise (arXiv 2502.06764); 1: no guidance", ge=0
    )
    stagger: float = identity(
        0.0,
        "films: steps by which each new latent frame lags behind the one before (arXiv 2407.01392, pyramid); 0: none",
        ge=0,
    )


class ResamplingSettings(Frozen):
    """Resampling Forcing (arXiv 2512.15702); its shift of noise levels is exp(mean), and its figures are not published here."""

    mean: float = identity(0.0, "of the logit-normal noise level that the past is finished from: more is more noise")
    deviation: float = identity(1.0, "standard deviation of that", ge=0)
    steps: int = identity(3, "Euler steps that finish it, each a forward pass of the clip without gradient", ge=1)
    warmup: float = identity(0.1, "share of the training steps before it, with true pasts", ge=0, le=1)
    frame: Literal["first", "last"] = identity(
        "first",
        "errors of the clip's first latent frames, which its condition shows, or of its last, which it would hand on",
    )

    def check(self, *, whole: bool, given: bool) -> None:
        """Raises ValueError for a model that does not work at all noise levels (`whole`), or is given what it should make."""
        if not whole:
            raise ValueError(
                "method.objective=resampling finishes a clip from noise, and of two experts neither can while it is trained alone; "
                "use a model of one transformer, or another objective"
            )
        if given and self.frame == "first":
            raise ValueError(
                "resampling.frame=first: this model is given the first latent frames clean and makes nothing of them that could be "
                "wrong; set resampling.frame=last"
            )


class StreamSettings(Frozen):
    """A stream: a buffer of latent frames at rising noise (StreamDiT, arXiv 2507.03745)."""

    chunk: int = identity(
        1, "latent frames of a chunk (c), at most half of a clip's; 1: Rolling Diffusion (arXiv 2402.09470)", ge=1
    )
    mixed: bool = identity(
        True,
        "training: each sample's chunks have a size of their own, any that films may have (arXiv 2507.03745); false: "
        "stream.chunk for all",
    )
    whole: float = identity(
        0.2,
        "training: share of ordinary clips, one noise level behind the first frame: a stream begins with one",
        ge=0,
        le=1,
    )
    micro_steps: int | None = identity(
        None,
        "films: denoising steps from one chunk to the next (s); none: as many a film as generate.steps a clip would be",
        ge=1,
    )

    @staticmethod
    def largest_chunk(clip_frames: int, latent_frames: int) -> int:
        """Where a latent holds several frames, a clip's first one holds one and no chunk ever has its place."""
        return (latent_frames - (clip_frames > latent_frames)) // 2

    def check_chunk(self, clip_frames: int, latent_frames: int) -> None:
        """Raises ValueError if fewer than two chunks have room in a clip."""
        most = self.largest_chunk(clip_frames, latent_frames)
        if self.chunk > most:
            raise ValueError(
                f"stream.chunk is {self.chunk}; a stream's buffer has at least two chunks, and a clip has {latent_frames} latent "
                f"frames: set at most {most}"
            )


class CacheSettings(Frozen):
    """Keys and values of the past, which a loop over blocks remembers: how much, and in which order it is forgotten."""

    frames: int | None = identity(
        None, "latent frames that are remembered; none: as many as a training clip shows before its last block", ge=1
    )
    first: int = identity(
        1,
        "of these: sink, the film's first ones (LongLive); ema, frames that what leaves the window flows into (Reward Forcing); "
        "sparse, ones that are older than the window",
        ge=0,
    )
    decay: float = identity(
        0.999, "ema: what a frame keeps of itself when another flows in (Reward Forcing)", ge=0, le=1
    )
    every: int = identity(4, "sparse: of the frames that leave the window, one in so many is remembered", ge=1)
    noise: float = identity(
        0.0,
        "sigma of the frames that are remembered, in training and in films (Self-Forcing's context noise: 0)",
        ge=0,
        lt=1,
    )


class RolloutSettings(Frozen):
    """Films of the model in training, made in its training, that it learns from; with the film's own sampler (generate.*)."""

    clips: int = identity(
        4,
        "clips of a film: self_rollout takes a condition behind each of the first K, self_forcing draws 1 to K for a step, bagger "
        "reverses all",
        ge=1,
    )
    starts: int = identity(
        48, "self_rollout, bagger: films made at a time, over all ranks, each from a true start", ge=1
    )
    every: int = identity(
        250, "self_rollout: steps until the films are made anew; bagger: until more are added, a round of DAgger", ge=1
    )
    share: float = identity(
        0.5,
        "self_rollout: probability of a condition of its own; bagger: of a reversed clip (mixed half and half)",
        ge=0,
        le=1,
    )
    consistency: float = identity(
        0.1, "self_rollout: weight of |first frame of the estimate - condition|^2 ([N] names no weight)", ge=0
    )


class DistillationSettings(Frozen):
    """self_forcing: the teacher and the critic of distribution matching. Its student has generate.steps steps."""

    critic_updates: int = identity(5, "updates of the critic after each of the student (Self-Forcing's code: 5)", ge=1)
    critic_lr: float = identity(
        0.2, "the critic's learning rate as a share of train.lr (Self-Forcing's code: 4e-7 of 2e-6)", gt=0
    )
    guidance: float = identity(
        1.0, "classifier-free guidance of the teacher (Self-Forcing's code: 3); 1 turns it off", ge=0
    )
