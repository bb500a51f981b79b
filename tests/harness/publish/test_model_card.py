"""The card of a transformer that was trained whole: what it is of, and how it is opened."""

from harness.publish.model_card import about, card

MANIFEST = {"signature": "5a", "label": "full, seed 0", "upstream": {}, "facts": {}}


def made(identity: dict[str, object]) -> str:
    return card(None, about({**MANIFEST, "identity": identity}, None, ()), "full")


def test_the_embedded_model_is_of_no_use_elsewhere() -> None:
    said = made({"backbone.name": "tiny"})
    assert "All parameters of a transformer, the embedded tiny world, trained" in said
    assert 'WanTransformer3DModel.from_pretrained("FOLDER")`. It knows the embedded world alone' in said


def test_a_backbone_of_ones_own_is_opened_by_its_own_class() -> None:
    said = made({"backbone.name": "Mosaic", "backbone.source": "5a" * 32})
    assert "All parameters of a transformer of Mosaic, trained" in said
    assert '`from_pretrained("FOLDER")` of the transformer\'s own class, which Mosaic has.' in said
    assert "WanTransformer3DModel" not in said
