"""The stages of training: the embedded base model, the latent cache, error recycling, and pictures of errors."""

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from harness.core.artifacts import FOOTAGE, HELD_BACK, TRAINED
from harness.core.job import Job
from harness.stages.cost import trained_parameters, watching, write_training_cost
from harness.stages.loading import attend, backbone_of, footage_of, one_each, part_of, signal_of, transformers_of
from harness.stages.reading import Reading
from svi.artifacts import BANK, CHECKPOINTS, VAE
from svi.artifacts import ERRORS as KEPT_ERRORS
from svi.axes import ERROR_RECYCLING
from svi.backbones import speed
from svi.backbones.catalogue import EXPERT
from svi.data.cache import LatentCache
from svi.data.cache_writer import help_cache, write_cache
from svi.data.footage import Footage, Unreadable
from svi.frames import Frames
from svi.lora import adapter
from svi.objectives.error_recycling import bank_folder
from svi.objectives.error_sheets import injected_sheet, own_errors, own_sheet
from svi.objectives.objective import Setup
from svi.objectives.pretraining import Pretraining
from svi.objectives.reconstruction import Reconstruction
from svi.settings import ConditionSettings, DataSettings, TinySettings, TrainSettings
from svi.training import ranks
from svi.training.budget import Budget
from svi.training.loop import train as fit
from svi.training.objective import tokens_of

if TYPE_CHECKING:
    from svi.backbones.tiny import Codec
    from svi.backbones.wan_codec import WanCodec

SHOWN_CLIPS, SHOWN_TIMES = (0, 1), (0.1, 0.5, 0.9)  # whose errors are shown
COMPONENT_CLIPS = 1000  # about so many clips tell the principal components, and the variance of any latents
CODEC_CLIPS = 16384  # at most about twice so many train a codec that loses detail
BEGUN = "begun"  # of a folder in the making
CODEC_FOLDER, CLIPS = "codec", "clips"  # of the codec's training, and of what the base model is trained on


def backbone(job: Job) -> None:
    """PrepareBackbone: fit the codec, train the base model from scratch; keeps the moving average of its weights."""
    from svi.backbones.tiny import TinyBackbone

    read = Reading(job.settings)
    footage, tiny = footage_of(job, read), read.tiny
    base = TinyBackbone.create(_codec(job, tiny, footage), tiny, read.data, signal_of(job, read))
    condition = ConditionSettings(motion_frames=1, padding="repeat", drop_signal=read.condition.drop_signal)
    clips = job.folder / CLIPS
    write_cache(base, footage, condition, DataSettings(), clips, lambda done, total: None)
    objective = Pretraining(base, LatentCache.open(clips), tiny.shift, tiny.seed, condition)
    settings = TrainSettings(
        steps=tiny.steps, batch=tiny.batch, lr=tiny.lr, schedule="cosine", adapter="full", seed=tiny.seed
    )
    model = base.transformers[EXPERT]
    base.transformers[EXPERT] = fit(model, objective, settings, job.folder, job.counting("step"), ema=tiny.ema)
    base.save(job.folder)
    for needed in (clips, job.folder / CHECKPOINTS, job.folder / CODEC_FOLDER / VAE):  # no longer: all is done
        shutil.rmtree(needed, ignore_errors=True)


def _codec(job: Job, tiny: TinySettings, footage: Footage) -> "Codec | WanCodec":
    """Principal components at once; an AutoencoderKLWan in a folder of its own, which keeps what a resume needs."""
    from svi.backbones.tiny import Codec
    from svi.backbones.wan_codec import TrainedCodec, WanCodec

    folder = job.folder / CODEC_FOLDER
    if (folder / VAE).is_dir():
        return WanCodec.load(folder)
    if tiny.codec == "components":
        clips = _clips(footage, COMPONENT_CLIPS)
        return Codec.fit(clips.flatten(0, 1), tiny.codec_patch, tiny.latent_channels)
    clips = _clips(footage, CODEC_CLIPS)
    settings = TrainSettings(
        steps=tiny.codec_steps,
        batch=tiny.codec_batch,
        lr=tiny.codec_lr,
        schedule="cosine",
        adapter="full",
        seed=tiny.seed,
    )
    objective = Reconstruction(clips, tiny.codec_steps // (1 if tiny.codec_frames == 1 else 2), tiny.seed)
    folder.mkdir(exist_ok=True)
    trained = fit(
        TrainedCodec(tiny), objective, settings, folder, job.counting("codec step", then="step"), ema=tiny.ema
    )
    codec = WanCodec(trained.vae)
    codec.standardise(clips[:: max(1, len(clips) // COMPONENT_CLIPS)])
    codec.save(folder / BEGUN)
    (folder / BEGUN / VAE).rename(folder / VAE)  # whole, or not there
    for needed in (folder / BEGUN, folder / CHECKPOINTS):
        shutil.rmtree(needed, ignore_errors=True)
    return codec


def _clips(footage: Footage, about: int) -> Tensor:
    """About so many clips, evenly along the footage: fewer than twice as many. uint8 [N, L, H, W, 3]"""
    found: list[Frames] = []
    for i in range(0, len(footage), max(1, len(footage) // about)):
        with suppress(Unreadable):  # the latent cache lists it
            found.append(footage.read(i).frames)
    return torch.from_numpy(np.stack(found))


def data(job: Job) -> None:
    """PrepareData: encode every training clip once; keeps first frames of held-back clips, and notes of the files."""
    read = Reading(job.settings)
    footage = footage_of(job, read)
    held = footage.held_back()  # first, so that files torn there are listed too
    ranks.take_card()
    base = backbone_of(job, read, ())
    cache = (base, footage, read.condition, read.data, job.folder)
    if not job.first_rank:
        help_cache(*cache, job.share)
        return
    share = job.share if job.ranks > 1 else slice(None)
    summary = write_cache(*cache, job.counting("clip"), share, job.others)
    (job.folder / FOOTAGE).write_text(
        json.dumps({**summary, "videos": footage.files, "notes": footage.notes}, indent=2)
    )
    if held:
        np.savez(
            job.folder / HELD_BACK,
            images=np.stack([still.image for still in held]),
            prompts=np.array([still.prompt for still in held]),
        )


def train(job: Job) -> None:
    """Train: fine-tuning of a LoRA, or of every parameter, by the method's objective."""
    read = Reading(job.settings)
    if not (job.folder / TRAINED).is_file():
        _train(job, read)
    # Only a resume needs these, and at 480p the bank has 105 GB.
    shutil.rmtree(job.folder / CHECKPOINTS, ignore_errors=True)
    if read.has("bank"):
        for bank in bank_folder(read.bank, job.folder).glob(BANK.format("*")):
            bank.unlink(missing_ok=True)


def _train(job: Job, read: Reading) -> None:
    ranks.join()  # which also chooses this rank's card
    expert = job.settings.get("expert", EXPERT)
    base = backbone_of(job, read, (expert,))
    model = adapter.adapted(base, read.train, expert)
    attend(job, model)
    if job.first_rank:
        adapter.save_config(model, job.folder / CHECKPOINTS)
    speed.kernels(model, read.speed, speed.default_device())
    cache = LatentCache.open(job.inputs["data"], read.train.clips)
    settings = read.train.model_copy(update={"steps": read.train.steps_over(len(cache))})
    budget = Budget(settings, watching(base.transformers.values()), tokens_of(base, expert))
    parameters = trained_parameters(model)
    setup = Setup(base, cache, read, settings.seed, job.folder, model, expert)
    with part_of(job, "objective", ERROR_RECYCLING).of(setup) as objective:
        trained = fit(model, objective, settings, job.folder, job.counting("step"), budget=budget)
        adapter.save(trained, job.folder, write=job.first_rank)
        write_training_cost(job.folder, budget, parameters, settings.batch, write=job.first_rank)
        if job.first_rank:
            objective.keep(job.folder)
            (job.folder / TRAINED).touch()
        dist.barrier()  # no rank tidies up before that


def errors(job: Job) -> None:
    """Errors: a step's from clean clips before and after training, and those kept of the bank, injected; decoded."""
    read, cache = Reading(job.settings), LatentCache.open(job.inputs["data"])
    cases = [(clip, t) for clip in SHOWN_CLIPS for t in SHOWN_TIMES if clip < len(cache)]
    found = []
    for trained in ((), job.inputs["train"]):  # loaded again: a LoRA changes what it is attached to
        base = backbone_of(job, read)
        found.append(own_errors(base, transformers_of(job, read, base, one_each(trained)), cache, cases))
    sheets = {"own": own_sheet(base, cache, cases, *found)}
    with np.load(job.inputs["train"][0] / KEPT_ERRORS) as kept:
        if len(kept["t"]):  # none where all errors were made by hand
            vid = torch.from_numpy(kept["vid"]).float()
            sheets["injected"] = injected_sheet(base, cache, read.injection, vid, kept["t"].tolist())
    for name, sheet in sheets.items():
        np.savez_compressed(
            job.folder / f"{name}.npz",
            allow_pickle=False,
            **{key: np.array(value) for key, value in vars(sheet).items()},
        )
