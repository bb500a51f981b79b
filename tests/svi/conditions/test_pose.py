"""A film's skeletons are read as the film asks for them; the encoder computes what UniAnimate's does, on diffusers' transformer."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from svi.backbones.adapters import showing
from svi.backbones.tiny import TinyBackbone
from svi.backbones.wrapped import LORA_TARGETS
from svi.conditions.pose import PoseAdapter, open_pose
from svi.data.open_video import OpenVideo
from svi.settings import ConditionSettings, DataSettings, TinySettings
from tests.svi.conditions.poses import SHARED, walk
from tests.svi.data.videos import levels, make_video, tear

CHANNELS = 24
SETTINGS = DataSettings(height=16, width=24, fps=8)


# Reading


def test_a_clip_is_the_videos_frames_at_the_films_rate_and_size(tmp_path: Path) -> None:
    film = open_pose(make_video(tmp_path / "a.mp4"), 20, SETTINGS)  # 3 s at 16 frames a second
    clip = film.clip(4, 5)
    assert clip.shape == (5, 16, 24, 3)
    assert clip.dtype == torch.uint8
    assert np.abs(levels(clip.numpy()) - np.linspace(0, 250, 48)[8:18:2]).max() < 4


def test_behind_the_films_end_its_last_frame_stays(tmp_path: Path) -> None:
    """And what the video has beyond the film is not shown."""
    film = open_pose(make_video(tmp_path / "a.mp4"), 12, SETTINGS)
    clip = film.clip(10, 6)
    assert torch.equal(clip[1:], film.clip(11, 1).expand(5, -1, -1, -1))
    assert not torch.equal(clip[0], clip[1])


def test_a_video_that_is_too_short_says_how_long_the_film_may_be(tmp_path: Path) -> None:
    file = make_video(tmp_path / "a.mp4")
    with pytest.raises(
        ValueError, match=r"24 frames at 8 a second, and the film has 33: received 4.12 s, possible are 3 s"
    ):
        open_pose(file, 33, SETTINGS)
    assert open_pose(file, 24, SETTINGS).clip(23, 1).shape[0] == 1


def test_key_points_are_drawn(tmp_path: Path) -> None:
    np.savez(tmp_path / "walk.npz", **walk(frames=16, fps=16))
    clip = open_pose(tmp_path / "walk.npz", 8, SETTINGS).clip(0, 8)
    assert clip.shape == (8, 16, 24, 3)
    assert clip.flatten(1).any(1).all()
    with pytest.raises(ValueError, match="possible are 1 s"):
        open_pose(tmp_path / "walk.npz", 9, SETTINGS)


def test_what_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no such thing")
    with pytest.raises(ValueError, match=r"a.mp4: received no readable video .*key points"):
        open_pose(tmp_path / "a.mp4", 1, SETTINGS)
    whole = make_video(tmp_path / "b.mp4", frames=480)
    tear(tmp_path / "torn.mp4", whole, 0.3, 0.6)
    film = open_pose(tmp_path / "torn.mp4", 240, SETTINGS)
    with pytest.raises(ValueError, match=r"torn.mp4: frames .* cannot be read"):
        film.clip(0, 240)
    with pytest.raises(ValueError, match=r"torn.mp4: frame \d+ of its skeletons cannot be read"):
        film.keep(tmp_path / "kept")


def test_only_a_clip_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = OpenVideo.frames

    def watched(self: OpenVideo, picks: Any) -> Any:
        asked.extend(picks)
        return original(self, picks)

    monkeypatch.setattr(OpenVideo, "frames", watched)
    film = open_pose(make_video(tmp_path / "a.mp4"), 24, SETTINGS)
    assert asked == []
    film.clip(3, 4)
    assert asked == [3, 4, 5, 6]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared test data is not here")
def test_a_published_pose_video_at_another_rate_and_size() -> None:
    """223 frames of 608 x 1088 at 24 a second; the skeleton stands where it stood, and black stays black."""
    film = open_pose(SHARED / "pose.mp4", 148, DataSettings(height=208, width=112, fps=16))
    clip = film.clip(60, 9)
    assert clip.shape == (9, 208, 112, 3)
    whole = OpenVideo(SHARED / "pose.mp4", DataSettings(height=1088, width=608, fps=24)).frames([99])[0]
    small, large = clip[6].numpy().max(-1) > 40, whole.max(-1) > 40  # frame 66 at 16 a second is frame 99 at 24
    for axis in (0, 1):
        own, theirs = (np.argwhere(picture.any(1 - axis))[:, 0] / picture.shape[axis] for picture in (small, large))
        assert abs(own.min() - theirs.min()) < 0.03
        assert abs(own.max() - theirs.max()) < 0.03
    assert (clip[:, :30] < 20).all()
    with pytest.raises(ValueError, match=r"received 50.06 s, possible are 9.25 s"):
        open_pose(SHARED / "pose.mp4", 801, DataSettings(height=208, width=112, fps=16))


# The encoder


def wan() -> WanTransformer3DModel:
    torch.manual_seed(0)
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=CHANNELS // 2,
        in_channels=8,
        out_channels=8,
        text_dim=16,
        freq_dim=16,
        ffn_dim=32,
        num_layers=2,
        cross_attn_norm=True,
        rope_max_seq_len=32,
    )


def attached(transformer: WanTransformer3DModel) -> PoseAdapter:
    torch.manual_seed(1)
    adapter = PoseAdapter(CHANNELS, frames_a_latent=4, side=16)
    adapter.attach(transformer)
    return adapter


def trained(adapter: PoseAdapter) -> PoseAdapter:
    """With weights that are not zero anywhere."""
    torch.manual_seed(2)
    for parameter in adapter.parameters():
        nn.init.normal_(parameter, std=0.1)
    return adapter


def clip(frames: int = 9, clips: int = 2) -> Tensor:
    return torch.randint(
        0, 256, (clips, frames, 32, 48, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )


def run(transformer: nn.Module, pose: Tensor | None, clips: int = 2) -> Tensor:
    """One forward on three latent frames of 4 x 6 latents: 2 x 3 tokens."""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(clips, 8, 3, 4, 6, generator=generator)
    text = torch.randn(clips, 5, 16, generator=generator)
    with showing(transformer, {} if pose is None else {"pose": pose}):
        out: Tensor = transformer(x, torch.full((clips,), 500.0), text, return_dict=False)[0]
    return out


def by_hand(weights: dict[str, Tensor], pose: Tensor) -> Tensor:
    """What UniAnimate-DiT computes: seven convolutions, on frames in front of which the first stands three times."""
    strides = [(1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2)]
    frames = [pose[:, 0], pose[:, 0], pose[:, 0], *pose.unbind(1)]
    x = torch.stack(frames, dim=1).float().div(255.0).permute(0, 4, 1, 2, 3)
    for i, stride in enumerate(strides):
        x = F.silu(x) if i else x
        x = F.conv3d(x, weights[f"encoder.{2 * i}.weight"], weights[f"encoder.{2 * i}.bias"], stride, int(i < 6))
    return x


def test_until_it_is_trained_no_bit_changes() -> None:
    plain = wan()
    adapted = copy.deepcopy(plain)
    attached(adapted)
    assert torch.equal(run(adapted, clip()), run(plain, None))
    assert torch.equal(run(adapted, None), run(plain, None))


def test_without_a_pose_or_with_a_black_one_no_bit_changes() -> None:
    plain = wan()
    adapted = copy.deepcopy(plain)
    trained(attached(adapted))
    expected = run(plain, None)
    assert torch.equal(run(adapted, None), expected)
    mixed = clip()
    mixed[1] = 0
    out = run(adapted, mixed)
    assert torch.equal(out[1], expected[1])
    assert not torch.allclose(out[0], expected[0], atol=1e-3)


def test_tokens_carry_what_is_computed_by_hand() -> None:
    transformer = wan()
    adapter = trained(attached(transformer))
    expected = by_hand(adapter.state_dict(), clip())
    assert expected.shape == (2, CHANNELS, 3, 2, 3)
    assert torch.allclose(adapter(clip()), expected, rtol=1e-4, atol=1e-4)
    seen: list[Tensor] = []
    transformer.patch_embedding.register_forward_hook(lambda _, __, out: seen.append(out))
    run(transformer, None)
    run(transformer, clip())
    assert torch.allclose(seen[1] - seen[0], expected, rtol=1e-3, atol=1e-3)


def test_the_frames_of_wan_14b() -> None:
    """81 + 3 frames -> 21, and 16 pixels -> one token, before any weight is looked at."""
    encoder = PoseAdapter(5120, 4, 16).to("meta")
    assert encoder(torch.zeros(1, 81, 64, 96, 3, device="meta")).shape == (1, 5120, 21, 4, 6)
    sizes = [tuple(layer.weight.shape) for layer in encoder.encoder if isinstance(layer, nn.Conv3d)]
    assert sizes == [(16, 3, 3, 3, 3), *[(16, 16, 3, 3, 3)] * 5, (5120, 16, 1, 2, 2)]


@pytest.mark.parametrize(
    ("frames_a_latent", "side", "shape"), [(1, 8, (9, 4, 6)), (2, 32, (5, 1, 2)), (4, 1, (3, 32, 48))]
)
def test_other_compressions(frames_a_latent: int, side: int, shape: tuple[int, int, int]) -> None:
    pose = clip()[:, :, :, : 64 if side == 32 else 48]
    pose = F.pad(pose, (0, 0, 0, 16)) if side == 32 else pose
    assert PoseAdapter(4, frames_a_latent, side)(pose.float()).shape == (2, 4, *shape)


def test_the_embedded_backbone_takes_it(backbone: TinyBackbone) -> None:
    """Which does not compress time, and whose token is 8 x 8 pixels."""
    transformer: Any = backbone.transformers["transformer"]
    torch.manual_seed(0)
    adapter = PoseAdapter(transformer.patch_embedding.out_channels, 1, 2 * TinySettings().codec_patch)
    adapter.attach(transformer)
    trained(adapter)
    x = torch.randn(2, *backbone.latent_shape)
    still = torch.zeros(2, 1, 16, 16, 3, dtype=torch.uint8)
    condition = backbone.condition(still, still[:, 0], ConditionSettings(motion_frames=1, padding="zeros"))
    text = backbone.encode_text(["a", "b"])

    def velocity(pose: Tensor | None) -> Tensor:
        given = condition if pose is None else condition | {"pose": pose}
        with showing(transformer, given):
            return backbone.velocity(transformer, x, torch.full((2,), 0.5), given, text)

    pose = torch.randint(0, 256, (2, backbone.clip_frames, 16, 16, 3), dtype=torch.uint8)
    assert torch.equal(velocity(torch.zeros_like(pose)), velocity(None))
    assert not torch.allclose(velocity(pose), velocity(None), atol=1e-3)


def test_features_follow_their_frame() -> None:
    """Without compression in time, a change of the last frame alone reaches the frames that three-frame kernels let it reach."""
    adapter = trained(PoseAdapter(4, 1, 8))
    pose = clip(frames=12, clips=1).float()
    other = pose.clone()
    other[:, -1] = 255 - other[:, -1]
    moved = (adapter(pose) - adapter(other)).abs().amax((0, 1, 3, 4))
    assert (moved[:5] == 0).all()
    assert (moved[6:] > 0).all()


def test_gradients_with_checkpointing_are_the_same() -> None:
    def gradients(checkpointed: bool) -> list[Tensor]:
        transformer = wan().train()
        adapter = trained(attached(transformer))
        if checkpointed:
            transformer.enable_gradient_checkpointing()
        run(transformer, clip()).square().mean().backward()
        return [parameter.grad for parameter in adapter.parameters()]

    plain, checkpointed = gradients(False), gradients(True)
    assert all(gradient.abs().max() > 0 for gradient in plain)
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-9) for a, b in zip(plain, checkpointed, strict=True))


def test_it_learns_from_zero() -> None:
    """The first layer moves once the last one has."""
    transformer = wan()
    adapter = attached(transformer)
    optimiser = torch.optim.SGD(adapter.parameters(), lr=1.0)
    first = adapter.encoder[0].weight.detach().clone()
    for _ in range(2):
        optimiser.zero_grad()
        run(transformer, clip()).square().mean().backward()
        optimiser.step()
    assert adapter.encoder[-1].weight.abs().max() > 0
    assert not torch.equal(adapter.encoder[0].weight, first)


def test_a_deep_copy_has_an_encoder_of_its_own() -> None:
    transformer = wan()
    adapter = trained(attached(transformer))
    twin = copy.deepcopy(transformer)
    expected = run(twin, clip())
    assert torch.equal(expected, run(transformer, clip()))
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.zero_()
    assert torch.equal(run(twin, clip()), expected)
    assert not torch.allclose(run(transformer, clip()), expected, atol=1e-3)


def test_a_lora_goes_on_top() -> None:
    transformer = wan()
    trained(attached(transformer))
    before, without = run(transformer, clip()), run(transformer, None)
    peft = get_peft_model(transformer, LoraConfig(r=2, lora_alpha=2, target_modules=list(LORA_TARGETS)))
    assert not [name for name, _ in peft.named_parameters() if "lora" in name and "pose" in name]
    assert torch.equal(run(peft, clip()), before)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    assert not torch.allclose(run(peft, clip()), before, atol=1e-3)
    assert not torch.allclose(run(peft, clip()), run(peft, None), atol=1e-3)
    assert not torch.allclose(before, without, atol=1e-3)


def test_half_precision_takes_pixels_exactly() -> None:
    transformer = wan()
    adapter = trained(attached(transformer))
    transformer.to(torch.bfloat16)
    adapter.float()
    with showing(transformer, {"pose": clip()}):
        assert adapter.given is not None
        assert torch.equal(adapter.given.float(), clip().float())
        assert torch.allclose(adapter(adapter.given), by_hand(adapter.state_dict(), clip()), rtol=1e-4, atol=1e-4)


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: PoseAdapter(4, 4, 12), "pixels of a token's side: received 12, expected a power of two"),
    (lambda: PoseAdapter(4, 3, 16), "frames of a latent frame: received 3"),
    (lambda: PoseAdapter(4, 4, 0), "received 0"),
    (lambda: PoseAdapter(4, 4, 16).attach(wan()), "encoder of 4 channels, expected 24"),
]


@pytest.mark.parametrize(("build", "said"), REFUSED)
def test_what_does_not_fit_is_refused(build: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build()


def test_a_pose_of_another_size_is_refused() -> None:
    transformer = wan()
    attached(transformer)
    with pytest.raises(
        ValueError, match=r"pose \[2, 5, 32, 48, 3\].* expected as many as the clip has tokens, \[2, 24, 3, 2, 3\]"
    ):
        run(transformer, clip(frames=5))
