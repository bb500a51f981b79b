"""Gates and the image error."""

import pytest
import torch

from svi.error_settings import InjectionSettings
from svi.method.injection import Handcrafted, draw_gates, draw_handcrafted, image_error


def frequencies(settings: InjectionSettings, n: int = 4000) -> dict[str, float]:
    generator = torch.Generator().manual_seed(0)
    drawn = [draw_gates(settings, generator) for _ in range(n)]
    assert not any(g.clean and (g.vid or g.img or g.noi) for g in drawn)
    return {name: sum(getattr(g, name) for g in drawn) / n for name in ("vid", "img", "noi", "clean")}


def test_clean_takes_precedence_over_every_gate() -> None:
    seen = frequencies(InjectionSettings(p_vid=0.9, p_img=0.9, p_noi=0.3, p_clean=0.5))
    assert seen["clean"] == pytest.approx(0.5, abs=0.03)
    assert seen["img"] == pytest.approx(0.45, abs=0.03)  # Film: 0.9 (1 - 0.5)
    assert seen["vid"] == pytest.approx(0.45, abs=0.03)
    assert seen["noi"] == pytest.approx(0.15, abs=0.03)


def test_probability_one_and_zero_are_certain() -> None:
    assert frequencies(InjectionSettings(p_vid=1, p_img=0, p_noi=1, p_clean=0)) == {
        "vid": 1,
        "img": 0,
        "noi": 1,
        "clean": 0,
    }
    assert frequencies(InjectionSettings(p_clean=1))["vid"] == 0


@pytest.mark.parametrize("run", [1, 2, 4])
def test_head_is_a_contiguous_run_on_the_first_latents(run: int) -> None:
    error = torch.arange(1.0, 5.0).reshape(1, 4, 1, 1).expand(2, 4, 3, 3)
    generator = torch.Generator().manual_seed(3)
    starts = set()
    for _ in range(60):
        values = image_error(error, InjectionSettings(img_run=run), generator)[0, :, 0, 0]
        assert values[:run].diff().eq(1).all()
        assert (values[run:] == 0).all()
        starts.add(float(values[0]))
    assert starts == set(range(1, 4 - run + 2))


@pytest.mark.parametrize("run", [1, 2, 4])
def test_the_last_run_is_that_of_the_frames_that_are_handed_on(run: int) -> None:
    error, generator = torch.arange(1.0, 5.0).reshape(1, 4, 1, 1), torch.Generator().manual_seed(3)
    for _ in range(5):
        values = image_error(error, InjectionSettings(img_run=run, img_pick="last"), generator).flatten()
        assert values[:run].tolist() == [1.0, 2.0, 3.0, 4.0][4 - run :]


def test_tile_repeats_one_frame_and_zero_takes_the_whole_error() -> None:
    error = torch.arange(1.0, 5.0).reshape(1, 4, 1, 1)
    generator = torch.Generator().manual_seed(0)
    tiled = image_error(error, InjectionSettings(img_run=1, img_spread="tile"), generator).flatten()
    assert len(set(tiled.tolist())) == 1
    assert torch.equal(image_error(error, InjectionSettings(img_run=0), generator), error)


def test_a_run_longer_than_the_error_is_refused() -> None:
    with pytest.raises(ValueError, match="img_run is 9"):
        image_error(torch.zeros(1, 4, 1, 1), InjectionSettings(img_run=9), torch.Generator())


def test_who_makes_an_error() -> None:
    generator = torch.Generator().manual_seed(0)
    for source, every in (("self", False), ("handcrafted", True)):
        settings = InjectionSettings.model_validate({"source": source})
        assert draw_handcrafted(settings, generator) == Handcrafted(every, every, every)
    drawn = [draw_handcrafted(InjectionSettings(source="both"), generator) for _ in range(2000)]
    for name in ("vid", "img", "noi"):
        assert sum(getattr(one, name) for one in drawn) == pytest.approx(1000, abs=90)
