"""LoRA files of the field: what `harness lora` does, and the model card of a PEFT folder."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import UseError
from harness.signature import canonical
from harness.store import MANIFEST, Store
from svi.lora_keys import FORMATS, Format, listed
from svi.models import MODELS

if TYPE_CHECKING:
    from svi.lora_files import LoraWeights

LATEST = "latest.json"  # names the last complete checkpoint


@dataclass(frozen=True)
class Score:
    """One metric over the films of one Score artifact."""

    films: str
    metric: str
    mean: float
    deviation: float
    count: int
    unit: str
    direction: str


@dataclass(frozen=True)
class About:
    """Where a LoRA comes from, as far as the store knows; all of it is empty for a file from elsewhere."""

    signature: str = ""
    label: str = ""
    base_model: str = ""
    expert: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    made_with: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()


def convert(source: Path, target: Path, form: str, store: Store | None = None, alpha: float | None = None) -> list[str]:
    """Write the LoRA of `source` to `target` in that format; what was done and what was left out, a line each.

    `source` is a LoRA file or folder of any format, a folder of Train's (finished, or its partial one: the last checkpoint), or a
    checkpoint; `alpha` is for a checkpoint that does not say it. `store` knows where the LoRA comes from and its scores. Raises
    UseError for what cannot be read, does not fit together, or stands in the way.
    """
    chosen = _format(form, target)
    try:
        weights = _read(source, alpha)
        about = _about(source, store)
        write(weights, target, chosen, about)
    except (ValueError, OSError) as error:
        raise UseError(str(error)) from error
    return list(_report(weights, target, chosen, about))


def write(weights: "LoraWeights", target: Path, form: Format, about: About) -> None:
    """The LoRA, its origin in the safetensors header, and with form "peft" a model card."""
    from svi import lora_files

    header = {"signature": about.signature, "recipe": canonical(about.settings) if about.settings else ""}
    lora_files.write(weights, target, form, {key: value for key, value in header.items() if value})
    if form == "peft":
        (target / "README.md").write_text(card(weights, about, target.name))


def _format(form: str, target: Path) -> Format:
    if form not in FORMATS:
        raise UseError(f"unknown LoRA format {form!r}; known are {', '.join(FORMATS)}")
    chosen: Format = form
    if chosen == "peft" and target.suffix == ".safetensors":
        raise UseError(f"a PEFT LoRA is a folder, {target} looks like a file; name a folder, or another format")
    if chosen != "peft" and target.suffix != ".safetensors":
        raise UseError(f"a LoRA as {chosen} is one file; name it {target}.safetensors")
    if target.exists():
        raise UseError(f"{target} is there already; remove it, or choose another name")
    return chosen


def _read(source: Path, alpha: float | None) -> "LoraWeights":
    from svi import lora_files

    trained = (source / "lora").is_dir()
    unfinished = (source / "checkpoints" / LATEST).is_file() and not trained
    if unfinished or (source / LATEST).is_file() or any(source.glob("*_model_states.pt")):
        return lora_files.from_checkpoint(source, alpha)
    if alpha is not None:
        raise UseError(f"alpha is for checkpoints; {source} is none, and says its alpha itself")
    if (source / "transformer").is_dir() and not trained:
        raise UseError(f"{source} holds a fully trained transformer (train.adapter=full), which no LoRA can stand for")
    return lora_files.read(source)


def _about(source: Path, store: Store | None) -> About:
    """From the manifest of the Train artifact that `source` is, or is in."""
    places = (source, source.parent, source.parent.parent)
    manifest = next((json.loads((p / MANIFEST).read_text()) for p in places if (p / MANIFEST).is_file()), None)
    if manifest is None or manifest.get("kind") != "train":
        return About()
    identity, signature = manifest["identity"], manifest["signature"]
    model = MODELS.get(identity.get("backbone.name", ""))
    return About(
        signature=signature,
        label=manifest["label"],
        base_model=model.repository if model else "",
        expert=identity.get("expert", ""),
        settings=identity,
        data=_data(manifest, store),
        made_with=manifest["facts"],
        scores=tuple(_scores(signature, store)) if store else (),
    )


def _data(manifest: Mapping[str, Any], store: Store | None) -> dict[str, Any]:
    upstream = manifest["upstream"].get("data")
    if store is None or upstream is None or not store.done("data", upstream):
        return {}
    identity = store.manifest("data", upstream)["identity"]
    return {key: value for key, value in identity.items() if key.startswith("data.")}


def _scores(signature: str, store: Store) -> Iterator[Score]:
    """Every metric of the films that were made with this LoRA."""
    made = {
        m["signature"]: m["label"] for m in store.manifests("generate") if signature in m["upstream"].get("train", ())
    }
    scored = [m for m in store.manifests("score") if m["upstream"]["generate"] in made]
    for manifest in sorted(scored, key=lambda m: (m["label"], m["signature"])):
        folder = store.artifact("score", manifest["signature"])
        metrics = json.loads((folder / "scores.json").read_text())["metrics"]
        with np.load(folder / "scores.npz") as values:
            for metric in sorted(set(metrics) & set(values.files)):
                films = _film_means(values[metric])
                if len(films):
                    deviation = float(films.std(ddof=1)) if len(films) > 1 else 0.0
                    about = metrics[metric]
                    yield Score(
                        manifest["label"],
                        metric,
                        float(films.mean()),
                        deviation,
                        len(films),
                        about["unit"],
                        about["direction"],
                    )


def _film_means(values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """[films, clips] or [films] -> the mean of every film that has one."""
    table = values.reshape(len(values), -1)
    known = ~np.isnan(table).all(axis=1)
    means: np.ndarray[Any, Any] = np.nanmean(table[known], axis=1)
    return means


def _report(weights: "LoraWeights", target: Path, form: Format, about: About) -> Iterator[str]:
    from svi.lora_files import HOLD_EXTRA

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


def card(weights: "LoraWeights", about: About, name: str) -> str:
    """README.md of a PEFT folder, with the hub's front matter; the licence is for who publishes it to say."""
    parts = [_front(about), f"# {about.label or name}", _what(weights, about), _use(about, name)]
    if about.scores:
        parts.append(
            _table("Scores", ("made as", "metric", "mean", "SD over films", "films", "better"), map(_row, about.scores))
        )
    if about.data:
        parts.append(_table("Training data", ("setting", "value"), about.data.items()))
    if about.settings:
        parts.append(_table("Recipe", ("setting", "value"), sorted(about.settings.items())))
    if about.made_with:
        parts.append(_table("Made with", ("what", "version"), about.made_with.items()))
    return "\n\n".join(parts) + "\n"


def _front(about: About) -> str:
    base = [f"base_model: {about.base_model}"] if about.base_model else []
    tags = ["tags:", "- lora", "- wan", "- image-to-video", "- stable-video-infinity"]
    return "\n".join(["---", *base, "library_name: peft", "pipeline_tag: image-to-video", *tags, "---"])


def _what(weights: "LoraWeights", about: About) -> str:
    of = f" of {about.base_model}" if about.base_model else ""
    lines = [
        f"A LoRA{of} for long video by error recycling (Stable Video Infinity, arXiv 2510.09212).",
        "",
        f"- {len(weights.modules)} modules, rank {weights.rank}, alpha {weights.alpha:g}",
    ]
    lines += [f"- expert: `{about.expert}`"] if about.expert else []
    lines += [f"- signature: `{about.signature}`"] if about.signature else []
    lines += (
        [f"- checkpoint, training had not ended: `{weights.metadata['checkpoint']}`"]
        if "checkpoint" in weights.metadata
        else []
    )
    lines += [f"- beside it, in `extra.safetensors`: {listed(sorted(weights.extra))}"] if weights.extra else []
    return "\n".join(lines)


def _use(about: About, name: str) -> str:
    base = about.base_model or "BASE_MODEL"
    second = about.expert == "transformer_2"
    into = ", load_into_transformer_2=True" if second else ""
    return f"""## Use

diffusers, after `harness lora {name} {name}.safetensors --format diffusers`:

```python
from diffusers import WanImageToVideoPipeline

pipe = WanImageToVideoPipeline.from_pretrained("{base}")
pipe.load_lora_weights("{name}.safetensors"{into})
```

PEFT, this folder as it is: `PeftModel.from_pretrained(pipe.{about.expert or "transformer"}, "{name}")`.

ComfyUI: put the output of `harness lora {name} {name}.safetensors --format comfyui` into `models/loras`{
        ", for the low-noise model" if second else ""
    }."""


def _row(score: Score) -> tuple[object, ...]:
    mean = f"{score.mean:.4g} {score.unit}".strip()
    return score.films, score.metric, mean, f"{score.deviation:.2g}", score.count, score.direction


def _table(title: str, head: tuple[str, ...], rows: Any) -> str:
    lines = [f"## {title}", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines)
