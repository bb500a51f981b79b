"""`harness lora`: LoRA files of the field, what they hold, and from any format to any other."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands.options import STORE, Number
from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.core.signature import canonical
from harness.core.store import MANIFEST, Store, is_store
from harness.declare.numbers import LARGEST
from harness.plan.kinds import TRAIN
from harness.publish.model_card import About, Adapter, about, card, scores_of
from svi.artifacts import CHECKPOINTS, LATEST, LORA
from svi.foreign import listed, read_object
from svi.lora.keys import FORMATS, Format, of_image

if TYPE_CHECKING:
    from svi.lora.files import LoraWeights


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path), required=False)
@click.option("--format", "form", help="of TARGET: peft (a folder), svi1, svi2, comfyui or diffusers")
@click.option(
    "--alpha", type=Number(-LARGEST), default=None, help="of a checkpoint that does not say it  [default: its rank]"
)
@STORE
def lora(source: Path, target: Path | None, form: str | None, alpha: float | None, store: Path) -> None:
    """A LoRA in another format, or without TARGET what it holds; from any file or folder, a trained variant or a checkpoint."""
    if target is None or form is None:
        if target is not None or form is not None:
            lone = "TARGET without --format" if target else "--format without TARGET"
            raise UseError(
                f"received {lone}; give both to write the LoRA in that format, or neither to be told what it holds"
            )
        for line in described(source, alpha):
            click.echo(line)
        return
    for line in convert(source, target, form, Store(store) if is_store(store) else None, alpha):
        click.echo(line)


def described(source: Path, alpha: float | None = None) -> list[str]:
    """What a LoRA holds, a line each. Raises UseError for what cannot be read, or has keys that would be lost."""
    try:
        weights = _weights_of(source, alpha)
    except (ValueError, OSError) as error:
        raise UseError(str(error)) from error
    found = [f"{source}: {weights.form}, {len(weights.modules)} modules, rank {weights.rank}, alpha {weights.alpha:g}"]
    if weights.differences:
        counts = Counter(name.rpartition(".")[2] for name in weights.differences)
        kinds = {"weight": "weights", "bias": "biases", "scale_shift_table": "modulations"}
        said = ", ".join(f"{counts[part]} {kind}" for part, kind in kinds.items() if counts[part])
        found.append(f"differences, as few-step files have them: of {said}")
    if image := [name for name in (*weights.modules, *weights.differences) if of_image(name)]:
        found.append(f"{len(image)} of these are of the image's CLIP branch, which Wan 2.2 A14B does not have")
    if weights.extra:
        found.append(f"beside the LoRA: {listed(sorted(weights.extra))}")
    return found


def convert(source: Path, target: Path, form: str, store: Store | None = None, alpha: float | None = None) -> list[str]:
    """Write the LoRA of `source` to `target` in that format; what was done and what was left out, a line each.

    `source` is a LoRA file or folder of any format, a folder of Train's (finished, or its partial one: the last checkpoint), or a
    checkpoint; `alpha` is for a checkpoint that does not say it. `store` knows where the LoRA comes from and its scores. Raises
    UseError for what cannot be read, does not fit together, or stands in the way.
    """
    chosen = _checked_format(form, target)
    try:
        weights = _weights_of(source, alpha)
        origin = _origin_of(source, store)
        write(weights, target, chosen, origin)
    except (ValueError, OSError) as error:
        raise UseError(str(error)) from error
    return list(_lines(weights, target, chosen, origin))


def write(weights: "LoraWeights", target: Path, form: Format, about: About) -> None:
    """The LoRA, its origin in the safetensors header, and with form "peft" a model card."""
    from svi.lora import files as lora_files

    header = {"signature": about.signature, "recipe": canonical(about.settings) if about.settings else ""}
    lora_files.write(weights, target, form, {key: value for key, value in header.items() if value})
    if form == "peft":
        extra, checkpoint = tuple(sorted(weights.extra)), weights.metadata.get("checkpoint", "")
        adapter = Adapter(len(weights.modules), weights.rank, weights.alpha, extra, checkpoint)
        (target / "README.md").write_text(card(adapter, about, target.name))


def _checked_format(form: str, target: Path) -> Format:
    """The format of that name. Raises UseError for an unknown one, or a target that cannot hold it."""
    if form not in FORMATS:
        raise UseError(f"unknown LoRA format {form!r}: {suggestion(form, FORMATS)}")
    chosen: Format = form
    if chosen == "peft" and target.suffix == ".safetensors":
        raise UseError(
            f"a PEFT LoRA is a folder, received {target}, which looks like a file; name a folder, or another format"
        )
    if chosen != "peft" and target.suffix != ".safetensors":
        raise UseError(f"a LoRA as {chosen} is one file; name it {target}.safetensors")
    if target.exists():
        raise UseError(f"{target} is there already; remove it, or choose another name")
    return chosen


def _weights_of(source: Path, alpha: float | None) -> "LoraWeights":
    """The LoRA of a file, a folder or a checkpoint. Raises UseError for one without any, ValueError for a damaged one."""
    from svi.lora import files as lora_files
    from svi.lora.checkpoints import from_checkpoint

    trained = (source / LORA).is_dir()
    unfinished = (source / CHECKPOINTS / LATEST).is_file() and not trained
    if unfinished or (source / LATEST).is_file() or any(source.glob("*_model_states.pt")):
        return from_checkpoint(source, alpha)
    if alpha is not None:
        raise UseError(
            f"--alpha {alpha:g}: alpha is for checkpoints; {source} is none, and says its alpha itself; leave it out"
        )
    if (source / "transformer").is_dir() and not trained:
        raise UseError(
            f"{source} holds a fully trained transformer (train.adapter=full), which no LoRA can stand for; "
            "expected a training with train.adapter=lora"
        )
    return lora_files.read(source)


def _origin_of(source: Path, store: Store | None) -> About:
    """From the manifest of the Train artifact that `source` is, or is in."""
    folders = (source, source.parent, source.parent.parent)
    manifest = next((read_object(p / MANIFEST) for p in folders if (p / MANIFEST).is_file()), None)
    if manifest is None or manifest.get("kind") != TRAIN.name:
        return About()
    try:
        return about(manifest, store, tuple(scores_of(manifest["signature"], store)) if store else ())
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"the {MANIFEST} beside {source} is none of a training ({error!r}); remove it, or take the folder whole"
        ) from error


def _lines(weights: "LoraWeights", target: Path, form: Format, about: About) -> Iterator[str]:
    """What was written, what was changed for the format's sake, and what it leaves out."""
    from svi.lora.files import HOLD_EXTRA

    origin = f"{weights.form} {weights.metadata.get('checkpoint', '')}".strip()
    yield f"{target}: {len(weights.modules)} modules, rank {weights.rank}, {form} from {origin}"
    if weights.scale != 1 and form != "peft":
        yield f"alpha {weights.alpha:g} is not the rank, and this format cannot say so: B was multiplied by {weights.scale:g}"
    if weights.extra and form in HOLD_EXTRA:
        yield f"kept beside the LoRA: {listed(sorted(weights.extra))}"
    elif weights.extra:
        yield f"left out, {form} has no place for it: {listed(sorted(weights.extra))}"
    if not about.signature:
        yield "origin unknown: no finished Train artifact lies around it"
