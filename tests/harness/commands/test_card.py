"""`harness doctor --gpu` on the processor, against itself: the checks themselves, and what is written of them."""

import json
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.commands import card
from harness.commands.card_cost import amount, told
from harness.commands.doctor import Asked, doctor, examine_card
from harness.core.card_report import CardReport, CheckRow, SizeRow, known_cards
from harness.core.errors import UseError
from harness.core.gpus import VISIBLE
from svi.card.process import DEVICE

WAN = "wan2.1-i2v-14b-480p"


def here(part: str, out: Path, what: Sequence[str], *, card: bool, seconds: float, ranks: int = 1) -> str:
    """In this process; what compiles, or needs several, is left out."""
    from svi.card.parts import run

    if part not in ("compiled", "together"):
        run(part, out, what)
    return ""


def report(**sizes: float) -> CardReport:
    rows = tuple(
        SizeRow(
            profile=WAN,
            work=work,
            dtype="bfloat16",
            height=480,
            width=832,
            frames=81,
            seconds=seconds,
            peak_bytes=2**30,
        )  # type: ignore[arg-type]
        for work, seconds in sizes.items()
    )
    return CardReport(card="NVIDIA H200", memory_bytes=2**37, created=datetime.now(UTC), sizes=rows)


@pytest.mark.slow
def test_the_processor_agrees_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examine_card("cpu", Asked(), tmp_path, False, start=here)
    said = capsys.readouterr()
    (found,) = known_cards(tmp_path)
    checks = {(check.name, check.dtype): check for check in found.checks}
    for name in ("forward", "clip, latents", "training, losses", "training, LoRA", "bank, errors", "VAE, decoded"):
        assert checks[name, "float32"].measured == 0.0
        assert checks[name, "bfloat16"].state == "passed"
    assert checks["forward", "bfloat16"].measured > 1e-3  # it is bfloat16
    flash = checks["attention: flash-attn", "bfloat16"]
    assert (flash.state, "flash-attn is not installed" in flash.note) == ("skipped", True)
    assert not any(check.state == "failed" for check in found.checks)
    text = (tmp_path / "cards" / "cpu.txt").read_text()
    assert text in said.out
    assert "cpu.json" in said.err
    written = text + (tmp_path / "cards" / "cpu.json").read_text()
    for secret in (str(Path.home()), str(tmp_path), socket.gethostname()):
        assert secret not in written


@pytest.mark.gpu
def test_the_card_agrees_with_the_processor(tmp_path: Path) -> None:
    examine_card("cuda", Asked(), tmp_path, False)
    (found,) = known_cards(tmp_path)
    assert found.driver
    assert sum(check.state == "passed" for check in found.checks) > 20


def test_without_a_gpu_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "")
    with pytest.raises(UseError, match=r"no GPU is visible here .* --device cpu"):
        CliRunner().invoke(doctor, ["--gpu", "--store", str(tmp_path / "s")], catch_exceptions=False)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--profile", WAN), "--profile goes with --gpu"),
        (("--price", "3"), "--price goes with --gpu"),
        (("--gpu", "--device", "cpu", "--profile", "tiny"), "expected a published Wan"),
        (("--gpu", "--price", "3"), "of which experiment"),
        (("--gpu", "--experiment", "ablation_eimg"), "name one with --profile"),
        (("--gpu", "--profile", WAN, "--experiment", "no_such"), "no_such"),
    ],
)
def test_what_cannot_be_is_refused_at_once(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(UseError, match=message):
        CliRunner().invoke(doctor, [*options, "--store", str(tmp_path)], catch_exceptions=False)


def test_a_process_that_ends_is_a_check_that_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(part: str, out: Path, what: Sequence[str], *, card: bool, seconds: float, ranks: int = 1) -> str:
        if part == "device":
            out.mkdir()
            (out / DEVICE).write_text('{"card": "NVIDIA H200", "memory": 150754820096, "cards": 0, "versions": {}}')
        return (
            ""
            if part in ("device", "processor")
            else f"ended by SIGSEGV: {Path.home()}/lib/kernels.so: illegal memory access"
        )

    with pytest.raises(SystemExit):
        examine_card("cpu", Asked(), tmp_path, True, start=broken)
    told_ = json.loads(capsys.readouterr().out)
    assert {check["state"] for check in told_["checks"]} == {"failed"}
    assert all(check["note"] == "ended by SIGSEGV: .../kernels.so: illegal memory access" for check in told_["checks"])


def test_hours_and_money_follow_from_what_was_measured() -> None:
    whole = amount("ablation_eimg", WAN)
    assert whole.trainings > 1
    measured = report(step=10.0, call=5.0, encode=2.0, decode=4.0)
    lines = list(told(measured, "ablation_eimg", WAN, 3.0, None))
    each = {"step": 10, "call": 5, "encode": 2, "decode": 4}
    hours = sum(each[work] * count for work, count in whole.work.items()) / 3600
    assert f"{hours:,.1f} card-hours, {3 * hours:,.2f} at 3 an hour" in lines[-1]
    assert "as if of 1000 clips" in lines[1]
    assert amount("ablation_eimg", WAN, 2000).work["step"] == 2 * whole.work["step"]
    assert "not measured: call, encode, decode" in list(told(report(step=10.0), "ablation_eimg", WAN, None, 5))[-1]


def test_variants_of_other_methods_are_trainings_of_their_own(tmp_path: Path) -> None:
    told_ = {
        "alone": "yield Variant('full')",
        "mine": "yield Variant('full'); yield Variant('again', {'generate.steps': 7}); "
        "yield Variant('noise', {'method.objective': 'history_corruption'}); "
        "yield Variant('long', {'method.generation': 'free_noise'})",
    }
    (tmp_path / "mine.py").write_text(
        "from harness import Variant, experiment\n"
        + "".join(
            f"\n\n@experiment(tracks=('consistent-50s',), trivial=False)\ndef {name}():\n    'Which?'\n    {yielded}\n"
            for name, yielded in told_.items()
        )
    )
    alone, mine = (amount(f"{tmp_path / 'mine.py'}:{name}", WAN) for name in told_)
    assert (alone.trainings, mine.trainings) == (1, 2)
    assert mine.films == 4 * alone.films


def test_sizes_that_did_not_fit_say_why() -> None:
    row = report(step=1.0).sizes[0].model_copy(update={"seconds": None, "note": "does not fit"})
    shown = card.text_of(report().model_copy(update={"sizes": (row,)}), [])
    assert "not measured: does not fit" in shown
    assert (
        card.cells(CheckRow(name="x", state="passed", measured=1e-6, tolerance=1e-4))[-1] == "1e-06 of at most 0.0001"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpu", "weights"), "--gpu examines a card alone; leave out weights"),
        (("--gpu", "--install", "vbench"), "leave out --install vbench"),
        (("--device", "cpu"), "--device goes with --gpu"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(doctor, [*words, "--store", str(tmp_path)])
    assert isinstance(done.exception, UseError)
    assert said in str(done.exception)
