"""Error recycling: injection, the recycled target and the one-step errors, as pure functions.

Shapes: latents X_BCTHW, times t_B or, where every latent frame has its own, t_BT, gates bool [B]. Source: arXiv 2510.09212,
section 4; svi-algorithm equations in docs/method.md.
"""

from typing import NamedTuple

from torch import Tensor


class Errors(NamedTuple):
    """One-step errors by the latent they belong to, each shaped like the latent."""

    vid: Tensor
    noi: Tensor


def over(t: Tensor, like: Tensor) -> Tensor:
    """A scalar a sample [B], or one a latent frame [B, T], shaped to multiply a latent [B, C, T, h, w]."""
    if t.dim() == 2:
        return t[:, None, :, None, None]
    return t.reshape(-1, *[1] * (like.dim() - 1))


def interpolate(x_vid: Tensor, x_noi: Tensor, t: Tensor) -> Tensor:
    """X_t = t X_vid + (1 - t) X_noi."""
    t = over(t, x_vid)
    return t * x_vid + (1 - t) * x_noi


def recycled_target(x_vid: Tensor, x_noi_injected: Tensor) -> Tensor:
    """V_rcy = X_vid - X_noi~: from the error-carrying noise to the *clean* latent."""
    return x_vid - x_noi_injected


def residual(velocity: Tensor, target: Tensor) -> Tensor:
    """r = v - V_rcy. With the truth by integration, r and t represent both one-step errors."""
    return velocity - target


def errors_of(r: Tensor, t: Tensor) -> Errors:
    """E_vid = (1 - t) r and E_noi = -t r: one-step integration in both directions, truth by integration (authors' code)."""
    t = over(t, r)
    return Errors((1 - t) * r, -t * r)


def errors_from_clean(x_t: Tensor, velocity: Tensor, x_vid: Tensor, x_noi_injected: Tensor, t: Tensor) -> Errors:
    """The errors against the latents themselves (notes; claimed by the paper) instead of the integrated truth.

    E_vid = [X_t~ + (1 - t) v] - X_vid and E_noi = [X_t~ - t v] - X_noi~. Differs from `errors_of` by t E where E_vid was injected.
    """
    t = over(t, x_t)
    return Errors(x_t + (1 - t) * velocity - x_vid, x_t - t * velocity - x_noi_injected)
