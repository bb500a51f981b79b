"""The SVI family as recipes: the figures of the paper and of the authors' releases that are settings here, each with its source.

docs/method.md lists what the authors do otherwise and no setting says.

A member's own figures are the same on both sides; where paper and code disagree, `NAME/paper` and `NAME/code` take a side.
NAME alone is the code's side: the released LoRAs were trained with it. Sources: [P] arXiv 2510.09212, [C] the authors' v1.0 code,
[2.0] their later releases.
"""

from dataclasses import dataclass
from typing import Any

Row = tuple[str, Any, str]  # dotted setting, value, source

SHARED: tuple[Row, ...] = (
    ("train.epochs", 10, "[C]"),
    ("condition.motion_frames", 1, "[C]"),
    ("condition.p_motion", 1.0, "one motion frame: nothing to draw"),
    ("condition.anchor", False, "only [2.0 Pro] has one"),
    ("condition.signal", None, "image and prompts alone; Talk and Dance have one"),
    ("condition.drop_signal", 0.1, "of Talk; nothing where there is no signal"),
    ("condition.drop_image", 0.0, "only Dance drops it"),
    ("train.with_signal", False, "Dance alone trains its encoder along"),
    ("backbone.boundary", None, "the model's own: .9 of Wan 2.2 A14B"),
    ("generate.handoff", "pixel", "[C] decoded last frames, encoded again; [N] last latent"),
    (
        "generate.seed_stride",
        42,
        "[C][2.0] seed of clip i = i * 42; 123 is a default that their command line overrides",
    ),
    ("generate.prompts", "stream", "[C] one prompt a clip"),
    ("generate.after_prompts", "repeat", "a track has one length; [C] v1 stops at the end of the list"),
    ("train.adapter", "lora", "[P][C]"),
    ("train.rank", 128, "[C] LoRA rank; on q, k, v, o and both layers of ffn"),
    ("train.alpha", 128, "[C] alpha = rank"),
    ("train.grad_clip", 1.0, "[C]"),
    ("train.schedule", "constant", "[C]"),
    ("injection.p_vid", 0.9, "[P][C]"),
    ("injection.p_img", 0.9, "[P][C]"),
    ("injection.p_noi", 0.01, "[P][C]"),
    ("injection.img_spread", "head", "[C] added to the first latents of the condition"),
    ("bank.capacity", 500, "[P][C] Z"),
    ("bank.replacement", "l2", "[P]; [C] offers random, fifo, l2"),
    ("flow.inference_steps", 50, "[P][C] slots of the bank"),
    ("flow.slot_grid", "inference", "[P][C] nearest inference timestep"),
    ("flow.shift", 5.0, "[C]"),
    ("generate.steps", 50, "[P][C]"),
    ("generate.shift", 5.0, "[C]"),
    ("generate.solver", "euler", "[C]"),
    ("generate.guidance", 5.0, "[C] test CFG"),
    ("generate.signal_guidance", 1.0, "only Talk guides by its signal"),
    ("generate.overlap_from", "next", "[C] every clip but the last drops its last motion frames"),
    ("generate.fps", None, "the profile's; [C] saves at 24 or 25, its demo at 16"),
    ("generate.length", "paper_clips", "[P][C] 10 / 50 clips: 801 / 4001 frames; Film 765 / 3805"),
)

# Where paper and code disagree. The recipes `paper` and `code` lay these rows over any other recipe.
SIDES: dict[str, tuple[Row, ...]] = {
    "paper": (
        ("train.lr", 2e-5, "[P]"),
        ("injection.p_clean", 0.5, "[P]"),
        ("injection.img_run", 1, "[P] uniform over t and frames"),
        ("injection.img_from", "slots", "[P] uniform over t"),
        ("bank.lists", 1, "[P] names none: one entry for both errors"),
        ("bank.warmup", 20, "[P]"),
        ("bank.warmup_by", "sample", "[P] names none"),
        ("bank.p_clean_update", 1.0, "[P] names none"),
        ("flow.t_sampling", "uniform", "[P] names none"),
        ("flow.loss_weight", "none", "[P] plain MSE"),
        ("flow.truth", "clean", "[P] claims the clean latent"),
        ("backbone.clip_image", "processor", "[P] names none: diffusers'"),
        ("generate.noise", "film", "[P] names none"),
        ("generate.pixels", "round", "[P] names none"),
    ),
    "code": (
        ("train.lr", 1e-4, "[C] scripts"),
        ("injection.p_clean", 0.2, "[C]"),
        ("injection.img_run", 3, "[C] y_error_num"),
        ("injection.img_from", "entries", "[C] over all stored entries of all slots"),
        ("bank.lists", 2, "[C] y_error_buffer and latent_error_buffer"),
        ("bank.warmup", 50, "[C]"),
        ("bank.warmup_by", "rank", "[C] all gathered errors or none, by the rank's own clean flag"),
        ("bank.p_clean_update", 0.1, "[C] clean_buffer_update_prob, 2025-10-21"),
        ("flow.t_sampling", "shifted", "[C] uniform index in the shift-5 table"),
        ("flow.loss_weight", "bell", "[C] w(sigma)"),
        ("flow.truth", "integration", "[C] by integration"),
        ("backbone.clip_image", "squash", "[C] 224 x 224, bicubic"),
        ("generate.noise", "seed", "[C] one generator of the clip's seed"),
        ("generate.pixels", "truncate", "[C] uint8 truncated"),
    ),
}


@dataclass(frozen=True)
class Member:
    """One of the family: what it is, its own rows, what replaces a row of one side, and figures that are no setting."""

    about: str
    rows: tuple[Row, ...]
    sides: dict[str, tuple[Row, ...]]
    notes: tuple[str, ...] = ()


NEGATIVE_V1 = (
    "bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, images, static, overall gray, worst "
    "quality, low quality, JPEG compression residue, ugly, incomplete, extra fingers, poorly drawn hands, poorly drawn faces, "
    "deformed, disfigured, misshapen limbs, fused fingers, still picture, messy background, three legs, many people in the "
    "background, walking backwards"
)
NEGATIVE_WAN = (
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，JPEG压缩残留，丑陋的，残缺的，"
    "多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，"
    "倒着走"
)
_V1: tuple[Row, ...] = (("generate.negative_prompt", NEGATIVE_V1, "[C] fixed in the test script"),)
_V2: tuple[Row, ...] = (("generate.negative_prompt", NEGATIVE_WAN, "[2.0] Wan's own"),)

_ROUNDED: Row = ("generate.pixels", "round", "[C] v1 truncates; of 2.0 it is not known")

_SIZE = "[C] trained at 480 x 832, 81 frames, batch 1 a GPU; the profile sets sizes and batch"

FAMILY: dict[str, Member] = {
    "svi-shot": Member(
        "one scene at any length: one motion frame, the reference image everywhere after it, the first prompt throughout",
        (
            *_V1,
            ("condition.padding", "reference", "[C] padding -1"),
            ("generate.prompts", "first", "[C] first prompt only"),
        ),
        {},
        (_SIZE,),
    ),
    "svi-film": Member(
        "a story: five motion frames, zeros after them, one prompt a clip",
        (
            *_V1,
            ("condition.motion_frames", 5, "[P][C]"),
            ("condition.padding", "zeros", "[C] padding 0"),
        ),
        {
            "paper": (("condition.p_motion", 0.95, "[P]"),),
            "code": (("condition.p_motion", 0.9, "[C]"), ("injection.p_clean", 0.5, "[C] Film .5, others .2")),
        },
        (_SIZE, "effective p_img = 0.9 * (1 - 0.5) = 0.45"),
    ),
    "svi-talk": Member(
        "speech: one motion frame, the reference image everywhere after it, MultiTalk's attention to sound in every block",
        (
            *_V1,
            ("condition.signal", "audio", "[C] wav2vec2, a window of two frames on either side"),
            ("condition.drop_signal", 0.1, "[C] audio dropped"),
            ("condition.padding", "reference", "[C] padding -1"),
            ("generate.fps", 25, "[C] hidden states at 25 a second"),
            ("generate.length", "seconds", "as long as its sound: 60 clips of 81 frames would be 192 s of 300 s"),
            ("generate.guidance", 2.0, "[C] text"),
            ("generate.signal_guidance", 5.0, "[C] audio"),
            ("generate.prompts", "first", "[C] one prompt"),
        ),
        {},
        (
            "[C] trained at 480 x 640 and 25 frames a second, 81 frames, batch 1 a GPU: set data.fps=25; the profile sets the rest",
            "[C] passes no seed: clip i has seed i * 42 here, as Shot's has",
        ),
    ),
    "svi-dance": Member(
        "a skeleton: one motion frame, the reference image everywhere after it, UniAnimate-DiT's encoder of poses",
        (
            *_V1,
            ("train.epochs", 20, "[C]"),
            ("train.with_signal", True, "[C] the pose encoder is trained along"),
            ("condition.signal", "pose", "[C] drawn skeletons, added behind the patch embedding"),
            ("condition.drop_signal", 0.145, "[C] .05 and .1, drawn independently"),
            ("condition.drop_image", 0.1, "[C] image dropped"),
            ("condition.padding", "reference", "[C] padding -1"),
            ("generate.length", "seconds", "as long as its skeletons: the paper's 801 frames end a frame after 50 s"),
            ("generate.guidance", 2.0, "[C] text; the pose stays in both branches"),
            ("generate.prompts", "first", "[C] one prompt"),
        ),
        {"code": (("injection.img_run", 1, "[C] Dance 1, others 3"),)},
        (
            "[C] trained at 832 x 480, 81 frames, batch 1 a GPU; the profile sets sizes and batch",
            "[C] passes no seed: clip i has seed i * 42 here, as Shot's has",
            "[C] starts from UniAnimate-DiT's LoRA, beside which lies the pose encoder: set train.from=FILE, and its train.rank",
        ),
    ),
    "svi-tom": Member(
        "a cartoon Film: one motion frame, zeros after it",
        (
            *_V1,
            ("condition.padding", "zeros", "[C] padding 0"),
            ("train.epochs", None, "not published: train.steps stands"),
        ),
        {},
        (_SIZE, "p_clean and E_img's run of Tom are not published: Shot's stand here"),
    ),
    "svi-2.0": Member(
        "for Wan 2.2 A14B: the last frame, then the anchor image everywhere; a LoRA for each expert",
        (
            *_V2,
            ("condition.padding", "reference", "[2.0] last frame, anchor image x 80"),
            ("generate.overlap_from", "previous", "[2.0] the next clip drops its first frame"),
            ("backbone.boundary", 0.875, "[2.0] the low-noise expert under t = 875"),
        ),
        {"code": (_ROUNDED,)},
        (_SIZE, "training figures of 2.0 are not published: Shot's stand here"),
    ),
    "svi-2.0-pro": Member(
        "2.0 whose hand-off never leaves latent space: anchor latent, the last latents of the clip before, zero latents",
        (
            *_V2,
            ("condition.anchor", True, "[2.0 Pro] anchor latent first"),
            ("condition.motion_frames", 4, "the 4 frames of one latent; the number m of latents is free"),
            ("condition.p_motion", 1.0, "not published"),
            ("condition.padding", "zeros", "[2.0 Pro] zero latents"),
            ("backbone.boundary", 0.875, "[2.0] the low-noise expert under t = 875"),
            ("generate.handoff", "latent", "[2.0 Pro]"),
            (
                "generate.overlap_from",
                "previous",
                "[2.0 Pro] the next clip drops its first 5 frames (--num_overlap_frame 5)",
            ),
        ),
        {
            "code": (
                _ROUNDED,
                ("generate.guidance", 4.0, "[2.0 Pro] the README's command; its argparse has 5"),
                ("generate.fps", 15, "[2.0 Pro] films are saved at 15"),
            ),
        },
        (_SIZE, "training figures of 2.0 Pro are not published: Shot's stand here"),
    ),
}


def side_rows(side: str) -> dict[str, tuple[Any, str]]:
    """Value and source of the rows in dispute, as Film has them."""
    return {key: (value, source) for key, value, source in (*SIDES[side], *FAMILY["svi-film"].sides[side])}


def rows(member: str, side: str) -> dict[str, tuple[Any, str]]:
    """Value and source of every setting of a member on one side ("paper" or "code")."""
    own = FAMILY[member]
    found: dict[str, tuple[Any, str]] = {}
    for key, value, source in (*SHARED, *SIDES[side], *own.rows, *own.sides.get(side, ())):
        found[key] = (value, source)
    return found
