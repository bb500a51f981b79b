"""The identities of error recycling (docs/method.md), on arbitrary latents and times."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from svi.method import recycle

SHAPE = (3, 2, 4, 2, 2)


@st.composite
def latents(draw: st.DrawFn) -> Tensor:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([0.01, 1.0, 30.0]))
    return scale * torch.randn(SHAPE, generator=generator, dtype=torch.float64)


@st.composite
def times(draw: st.DrawFn) -> Tensor:
    values = st.floats(0, 1, allow_nan=False)
    return torch.tensor([draw(values) for _ in range(SHAPE[0])], dtype=torch.float64)


@given(latents(), latents(), latents(), latents(), latents(), times())
@settings(max_examples=50)
def test_integration_in_both_directions(
    x_vid: Tensor, noise: Tensor, e_vid: Tensor, e_noi: Tensor, v: Tensor, t: Tensor
) -> None:
    """Predicted minus recycled truth, integrated to t = 1 and to t = 0, is (1 - t) r and -t r, whatever was injected."""
    x_noi = noise + e_noi
    x_t = recycle.interpolate(x_vid + e_vid, x_noi, t)
    target = recycle.recycled_target(x_vid, x_noi)
    tt = recycle.over(t, x_t)
    errors = recycle.errors_of(recycle.residual(v, target), t)
    torch.testing.assert_close(errors.vid, (x_t + (1 - tt) * v) - (x_t + (1 - tt) * target))
    torch.testing.assert_close(errors.noi, (x_t - tt * v) - (x_t - tt * target))


@given(latents(), latents(), latents(), times())
@settings(max_examples=50)
def test_without_injection_both_truths_agree(x_vid: Tensor, x_noi: Tensor, v: Tensor, t: Tensor) -> None:
    x_t = recycle.interpolate(x_vid, x_noi, t)
    target = recycle.recycled_target(x_vid, x_noi)
    assert torch.equal(target, x_vid - x_noi)
    by_integration = recycle.errors_of(recycle.residual(v, target), t)
    from_clean = recycle.errors_from_clean(x_t, v, x_vid, x_noi, t)
    torch.testing.assert_close(from_clean.vid, by_integration.vid)
    torch.testing.assert_close(from_clean.noi, by_integration.noi)


@given(latents(), latents(), latents(), latents(), times())
@settings(max_examples=50)
def test_truths_differ_by_t_times_the_injected_error(
    x_vid: Tensor, x_noi: Tensor, e_vid: Tensor, v: Tensor, t: Tensor
) -> None:
    x_t = recycle.interpolate(x_vid + e_vid, x_noi, t)
    by_integration = recycle.errors_of(recycle.residual(v, recycle.recycled_target(x_vid, x_noi)), t)
    from_clean = recycle.errors_from_clean(x_t, v, x_vid, x_noi, t)
    shift = recycle.over(t, x_t) * e_vid
    torch.testing.assert_close(from_clean.vid - by_integration.vid, shift)
    torch.testing.assert_close(from_clean.noi - by_integration.noi, shift)


@given(latents(), latents(), latents())
@settings(max_examples=50)
def test_target_points_to_the_clean_latent(x_vid: Tensor, noise: Tensor, e_noi: Tensor) -> None:
    """From the error-carrying noise, one whole step along the target is the clean latent."""
    x_noi = noise + e_noi
    torch.testing.assert_close(x_noi + recycle.recycled_target(x_vid, x_noi), x_vid)
