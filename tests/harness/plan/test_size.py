"""What a run at size asks of a card, before anything is there."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.core.card_report import CardReport, SizeRow
from harness.core.errors import UseError
from harness.declare.settings import Settings
from harness.declare.spec import Variant, select
from harness.experiments import EXPERIMENTS
from harness.plan.cards import Card, card_named
from harness.plan.counts import film_work
from harness.plan.pipeline import Pipeline, Request, build
from harness.plan.size import Asked, Sizes, check, shown
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, SpeedSettings, TrainSettings
from svi.size.demand import Demand
from tests.harness.commands.wan_words import write_videos
from tests.harness.small import process
from tests.svi.data.test_driven_footage import sample as driven_sample

CARD = Card("a card", 80 * 10**9, 989e12)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    return write_videos(tmp_path)


def planned(videos: Path, tmp_path: Path, **overrides: object) -> Pipeline:
    values = {"data.path": str(videos), "eval.path": "bundled", **overrides}
    experiment = select(EXPERIMENTS.get("ablation_eimg"), "base,full").model_copy(
        update={"tracks": ("consistent-50s",)}
    )
    request = Request(experiment, "ablation_eimg", "wan2.1-i2v-14b-480p", (), values)
    return build(request, tmp_path / "fingerprints.json", weights=False)


def by_kind(sizes: Sizes) -> dict[str, Asked]:
    return {one.kind: one for one in sizes.asked}


@pytest.mark.slow
def test_what_does_not_fit_is_refused_with_what_would(videos: Path, tmp_path: Path) -> None:
    pipeline = planned(videos, tmp_path, **{"train.checkpointing": "none"})
    sizes = Sizes(pipeline)
    asked = by_kind(sizes)
    assert asked["train"].needed > 400e9
    assert asked["train"].demand.weights == pytest.approx(34e9, rel=0.02)  # 16.4e9 numbers, and the LoRA's
    with pytest.raises(
        UseError, match=r"train: a card needs 4\d\d.* a card has 80.0 GB; set .*train.checkpointing=block"
    ):
        check(sizes, CARD)
    few, _ = asked["train"].hours(CARD)
    assert few == pytest.approx(asked["train"].flops["step"][0] * asked["train"].demand.flops / (989e12 * 0.4) / 3600)
    lines = "\n".join(shown(sizes, CARD))
    assert "arithmetic" in lines
    assert "hours each" in lines
    assert "--card H100" in shown(sizes, None)[-1]


@pytest.mark.slow
def test_a_plan_as_json_has_what_stages_take_and_nothing_else_is_printed(videos: Path, tmp_path: Path) -> None:
    words = ("--profile", "wan2.1-i2v-14b-480p", "--only", "base,full", "tracks=consistent-50s")
    places = (f"data.path={videos}", "eval.path=bundled")
    done = process(
        "plan", "ablation_eimg", *words, *places, "--card", "H100", "--json", store=tmp_path / "runs"
    )  # of its own: what libraries say they say once, when they are loaded
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)["at_size"]
    assert told["card"] == {"name": "H100", "memory": 80 * 10**9}
    stages = {row["kind"]: row for row in told["stages"]}
    assert stages.keys() == {"generate", "forecast", "data", "train"}
    assert stages["train"]["card"] > stages["train"]["weights"] + stages["train"]["optimiser"] > 40e9
    assert stages["generate"]["stages"] == 2
    hours = sum(row["hours"] * row["stages"] * row["cards"] for row in told["stages"])
    assert told["gpu_hours"] == pytest.approx(hours)
    assert not told["measured"]


def test_cards_by_name(tmp_path: Path) -> None:
    assert card_named("h200", tmp_path) == Card("H200", 141 * 10**9, 989e12)
    with pytest.raises(UseError, match="no such card is known; expected one of A100-40GB"):
        card_named("H", tmp_path)


def test_the_skeletons_of_a_sample_are_no_clips(tmp_path: Path) -> None:
    for name in ("one", "two"):
        driven_sample(tmp_path / "samples", name)
    data = DataSettings(path=str(tmp_path / "samples"), height=16, width=16)
    settings = Settings(data=data, condition=ConditionSettings(signal="pose"))
    sizes = Sizes(planned(write_videos(tmp_path), tmp_path))
    assert sizes.clips(settings) * 2 == sizes.clips(settings.model_copy(update={"condition": ConditionSettings()}))


def test_a_guided_signal_is_one_more_pass_and_a_clip_is_encoded_once() -> None:
    def counted(key: str | None, **generate: object) -> dict[str, int]:
        settings = {"condition": {"signal": key}, "generate": {"steps": 10, "guidance": 5.0, **generate}}
        return dict(film_work(Settings.model_validate(settings), 7))

    assert counted(None) == {"call": 140, "encode": 7, "decode": 7}
    assert counted("audio", signal_guidance=5.0)["call"] == 210
    assert counted(None, guidance=1.0)["call"] == 70


def test_hours_are_measured_where_they_can_be() -> None:
    read = Settings(
        backbone=BackboneSettings(name="wan2.1-i2v-14b-480p"),
        data=DataSettings(height=480, width=832, clip_frames=81),
        speed=SpeedSettings(offload="none"),
        train=TrainSettings(adapter="lora", checkpointing="block"),
    )
    asked = Asked("generate", "films", 2, 1, Demand(10**9), 0, 0, {"call": (100.0, 10**15)}, read)
    hours, measured = asked.hours(CARD)
    assert (hours, measured) == (pytest.approx(100 * 1e15 / (989e12 * 0.4) / 3600), False)
    row = SizeRow(
        profile="wan2.1-i2v-14b-480p",
        work="call",
        how="speed.attention=sdpa speed.offload=none",
        dtype="bfloat16",
        height=480,
        width=832,
        frames=81,
        seconds=7.2,
    )
    report = CardReport(card="a card", memory_bytes=1, created=datetime(2030, 1, 1, tzinfo=UTC), sizes=(row,))
    known = Card("a card", 1, None, report)
    assert asked.hours(known) == (pytest.approx(0.2), True)
    others: list[dict[str, object]] = [
        {"data": read.data.model_copy(update={"height": 720})},
        {"data": read.data.model_copy(update={"clip_frames": 41})},
        {"backbone": read.backbone.model_copy(update={"name": "wan2.2-ti2v-5b"})},
        *({"speed": read.speed.model_copy(update=one)} for one in (
            {"offload": "group"}, {"attention": "flash"}, {"compile": True}, {"cache": "first_block"}, {"weights": "fp8"},
        )),
    ]  # fmt: skip
    step = replace(asked, kind="train", flops={"step": (100.0, 10**15)})
    row = row.model_copy(
        update={"work": "step", "how": "speed.attention=sdpa train.rank=128 train.checkpointing=block"}
    )
    trained = replace(known, report=report.model_copy(update={"sizes": (row,)}))
    assert step.hours(trained) == (pytest.approx(0.2), True)
    elsewhere = read.model_copy(
        update={"speed": read.speed.model_copy(update={"offload": "group", "cache": "first_block"})}
    )
    assert replace(step, settings=elsewhere).hours(trained) == (pytest.approx(0.2), True)  # of films alone
    for train in ({"adapter": "full"}, {"checkpointing": "none"}):
        other_train = read.model_copy(update={"train": read.train.model_copy(update=train)})
        assert replace(step, settings=other_train).hours(trained) == (None, False)
    for other in others:
        assert replace(asked, settings=read.model_copy(update=other)).hours(known) == (None, False), other


@pytest.mark.slow
def test_stages_that_leave_other_amounts_on_the_disk_are_not_one(videos: Path, tmp_path: Path) -> None:
    few, many = (Variant(f"z_{z}", {"bank.capacity": z}) for z in (10, 500))
    for variants in ((few, many), (many, few)):
        experiment = select(EXPERIMENTS.get("ablation_eimg"), "base,full").model_copy(
            update={"variants": variants, "baseline": few.name, "tracks": ("consistent-50s",), "yes_if": None}
        )
        values: dict[str, object] = {"data.path": str(videos), "eval.path": "bundled"}
        request = Request(experiment, "mine", "wan2.1-i2v-14b-480p", (), values)
        sizes = Sizes(build(request, tmp_path / "f.json", weights=False))
        passing = {one.settings.bank.capacity: one.passing for one in sizes.asked if one.kind == "train"}
        assert passing[500] > 10 * passing[10] > 0


def test_a_measured_card_is_found_by_whole_words(tmp_path: Path) -> None:
    for name in ("NVIDIA H200", "NVIDIA H100 PCIe", "NVIDIA A100-SXM4-80GB"):
        CardReport(card=name, memory_bytes=7, created=datetime(2030, 1, 1, tzinfo=UTC)).save(tmp_path)
    found = {
        name: card_named(name, tmp_path) for name in ("h200", "H100", "H100-PCIe", "A100-80GB", "nvidia a100", "H20")
    }
    assert {name for name, card in found.items() if card.memory == 7} == {
        "h200",
        "H100-PCIe",
        "A100-80GB",
        "nvidia a100",
    }
    assert found["H20"] == Card("H20", 96 * 10**9, 148e12)
    assert found["H100-PCIe"].rate == 756e12
    with pytest.raises(UseError, match="no such card is known"):
        card_named("H", tmp_path)
