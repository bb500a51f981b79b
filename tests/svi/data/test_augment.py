"""First-frame augmentation: what changes, what does not, and that it depends on its key alone."""

import numpy as np
import torch

from svi.data import world
from svi.data.augment import augmented

FRAMES = world.render([world.draw_scene(np.random.default_rng(0), 32, 32)] * 6)


def test_each_frame_is_changed_by_draws_of_its_own() -> None:
    still = FRAMES[:1].repeat(12, axis=0)
    changed = augmented(still, 7, 0, 0)
    assert changed.shape == still.shape
    assert changed.dtype == torch.uint8
    means = {tuple(frame.float().mean((0, 1)).tolist()) for frame in changed}
    assert len(means) > 6  # [C] draws for every motion frame


def test_some_frames_stay_and_none_is_lost() -> None:
    """Nothing is drawn with (1 - .7) (1 - .5) (1 - .25); what is seen in a frame is still seen."""
    changed = torch.cat([augmented(FRAMES, 7, clip, 0) for clip in range(100)]).float()
    true = torch.from_numpy(FRAMES).repeat(100, 1, 1, 1).float()
    same = float((changed == true).flatten(1).all(1).float().mean())
    assert 0.3 * 0.5 * 0.75 - 0.04 < same < 0.3 * 0.5 * 0.75 + 0.04
    pairs = zip(changed.flatten(1), true.flatten(1), strict=True)
    alike = [float(torch.corrcoef(torch.stack(pair))[0, 1]) for pair in pairs]
    assert min(alike) > 0.3
    assert sum(alike) / len(alike) > 0.9


def test_it_depends_on_the_key_alone() -> None:
    torch.manual_seed(5)
    one, after = augmented(FRAMES, 7, 3, 1), torch.rand(())
    torch.manual_seed(5)
    assert torch.equal(torch.rand(()), after)  # others' draws stay as they were
    assert torch.equal(augmented(FRAMES, 7, 3, 1), one)
    assert not torch.equal(augmented(FRAMES, 7, 3, 2), one)
