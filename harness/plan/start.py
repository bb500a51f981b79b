"""What a training goes on from (`train.from`): a file an expert, and whether it can be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.errors import UseError
from harness.declare.request import MADE
from harness.declare.settings import Settings
from svi.artifacts import ADAPTER_WEIGHTS, TRANSFORMER
from svi.parts import SIGNALS

FROM = "train.from"


@dataclass(frozen=True)
class Start:
    """Paths and hashes by expert; empty where training starts anew."""

    paths: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    def of(self, *experts: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Identity and runtime of a stage that starts from those of these experts."""
        if not self.paths:
            return {}, {}
        hashes = [self.hashes[expert] for expert in experts]
        return {f"{FROM}.fingerprint": hashes}, {FROM: ",".join(self.paths[expert] for expert in experts)}


class Starts:
    """What trainings of a plan go on from; each file is read once, however many variants and seeds do."""

    def __init__(self, hash_of: Callable[[str], str]) -> None:
        self._hash_of = hash_of
        self._found: dict[Path, tuple[int, bool]] = {}

    def start(self, settings: Settings, experts: Sequence[str]) -> Start:
        """Raises UseError for what is not there, does not fit, or is no LoRA of this rank."""
        train, paths = settings.train, settings.train.starts
        if not paths or settings.generate.method != MADE:
            return Start()
        if len(paths) != len(experts):
            raise UseError(
                f"{FROM}={train.from_}: received {len(paths)}, and {settings.backbone.name} trains {len(experts)} "
                f"({', '.join(experts)}); give one for each, joined by commas"
            )
        for path in paths:
            if not Path(path).exists():
                raise UseError(f"{FROM}={path}: no such file or folder (looked in {Path(path).absolute()})")
            self._check(Path(path), settings)
        return Start(
            dict(zip(experts, (str(Path(path).absolute()) for path in paths), strict=True)),
            dict(zip(experts, (self._hash_of(whole(path)) for path in paths), strict=True)),
        )

    def _check(self, path: Path, settings: Settings) -> None:
        train, signal = settings.train, settings.condition.signal
        if train.adapter == "full":
            if not (path / TRANSFORMER).is_dir():
                raise UseError(
                    f"{FROM}={path}: train.adapter=full goes on from a folder of a model that was trained here whole, with "
                    f"{TRANSFORMER}/ in it; give one, or set train.adapter=lora"
                )
            return
        rank, beside = self._read(path)
        if train.enabled and rank != train.rank:
            raise UseError(f"{FROM}={path}: its rank is {rank}, and train.rank={train.rank}; set train.rank={rank}")
        untrained = signal in SIGNALS and not settings.backbone.embedded and settings.condition.weights is None
        if train.enabled and untrained and not train.with_signal and not beside:
            raise UseError(
                f"condition.signal={signal}: nothing would follow it, since {FROM}={path} has nothing of it beside the LoRA; set "
                "train.with_signal=true, or condition.weights=FILE"
            )

    def _read(self, path: Path) -> tuple[int, bool]:
        """Its rank, and whether anything lies beside it."""
        from svi.lora.files import read  # torch, which no other plan needs

        if path not in self._found:
            try:
                weights = read(path)
            except ValueError as error:
                raise UseError(f"{FROM}: {error}") from error
            if weights.differences:
                raise UseError(
                    f"{FROM}={path}: it holds differences of {len(weights.differences)} parameters beside the LoRA, as few-step "
                    "files do, which a training would not keep; go on from a plain LoRA"
                )
            self._found[path] = weights.rank, bool(weights.extra)
        return self._found[path]


def whole(lora: str) -> str:
    """All that is read of a LoRA: of PEFT's file its folder, where its config and what signals add lie."""
    return str(Path(lora).parent) if Path(lora).name == ADAPTER_WEIGHTS else lora
