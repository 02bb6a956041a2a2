"""Memory of the evaluations of few and of many crops.

  bazel run //benchmarks:evaluation_memory_benchmark [-- --few=5000 --many=50000]

Makes two sets of records of 64x64: a hundred training photographs, encoded once, again and again
under new ids, beside 160 validation and 160 test ones. Trains a tiny generator for a step, and
runs each program on both sets: `fid` compares the training photographs with as many painted
images, `memorization` looks for few images among them, `augmentation` paints as many and trains
a classifier on both for two steps.

Two numbers of each process, sampled ten times a second: the peak of what only it can use
(anonymous and shared memory, which must fit into the machine), and of all resident pages, with
those of files, which the system takes back when others need the room.
"""

from common import command_line  # isort: skip  (sets the log level first)

import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, NamedTuple, Sequence

import numpy as np
from absl import flags

from common import progress
from preprocessing.data import maps, records, taxonomy, tfrecords
from preprocessing.data.manifest import Box
from training import testing_data

_FEW = flags.DEFINE_integer("few", 5000, "Crops of the smaller set.", 500, 10_000_000)
_MANY = flags.DEFINE_integer("many", 50_000, "Crops of the larger set.", 500, 10_000_000)
_DIR = flags.DEFINE_string("dir", None, "Where to write; default: a temporary folder.")
_SIZE = 64
_CONDITIONS = ("Acne", "Melanoma", "Vitiligo")
_DISTINCT = 100
_PER_SHARD = 1000
_TINY = [one for one in testing_data.SMALL_SETTINGS if "image_size" not in one]
_PROGRAMS = {
    "fid": (
        *("evaluation.fid", "--real_split=train", "--num_images={number}", "--trials=2"),
        *("--partings=2", "--images_per_trial=200", "--smallest_group=1000000"),
    ),
    "memorization": (
        *("evaluation.memorization", "--num_images=16", "--num_planted=2", "--num_pairs=4"),
        *("--alpha=0.1", "--max_copy_rate=-1"),
    ),
    "augmentation": (
        *("evaluation.augmentation", "--arms=real+synthetic", "--num_synthetic={number}"),
        *("--seeds=0", "--replicates=200", "--config.training.steps=2"),
        "--config.training.validate_every=1",
    ),
}


def _photographs(seed: int, number: int) -> List[records.Record]:
    """Draws distinct crops, blurred noise with a dark box."""
    rng = np.random.default_rng(seed)
    drawn = []
    for index in range(number):
        coarse = rng.integers(40, 250, (8, 8, 3), np.uint8)
        image = np.kron(coarse, np.ones((_SIZE // 8, _SIZE // 8, 1), np.uint8))
        box = Box(*(corner := rng.integers(4, 30, 2)), *(corner + 24))
        image[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] //= 3
        condition, skin_type = _CONDITIONS[index % len(_CONDITIONS)], 1 + index % 6
        code = taxonomy.code(condition)
        encoded = testing_data.png(maps.encode(skin_type, code, [box], _SIZE, _SIZE))
        drawn.append(
            records.Record(
                *(testing_data.png(image), encoded, _SIZE, _SIZE, (box,), condition, skin_type),
                *("case", "patient", "image"),
            )
        )
    return drawn


def make_records(folder: pathlib.Path, number: int) -> None:
    """Writes `number` training crops of `_DISTINCT` pictures, and validation and test ones."""
    counts: Dict[str, Dict[str, Dict[str, Dict[str, int]]]] = {"crops": {}, "full": {}}
    for kind in counts:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    distinct = {"train": _DISTINCT, "validation": 160, "test": 160}
    for seed, (split, different) in enumerate(distinct.items()):
        pictures = _photographs(seed, different)
        total = number if split == "train" else different
        starts = range(0, total, _PER_SHARD)
        for shard, start in enumerate(progress.bar(starts, what=split, unit="shards")):
            written: Dict[str, List[bytes]] = {kind: [] for kind in counts}
            for index in range(start, min(start + _PER_SHARD, total)):
                one, name = pictures[index % different], f"{split}{index:06d}"
                one = dataclasses.replace(one, case_id=name, patient_id=name, image_id=name)
                whole = dataclasses.replace(one, map_png=b"")
                for kind, record in (("crops", one), ("full", whole)):
                    written[kind].append(tfrecords.frame(records.serialize(record)))
                    by_type = counts[kind].setdefault(split, {}).setdefault(one.condition, {})
                    key = str(one.fitzpatrick)
                    by_type[key] = by_type.get(key, 0) + 1
            for kind, framed in written.items():
                path = folder / kind / records.shard_name(split, shard, len(starts))
                path.write_bytes(b"".join(framed))
    # Of one digest: to the programs both are what the generator was trained on.
    info = records.DatasetInfo(
        *(_SIZE, _SIZE, taxonomy.CONDITIONS, counts),
        digest="0" * 64,
        settings={},
        packages={},
    )
    (folder / "dataset.json").write_text(info.to_json(), encoding="utf-8")


class Measured(NamedTuple):
    """Peaks in MiB, and seconds on the clock."""

    own: float
    resident: float
    seconds: float


def _memory(process: int) -> Dict[str, float]:
    """Returns a living process's kinds of memory, MiB; nothing of one that has ended."""
    try:
        text = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return {}
    lines = [line.split() for line in text.splitlines() if line.startswith(("Rss", "VmHWM"))]
    return {name.rstrip(":"): int(kib) / 1024 for name, kib, _ in lines}


def run_measured(arguments: Sequence[str]) -> Measured:
    """Runs a program of the project and looks at its memory.

    Raises:
      ValueError: it fails.
    """
    started, own, resident = time.monotonic(), 0.0, 0.0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=said, stderr=subprocess.STDOUT
        )
        while process.poll() is None:
            memory = _memory(process.pid)
            own = max(own, memory.get("RssAnon", 0) + memory.get("RssShmem", 0))
            resident = max(resident, memory.get("VmHWM", 0))
            time.sleep(0.1)
        if process.returncode:
            said.seek(0)
            raise ValueError(
                f"{' '.join(arguments)}: status {process.returncode}, {said.read()[-2000:]}"
            )
    return Measured(own, resident, time.monotonic() - started)


def main(_: Sequence[str]) -> None:
    """Makes the records, runs the programs and prints a table."""
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(command_line.user_path(_DIR.value) if _DIR.value else temporary)
        sizes = (_FEW.value, _MANY.value)
        for number in sizes:
            make_records(root / str(number), number)
        run_dir = root / "run"
        run_measured(
            [
                *("training.train", f"--data_dir={root / str(sizes[0])}", f"--workdir={run_dir}"),
                *(*_TINY, f"--config.model.image_size={_SIZE}", "--config.training.steps=1"),
            ]
        )
        print(f"{'':14}{'crops':>8}{'own MiB':>9}{'resident':>9}{'seconds':>9}")
        for program, arguments in _PROGRAMS.items():
            found = []
            for number in sizes:
                outputs = "workdir" if program == "augmentation" else "output_dir"
                cached = [] if program == "augmentation" else ["--feature_network=embedded"]
                cached += [f"--cache_dir={root / 'cache'}"] if cached else []
                common = (
                    *(f"--run_dir={run_dir}", f"--data_dir={root / str(number)}", *cached),
                    f"--{outputs}={root / program}_{number}",
                )
                asked = [one.format(number=number) for one in arguments]
                found.append(run_measured([*asked, *common]))
                one = found[-1]
                cells = f"{one.own:9,.0f}{one.resident:9,.0f}{one.seconds:9,.0f}"
                print(f"{program:14}{number:8,}{cells}", flush=True)
            few, many = found
            ratios = f"{many.own / few.own:9.2f}{many.resident / few.resident:9.2f}"
            print(f"{'  large/small':22}{ratios}", flush=True)


if __name__ == "__main__":
    command_line.run(main)
