"""An image as tokens: where what is in it can be found, and at which size."""

import torch

from svi.method.anchor_tokens import anchor_tokens


def test_a_part_of_the_image_is_one_token() -> None:
    """Another colour in one corner changes that corner's token alone; the same content elsewhere is another token."""
    image = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    changed = image.clone()
    changed[:, :, 3, 0] += 1
    same = (anchor_tokens(image, 16) == anchor_tokens(changed, 16)).all(dim=2)[0]
    assert same.nonzero().flatten().tolist() == [i for i in range(16) if i != 12]
    flat = anchor_tokens(torch.ones(1, 8, 8, 8), 16)[0]
    assert len(torch.unique(flat, dim=0)) == 16


def test_tokens_are_as_large_as_words() -> None:
    images = torch.randn(64, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    tokens = anchor_tokens(images, 24)
    assert tokens.shape == (64, 16, 24)
    assert 0.5 < float(tokens.std()) < 1.5
    assert torch.equal(tokens[:3], anchor_tokens(images[:3], 24))
