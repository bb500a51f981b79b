"""Files that are amiss, one of each kind, in a folder that is made once a session; some whole ones beside them."""

import json
import struct
import wave
from pathlib import Path

import numpy as np
from PIL import Image

from svi.generation.video import write_mp4
from tests.once import made_once

LONG = "n" * 300  # letters: longer than a name of any file may be
BRACKETS = "[" * 60_000
GIBBERISH = bytes(range(256)) * 8
EXPERIMENT = """
from harness import Variant, experiment


@experiment(baseline="full", tracks=("consistent-50s",){more})
def mine():
    {question}
{body}
"""
FULL = '    yield Variant("full")\n'


def files() -> Path:
    """The folder of all of them."""
    return made_once("bad-files", _make)


def _make(root: Path) -> None:
    root.mkdir()
    for make in (
        _plain,
        _experiments,
        _pictures,
        _films,
        _sounds,
        _footage,
        _samples,
        _loras,
        _stores,
        _weights,
        _prepared,
        _replays,
    ):
        make(root)


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="surrogatepass"))


def _plain(root: Path) -> None:
    _write(root / "empty", b"")
    _write(root / "text.txt", "not what it is called")
    _write(root / "gibberish.bin", GIBBERISH)
    (root / "folder").mkdir()
    (root / "folder.mp4").mkdir()
    (root / "circle").symlink_to("circle")
    (root / "nowhere").symlink_to("is-not-there")
    prompts = {
        "blank": "\n \n",
        "comments": "# one\n# two\n",
        "latin": "caf\xe9 au lait".encode("latin-1"),
        "utf16": "a fox".encode("utf-16"),
        "call": "prompts = [__import__('os').getcwd()]",
        "two": "prompts = ['a']\nprompts = ['b']",
        "open": "prompts = ['a, 'b']",
        "unclosed": "prompts = ['a'",
        "numbers": "[1, 2]",
        "hollow": "[]",
        "blanks": '["a", " "]',
        "mapping": "prompts = {'a': 'b'}",
        "deep": "prompts = " + "[" * 60_000 + "]" * 60_000,
        "deeper": "prompts = " + "(" * 150 + "'a'" + ")" * 150,
        "nul": "a fox\0runs",
        "listed_nul": "prompts = ['a fox\0']",
        "good": "a fox runs",
    }
    for name, text in prompts.items():
        _write(root / "prompts" / f"{name}.txt", text)
    _write(root / "hosts" / "empty.txt", "")


def _experiments(root: Path) -> None:
    bodies = {
        "up": ('"""Q?"""', 'raise SystemExit("said")', ""),
        "good": ('"""Q?"""', FULL, ""),
        "nothing": ('"""Q?"""', "    yield from ()", ""),
        "no_question": ("pass", FULL, ""),
        "endless": ('"""Q?"""', "    i = 0\n    while True:\n        yield Variant(f'v{i}')\n        i += 1", ""),
        "twice": ('"""Q?"""', FULL + FULL, ""),
        "no_baseline": ('"""Q?"""', '    yield Variant("other")', ""),
        "seeded": ('"""Q?"""', FULL + '    yield Variant("b", {"train.seed": 3})', ""),
        "seeded_films": ('"""Q?"""', FULL + '    yield Variant("b", {"generate.seed": 3})', ""),
        "seeds_in_settings": ('"""Q?"""', FULL, ', settings={"train.seed": 1}'),
        "seed_of_70_bits": ('"""Q?"""', FULL, ", seeds=(2**70,)"),
        "seed_below_0": ('"""Q?"""', FULL, ", seeds=(-1,)"),
        "seed_true": ('"""Q?"""', FULL, ", seeds=(True,)"),
        "seed_text": ('"""Q?"""', FULL, ', seeds=("1",)'),
        "seed_half": ('"""Q?"""', FULL, ", seeds=(0.5,)"),
        "seeds_twice": ('"""Q?"""', FULL, ", seeds=(1, 1)"),
        "no_seeds": ('"""Q?"""', FULL, ", seeds=()"),
        "many_seeds": ('"""Q?"""', FULL, ", seeds=range(10**6)"),
        "up_variant": ('"""Q?"""', FULL + '    yield Variant("../../up")', ""),
        "long_variant": ('"""Q?"""', FULL + f'    yield Variant("{LONG}")', ""),
        "empty_variant": ('"""Q?"""', FULL + '    yield Variant("")', ""),
        "dot_variant": ('"""Q?"""', FULL + '    yield Variant("..")', ""),
        "nul_variant": ('"""Q?"""', FULL + '    yield Variant("a\\0b")', ""),
        "line_variant": ('"""Q?"""', FULL + '    yield Variant("a\\nb")', ""),
        "script_variant": ('"""Q?"""', FULL + '    yield Variant("<script>alert(1)</script>")', ""),
        "trivial_variant": ('"""Q?"""', FULL + '    yield Variant("copy_image")', ""),
        "number_variant": ('"""Q?"""', FULL + "    yield Variant(3)", ""),
        "no_variant": ('"""Q?"""', FULL + '    yield "other"', ""),
        "unknown_setting": ('"""Q?"""', FULL + '    yield Variant("b", {"train.stepz": 3})', ""),
        "wrong_setting": ('"""Q?"""', FULL + '    yield Variant("b", {"train.steps": "many"})', ""),
        "true_setting": ('"""Q?"""', FULL + '    yield Variant("b", {"train.steps": True})', ""),
        "nul_setting": ('"""Q?"""', FULL + '    yield Variant("b", {"eval.path": "a\\0b"})', ""),
        "surrogate_setting": ('"""Q?"""', FULL + '    yield Variant("b", {"eval.path": "\\udcff"})', ""),
        "listed_setting": ('"""Q?"""', FULL + '    yield Variant("b", {"train.steps": [1, 2]})', ""),
        "number_key": ('"""Q?"""', FULL + '    yield Variant("b", {3: 4})', ""),
        "unknown_compare": ('"""Q?"""', FULL, ', compare_to="svi-99"'),
        "unknown_orderings": ('"""Q?"""', FULL, ', orderings="nobody"'),
        "yes_of_nobody": ('"""Q?"""', FULL, ', yes_if=("nobody", "worse")'),
        "yes_of_what": ('"""Q?"""', FULL + '    yield Variant("b")\n', ', yes_if=("b", "nicer")'),
        "yes_of_the_baseline": ('"""Q?"""', FULL, ', yes_if=("full", "worse")'),
        "raises": ('"""Q?"""', "    raise RuntimeError('said')\n    yield", ""),
        "recursion": ('"""Q?"""', "    return mine()\n    yield", ""),
    }
    for name, (question, body, more) in bodies.items():
        _write(root / "experiments" / f"{name}.py", EXPERIMENT.format(question=question, body=body, more=more))
    texts: dict[str, str | bytes] = {
        "up": 'from harness.declare.spec import Experiment\nfrom harness import Variant\nmine = Experiment(name="../../up", '
        'question="?", variants=(Variant("full"),), baseline="full", tracks=("consistent-50s",))\n',
        "long_name": 'from harness.declare.spec import Experiment\nfrom harness import Variant\n'
        f'mine = Experiment(name="{LONG}", question="?", variants=(Variant("full"),), baseline="full", '
        'tracks=("consistent-50s",))\n',
        "empty": "",
        "no_python": "this is no Python",
        "latin": "x = 'caf\xe9'".encode("latin-1"),
        "nul": "x = 1\0",
        "brackets": "x = " + BRACKETS,
        "minus": "x = " + "-" * 60_000 + "1",
        "exit": "import sys\nsys.exit(3)",
        "import": "import no_such_module_of_anybody",
        "from_harness": "from harness import Nothing",
        "a_number": "mine = 3",
        "a_class": "class mine:\n    pass",
        "tracks_none": EXPERIMENT.replace('("consistent-50s",)', "()").format(question='"""Q?"""', body=FULL, more=""),
        "tracks_up": EXPERIMENT.replace('"consistent-50s"', '"../../up"').format(question='"""Q?"""', body=FULL, more=""),
        "tracks_twice": EXPERIMENT.replace('"consistent-50s",', '"consistent-50s", "consistent-50s"').format(
            question='"""Q?"""', body=FULL, more=""
        ),
        "tracks_text": EXPERIMENT.replace('("consistent-50s",)', '"consistent-50s"').format(
            question='"""Q?"""', body=FULL, more=""
        ),
        "tracks_number": EXPERIMENT.replace('"consistent-50s"', "50").format(question='"""Q?"""', body=FULL, more=""),
        "parts": "class Mine:\n    pass\n\nclass Half:\n    version = 'one'\n    def next(self): ...\n",
        "own_track": "from harness import Track\nshort = Track('../up', 'consistent', 5.0, 1, '?')\n",
    }  # fmt: skip
    for name, content in texts.items():
        _write(root / "experiments" / f"{name}.py", content)
    (root / "experiments" / "folder.py").mkdir()


def _replays(root: Path) -> None:
    """What `harness generate --replay` is given."""
    for name, content in (("no_json", "{"), ("list", "[]"), ("deep", BRACKETS), ("lacks", "{}"), ("bytes", GIBBERISH)):
        _write(root / "replays" / f"{name}.json", content)
    _write(root / "replays" / "runs.json", json.dumps(replay({"method.generation": "mine.py:X"})))
    _write(root / "replays" / "seed.json", json.dumps(replay({}, seed=2**53)))


def replay(overrides: dict[str, object], seed: int = 0) -> dict[str, object]:
    """The file of a film of one clip."""
    clip = {"prompt": "a", "seed": seed, "own": {}, "take": "0" * 64}
    film = {"profile": "tiny", "recipes": [], "loras": [], "image": "start.png", "fit": "crop"}
    return {**film, "overrides": overrides, "clips": [clip]}


def _pictures(root: Path) -> None:
    folder = root / "images"
    folder.mkdir()
    Image.new("RGB", (32, 32), (200, 40, 90)).save(folder / "good.png")
    whole = (folder / "good.png").read_bytes()
    _write(folder / "cut.png", whole[: len(whole) // 2])
    _write(folder / "empty.png", b"")
    _write(folder / "text.png", "no picture")
    _write(folder / "video.png", b"\0\0\0\x18ftypmp42" + GIBBERISH)
    header = whole[:16] + struct.pack(">II", 100_000, 100_000) + whole[24:]
    _write(folder / "bomb.png", header)
    Image.new("RGB", (5, 900), (1, 2, 3)).save(folder / "thin.png")


def _films(root: Path) -> None:
    folder = root / "videos"
    folder.mkdir()
    grey = np.full((16, 16, 16, 3), 99, np.uint8)
    (root / "film").mkdir()
    write_mp4(root / "film" / "good.mp4", list(grey), 8, 16, 16)
    whole = (root / "film" / "good.mp4").read_bytes()
    for name, content in {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"no video",
        "gibberish": GIBBERISH,
        "header": whole[:40],
    }.items():
        _write(root / "videos_one" / name / "a.mp4", content)
    for i in range(60):  # as a disk full of them looks
        _write(root / "videos_many" / f"a-video-whose-name-is-quite-long-{i:03d}.mp4", b"")
    _write(root / "videos_none" / "readme.txt", "none here")
    _write(root / "videos_short" / "a.mp4", whole)
    _write(root / "videos_hidden" / ".a.mp4", whole)


def _sounds(root: Path) -> None:
    folder = root / "sounds"
    folder.mkdir()
    with wave.open(str(folder / "silent.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
    with wave.open(str(folder / "short.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(b"\0\1" * 1600)
    _write(folder / "empty.wav", b"")
    _write(folder / "text.wav", "no sound")
    _write(folder / "gibberish.wav", b"RIFF" + GIBBERISH)


def _footage(root: Path) -> None:
    """Folders of training videos."""
    whole = (root / "film" / "good.mp4").read_bytes()
    head = "Filename,Video Description\n"
    tables: dict[str, str | bytes] = {
        "latin": (head + "a.mp4,caf\xe9\n").encode("latin-1"),
        "utf16": (head + "a.mp4,b\n").encode("utf-16"),
        "nul": head + "a.mp4,a\0b\n",
        "columns": "file,caption\na.mp4,b\n",
        "empty": "",
        "long": head + "a.mp4," + "x" * 200_000 + "\n",
        "quote": head + 'a.mp4,"never closed' + "x" * 140_000,
        "gibberish": GIBBERISH,
    }
    for name, content in tables.items():
        _write(root / "footage" / name / "a.mp4", whole)
        _write(root / "footage" / name / "captions.csv", content)
    for name in ("two", "folder", "unreadable", "zero"):
        _write(root / "footage" / name / "a.mp4", whole if name != "unreadable" else GIBBERISH)
    _write(root / "footage" / "two" / "a.csv", head)
    _write(root / "footage" / "two" / "b.csv", head)
    (root / "footage" / "folder" / "captions.csv").mkdir()
    _write(root / "footage" / "category" / "cats" / "a.mp4", whole)
    (root / "footage" / "category" / "cats" / "cats.csv").mkdir()
    (root / "footage" / "zero" / "a.mp4").unlink()
    for i in range(60):
        _write(root / "footage" / "zero" / f"a-video-whose-name-is-quite-long-{i:03d}.mp4", b"")


def _samples(root: Path) -> None:
    """Folders of samples to start films from."""
    picture = (root / "images" / "good.png").read_bytes()
    for name, image, prompt in (
        ("no_prompt", picture, None),
        ("no_image", None, "a fox"),
        ("bad_image", GIBBERISH, "a fox"),
        ("bad_prompt", picture, "prompts = [1]"),
        ("empty_prompt", picture, ""),
        ("nul_prompt", picture, "a\0b"),
    ):
        folder = root / "samples" / name / "one"
        folder.mkdir(parents=True)
        if image is not None:
            _write(folder / "frame.png", image)
        if prompt is not None:
            _write(folder / "prompt.txt", prompt)
    (root / "samples" / "none").mkdir()
    outside = root / "samples" / "link" / "one"
    outside.mkdir(parents=True)
    (outside / "frame.png").symlink_to(root / "images" / "good.png")
    _write(outside / "prompt.txt", "a fox")
    (root / "samples" / "folder_prompt" / "one" / "prompt.txt").mkdir(parents=True)
    _write(root / "samples" / "folder_prompt" / "one" / "frame.png", picture)


def _safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def _loras(root: Path) -> None:
    tensor = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    contents: dict[str, bytes] = {
        "empty": b"",
        "gibberish": GIBBERISH,
        "text": b"no LoRA",
        "no_object": _safetensors([]),
        "deep": _safetensors(BRACKETS.encode()),
        "huge": _safetensors({}, length=2**62),
        "no_tensor": _safetensors({}),
        "strange": _safetensors({"a.weight": tensor}, bytes(16)),
        "cut": _safetensors({"a.weight": tensor}, bytes(3)),
        "half": _safetensors({"blocks.0.self_attn.q.lora_A.weight": tensor}, bytes(16)),
        "dtype": _safetensors({"a.weight": {**tensor, "dtype": "F17"}}, bytes(16)),
    }
    for name, content in contents.items():
        _write(root / "loras" / f"{name}.safetensors", content)
    _write(root / "loras" / "pickle.pt", b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.")
    for name, config in (
        ("no_config", None),
        ("bad_config", "[]"),
        ("deep_config", BRACKETS),
        ("dora", '{"use_dora": true}'),
    ):
        _write(root / "loras" / name / "adapter_model.safetensors", contents["half"])
        if config is not None:
            _write(root / "loras" / name / "adapter_config.json", config)
    _write(root / "loras" / "checkpoint" / "latest.json", '{"name": "../../up"}')


def _stores(root: Path) -> None:
    """Stores that are amiss."""
    for name, about in (
        ("other", '{"format": 99}'),
        ("no_json", "{"),
        ("list", "[]"),
        ("number", "3"),
        ("deep", BRACKETS),
        ("bytes", GIBBERISH),
    ):
        _write(root / "stores" / name / "store.json", about)
    (root / "stores" / "folder" / "store.json").mkdir(parents=True)
    record = {"name": "mine", "experiment": "ablation_eimg"}
    damaged: dict[str, str | bytes] = {
        "record_no_json": "{",
        "record_list": "[]",
        "record_lacks": json.dumps(record),
        "record_deep": BRACKETS,
        "record_bytes": GIBBERISH,
    }
    for name, content in damaged.items():
        _write(root / "stores" / name / "store.json", '{"format": 1}')
        _write(root / "stores" / name / "run_records" / "mine.json", content)
    whole = {
        "name": "mine", "experiment": "ablation_eimg", "source": "ablation_eimg", "profile": "tiny", "recipes": [],
        "overrides": {}, "only": None, "variants": ["full"], "tracks": ["consistent-50s"], "seeds": [0], "command": "x",
        "begun": "2026-01-01T00:00:00+00:00", "report": "ab" * 32, "stages": [], "finished": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    for name, manifest in (
        ("manifest_no_json", "{"), ("manifest_list", "[]"), ("manifest_deep", BRACKETS), ("manifest_bytes", GIBBERISH),
        ("manifest_empty", "{}"), ("manifest_none", None), ("manifest_number", "3"),
    ):  # fmt: skip
        store = root / "stores" / name
        _write(store / "store.json", '{"format": 1}')
        _write(store / "run_records" / "mine.json", json.dumps(whole))
        for kind in ("report", "train", "film", "video_scores", "score"):
            folder = store / "artifacts" / kind / ("ab" * 8)
            folder.mkdir(parents=True)
            if manifest is not None:
                _write(folder / "manifest.json", manifest)
        (store / "reports").mkdir()
        (store / "reports" / "mine").symlink_to(f"../artifacts/report/{'ab' * 8}")
    _write(root / "stores" / "whole" / "store.json", '{"format": 1}')
    for name, wrong in (("when", {"begun": "yesterday"}), ("shape", {"variants": 3}), ("up", {"name": "../../up"})):
        _write(root / "stores" / f"record_{name}" / "store.json", '{"format": 1}')
        _write(root / "stores" / f"record_{name}" / "run_records" / "mine.json", json.dumps({**whole, **wrong}))


def _weights(root: Path) -> None:
    """Folders of weights that are amiss."""
    for name, index in (("no_index", None), ("no_json", "{"), ("list", "[]"), ("deep", BRACKETS), ("empty", "{}")):
        folder = root / "weights" / name
        folder.mkdir(parents=True)
        _write(folder / "readme.txt", "weights")
        if index is not None:
            _write(folder / "model_index.json", index)
            _write(folder / "transformer" / "config.json", index)
    _write(root / "weights" / "file", "no folder")


def _prepared(root: Path) -> None:
    """What `harness data` is given."""
    whole = (root / "film" / "good.mp4").read_bytes()
    _write(root / "talkers" / "mute" / "a.mp4", whole)
    _write(root / "talkers" / "unreadable" / "a.mp4", GIBBERISH)
    _write(root / "talkers" / "pickles" / "one" / "frame_data.pkl", b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.")
    _write(root / "talkers" / "pickles" / "one" / "audio_embedding.pkl", GIBBERISH)
    _write(root / "dancers" / "no_pose" / "one" / "video.mp4", whole)
    _write(root / "dancers" / "bad_pose" / "one" / "video.mp4", whole)
    _write(root / "dancers" / "bad_pose" / "one" / "dwpose.mp4", GIBBERISH)
    _write(root / "dancers" / "pickles" / "one" / "frame_data.pkl", b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.")
    _write(root / "dancers" / "pickles" / "one" / "dw_pose_with_foot_wo_face.pkl", GIBBERISH)
