"""The model card of trained weights: what they are, where they come from, how to use them, how they scored."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.suites.record import ScoreRecord
from harness.core.store import Store
from harness.core.text import markdown_table
from harness.plan.kinds import DATA, GENERATE, SCORE
from svi.artifacts import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from svi.backbones.catalogue import MODELS
from svi.foreign import listed

APACHE = "Wan-AI/"  # repositories whose weights are under the Apache License 2.0


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
class Adapter:
    """A LoRA's size; `extra` names tensors of other modules beside it, `checkpoint` the step of an unfinished training."""

    modules: int
    rank: int
    alpha: float
    extra: tuple[str, ...] = ()
    checkpoint: str = ""

    @classmethod
    def of(cls, folder: Path) -> "Adapter":
        """Of a PEFT folder, read from its config and the names of its tensors."""
        from safetensors import safe_open

        config = json.loads((folder / ADAPTER_CONFIG).read_text())
        with safe_open(folder / ADAPTER_WEIGHTS, framework="np") as file:
            return cls(len(file.keys()) // 2, config["r"], config["lora_alpha"])


@dataclass(frozen=True)
class About:
    """Where weights come from, as far as the store knows; all of it is empty for a file from elsewhere."""

    signature: str = ""
    label: str = ""
    base_model: str = ""
    expert: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    made_with: Mapping[str, str] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()


def about(manifest: Mapping[str, Any], store: Store | None, scores: tuple[Score, ...]) -> About:
    """From the manifest of a Train artifact."""
    identity = manifest["identity"]
    model = MODELS.get(identity.get("backbone.name", ""))
    return About(
        signature=manifest["signature"],
        label=manifest["label"],
        base_model=model.repository if model else "",
        expert=identity.get("expert", ""),
        settings=identity,
        data=_data(manifest, store),
        made_with=manifest["facts"],
        scores=scores,
    )


def _data(manifest: Mapping[str, Any], store: Store | None) -> dict[str, Any]:
    upstream = manifest["upstream"].get("data")
    if store is None or upstream is None or not store.done(DATA.name, upstream):
        return {}
    identity = store.manifest(DATA.name, upstream)["identity"]
    return {key: value for key, value in identity.items() if key.startswith("data.")}


def scores_of(training: str, store: Store) -> Iterator[Score]:
    """Every metric of the films that were made with what this training made."""
    made = {m["signature"] for m in store.manifests(GENERATE.name) if training in m["upstream"].get("train", ())}
    return scores(store, (m for m in store.manifests(SCORE.name) if m["upstream"]["generate"] in made))


def scores(store: Store, manifests: Iterable[Mapping[str, Any]]) -> Iterator[Score]:
    """Every metric of these Score artifacts, without clips and films that have no value."""
    for manifest in sorted(manifests, key=lambda m: (m["label"], m["signature"])):
        record = ScoreRecord.read(store.artifact(SCORE.name, manifest["signature"]))
        for name in sorted(record.metrics.keys() & record.values.keys()):
            films = _film_means(record.values[name])
            if len(films):
                deviation = float(films.std(ddof=1)) if len(films) > 1 else 0.0
                label, metric = manifest["label"], record.metrics[name]
                yield Score(label, name, float(films.mean()), deviation, len(films), metric.unit, metric.direction)


def _film_means(values: Floats) -> Floats:
    """[films, clips] or [films] -> the mean of every film that has one."""
    table = values.reshape(len(values), -1)
    known = ~np.isnan(table).all(axis=1)
    means: Floats = np.nanmean(table[known], axis=1)
    return means


def card(adapter: Adapter | None, about: About, name: str) -> str:
    """README.md of a PEFT folder, or with None of a transformer trained whole; with the hub's front matter.

    The licence is for who publishes it to say; the base model's is stated.
    """
    parts = [_front(adapter, about), f"# {about.label or name}"]
    parts += [_what(adapter, about), _use(about, name) if adapter else _use_whole(about)]
    if about.scores:
        head = ("made as", "metric", "mean", "SD over films", "films", "better")
        parts.append(_table("Scores", head, map(_row, about.scores)))
    if about.data:
        parts.append(_table("Training data", ("setting", "value"), about.data.items()))
    if about.settings:
        parts.append(_table("Recipe", ("setting", "value"), sorted(about.settings.items())))
    if about.made_with:
        parts.append(_table("Made with", ("what", "version"), about.made_with.items()))
    return "\n\n".join(parts) + "\n"


def _front(adapter: Adapter | None, about: About) -> str:
    base = [f"base_model: {about.base_model}"] if about.base_model else []
    library = "peft" if adapter else "diffusers"
    tags = ["tags:", *(["- lora"] if adapter else []), "- wan", "- image-to-video", "- stable-video-infinity"]
    return "\n".join(["---", *base, f"library_name: {library}", "pipeline_tag: image-to-video", *tags, "---"])


def _what(adapter: Adapter | None, about: About) -> str:
    own = about.settings["backbone.name"] if "backbone.source" in about.settings else ""
    of = f" of {about.base_model or own}" if about.base_model or own else ""
    kind = f"A LoRA{of}" if adapter else f"All parameters of a transformer{of or ', the embedded tiny world'}, trained"
    lines = [f"{kind} for long video by error recycling (Stable Video Infinity, arXiv 2510.09212).", ""]
    if adapter:
        lines.append(f"- {adapter.modules} modules, rank {adapter.rank}, alpha {adapter.alpha:g}")
    lines += [f"- expert: `{about.expert}`"] if about.expert else []
    lines += [f"- signature: `{about.signature}`"] if about.signature else []
    if about.base_model.startswith(APACHE):
        lines.append(f"- the base model is licensed under the Apache License 2.0, says {about.base_model}")
    if adapter and adapter.checkpoint:
        lines.append(f"- checkpoint, training had not ended: `{adapter.checkpoint}`")
    if adapter and adapter.extra:
        lines.append(f"- beside it, in `extra.safetensors`: {listed(list(adapter.extra))}")
    return "\n".join(lines)


def _use_whole(about: About) -> str:
    if "backbone.source" in about.settings:
        return f"""## Use

`from_pretrained("FOLDER")` of the transformer's own class, which {about.settings["backbone.name"]} has."""
    tiny = "" if about.base_model else " It knows the embedded world alone, and is of no use outside this project."
    return f"""## Use

diffusers, this folder as it is: `WanTransformer3DModel.from_pretrained("FOLDER")`.{tiny}"""


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
    return f"## {title}\n\n{markdown_table(head, rows)}"
