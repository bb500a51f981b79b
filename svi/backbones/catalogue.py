"""Which models there are, and the clips that each is made for. Loads nothing."""

from dataclasses import dataclass

from svi.settings import ConditionSettings, DataSettings, TinySettings

FOLDER = "folder"  # the name of a backbone that is whatever its folder holds
EXPERT, LOW_NOISE = "transformer", "transformer_2"  # as diffusers names them: the only or high-noise one, and the other


@dataclass(frozen=True)
class Geometry:
    """The shapes that a model is made for, as its config files say."""

    z_dim: int = 16
    spatial: int = 8
    """Pixels of a latent's side."""
    frames_a_latent: int = 4
    patch: int = 2
    """Latents of a token's side."""
    experts: tuple[str, ...] = (EXPERT,)
    boundary: float | None = None
    """Two experts: the noise level from which on the first works."""
    image_dim: int | None = None
    """Channels of the CLIP feature; None: the model takes none."""
    expand_timesteps: bool = False
    """Given latents replace noisy ones and have timestep 0 (TI2V-5B), instead of lying beside them in further channels."""

    @property
    def side(self) -> int:
        """Height and width are multiples of this, pixels."""
        return self.spatial * self.patch

    @property
    def mask_channels(self) -> int:
        """Mask channels before the condition latents: one a pixel frame of a latent, or one in all."""
        return 1 if self.expand_timesteps else self.frames_a_latent

    @property
    def conditioning(self) -> str:
        """How the image gets in, in words."""
        if self.expand_timesteps:
            return "given latents, clean at timestep 0"
        return "condition latents" if self.image_dim is None else "condition latents, CLIP feature"

    def latent_frames(self, frames: int) -> int:
        """Latent frames that hold a clip's last `frames` pixel frames, or the whole clip."""
        return -(-frames // self.frames_a_latent)

    def latent_shape(self, height: int, width: int, frames: int) -> tuple[int, int, int, int]:
        """[C, T, h, w] of a clip. Raises ValueError as `check_size` does."""
        self.check_size(height, width, frames)
        return self.z_dim, self.latent_frames(frames), height // self.spatial, width // self.spatial

    def check_size(self, height: int, width: int, frames: int) -> None:
        """Raises ValueError for a clip that does not divide into tokens, with the nearest sizes that do."""
        if height % self.side or width % self.side:
            near = " x ".join(str(max(round(size / self.side), 1) * self.side) for size in (height, width))
            raise ValueError(
                f"data.height x data.width is {height} x {width}; this model needs multiples of {self.side} "
                f"({self.spatial} pixels a latent, {self.patch} latents a token), such as {near}"
            )
        if (frames - 1) % self.frames_a_latent:
            near = str(max(round((frames - 1) / self.frames_a_latent), 1) * self.frames_a_latent + 1)
            raise ValueError(
                f"data.clip_frames is {frames}; this model needs {self.frames_a_latent} k + 1 frames, such as {near}"
            )

    def check_condition(self, condition: ConditionSettings) -> None:
        """Raises ValueError for a condition that would do nothing, or fall between latent frames, in this model."""
        if self.expand_timesteps and condition.padding != "zeros":
            raise ValueError(
                f"condition.padding is {condition.padding!r}; this model is given the motion frames alone, and nothing after "
                "them: set condition.padding=zeros"
            )
        extra = 0 if condition.anchor else 1
        if self.expand_timesteps and condition.motion_frames % self.frames_a_latent != extra:
            raise ValueError(
                f"condition.motion_frames is {condition.motion_frames}; this model is given whole latents, which hold "
                f"{self.frames_a_latent} k + {extra} frames{' behind an anchor' if condition.anchor else ''}"
            )


@dataclass(frozen=True)
class Published:
    """A published model: its repository on the hub, its size, and the clips that it was made for."""

    repository: str
    download: int
    """GB, about."""
    parameters: float
    """1e9, of all transformers."""
    height: int
    width: int
    frames: int
    fps: int
    geometry: Geometry


_A14B = Geometry(experts=(EXPERT, LOW_NOISE), boundary=0.9)
_CLIP = Geometry(image_dim=1280)
_5B = Geometry(z_dim=48, spatial=16, expand_timesteps=True)

MODELS: dict[str, Published] = {
    "wan2.1-i2v-14b-480p": Published("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers", 91, 16.4, 480, 832, 81, 16, _CLIP),
    "wan2.1-i2v-14b-720p": Published("Wan-AI/Wan2.1-I2V-14B-720P-Diffusers", 91, 16.4, 720, 1280, 81, 16, _CLIP),
    "wan2.2-i2v-a14b": Published("Wan-AI/Wan2.2-I2V-A14B-Diffusers", 126, 28.6, 480, 832, 81, 16, _A14B),
    "wan2.2-ti2v-5b": Published("Wan-AI/Wan2.2-TI2V-5B-Diffusers", 34, 5.0, 704, 1280, 121, 24, _5B),
}

TINY_FRAMES = 64  # positions of the tiny transformer's rotary embedding
MASK_CHANNELS = 4  # as in Wan, where they are the four pixel frames of a latent frame


def tiny_frames_a_latent(tiny: TinySettings) -> int:
    """Pixel frames of a latent frame of the embedded backbone, but for the first one, which holds one."""
    return tiny.codec_frames if tiny.codec == "wan" else 1


def tiny_latent_shape(tiny: TinySettings, data: DataSettings) -> tuple[int, int, int, int]:
    """[C, T, h, w] of the embedded backbone's clips. Raises ValueError for a clip that its codec or transformer cannot take."""
    if data.clip_frames > TINY_FRAMES:
        raise ValueError(
            f"data.clip_frames is {data.clip_frames}; the tiny backbone takes at most {TINY_FRAMES} frames a clip"
        )
    side, components = tiny.patch * tiny.codec_patch, 3 * tiny.codec_patch**2
    if data.height % side or data.width % side:
        raise ValueError(
            f"data.height x data.width is {data.height} x {data.width}; the tiny backbone needs multiples of {side} "
            "(tiny.codec_patch times tiny.patch)"
        )
    if tiny.codec == "wan":
        _check_wan_codec(tiny, data)
    elif tiny.latent_channels > components:
        raise ValueError(
            f"tiny.latent_channels is {tiny.latent_channels}, but a patch of the codec has {components} "
            "components; set at most that, or a larger tiny.codec_patch"
        )
    frames = 1 + (data.clip_frames - 1) // tiny_frames_a_latent(tiny)
    return tiny.latent_channels, frames, data.height // tiny.codec_patch, data.width // tiny.codec_patch


def _check_wan_codec(tiny: TinySettings, data: DataSettings) -> None:
    """Raises ValueError for what an AutoencoderKLWan cannot take."""
    if tiny.codec_patch not in (4, 8):
        raise ValueError(f"tiny.codec_patch is {tiny.codec_patch}; with tiny.codec=wan set 4 or 8")
    if (data.clip_frames - 1) % tiny.codec_frames:
        near = tiny.codec_frames * max(round((data.clip_frames - 1) / tiny.codec_frames), 1) + 1
        raise ValueError(
            f"data.clip_frames is {data.clip_frames}; with tiny.codec=wan a clip has {tiny.codec_frames} k + 1 frames, such as "
            f"{near}"
        )
