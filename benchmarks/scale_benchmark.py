"""Preprocessing at scale: time, memory, and a run that is killed in the middle.

  bazel run //benchmarks:scale_benchmark [-- --num_photographs=50000]

Draws N photographs of 320x240 (no two alike, about 10 kB each) and runs the program
`preprocess` over the first 1,000 of them and over all, each time with the same number
of worker processes. Neither the time per photograph nor the memory of the driver and
of the largest worker should grow with N, but for what the driver keeps of the manifest.
Time per photograph is taken between the first and the last finished shard, since the
start of a run costs the same for any N: on the clock, and as processor time of all
processes, which bears other programs on the machine better.

Then all once more, in another folder, with the whole process group killed (SIGKILL)
when half of the shards are finished. The same command must complete it: the finished
record files are those that were there (same inode, same time of change), no
photograph is lost or there twice, and the digest is that of the undisturbed run.
"""

from common import command_line  # isort: skip  (sets the log level first)

import csv
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from typing import Callable, Dict, List, NamedTuple, Sequence, Set, Tuple

import numpy as np
from absl import flags
from PIL import Image

from benchmarks import processes
from common import progress
from preprocessing.data import manifest, records, taxonomy
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import pipeline
from preprocessing.sharding import shards as shards_of

_NUM_PHOTOGRAPHS = flags.DEFINE_integer("num_photographs", 50_000, "N.", lower_bound=2000)
_FEW = flags.DEFINE_integer("few", 1000, "The number to compare with.", lower_bound=256)
_WORKERS = flags.DEFINE_integer("workers", 2, "Worker processes.", lower_bound=1)
_IMAGE_SIZE = flags.DEFINE_integer("image_size", 128, "Of crops and of whole photographs.")
_DIR = flags.DEFINE_string("dir", None, "Where to write; default: a temporary folder.")
_SIZE = (320, 240)
_TONES = ((247, 222, 207), (225, 184, 153), (204, 158, 122), (186, 138, 102), (128, 86, 60))
_PER_FOLDER = 1000


def write_photographs(folder: pathlib.Path, count: int) -> List[Photograph]:
    """Draws photographs with a lesion each, and returns their manifest rows."""
    rng = np.random.default_rng(0)
    width, height = _SIZE
    noise = rng.normal(0, 5, (2 * height, 2 * width, 1))
    rows = []
    for number in progress.bar(range(count), what="drawing", unit="photographs"):
        x, y = rng.integers((width, height))
        pixels = np.array(_TONES[number % 5]) + noise[y : y + height, x : x + width]
        left, top, across, down = rng.integers((40, 20, 40, 40), (200, 140, 100, 90))
        pixels[top : top + down, left : left + across] *= (0.7, 0.5, 0.5)
        name = f"{number // _PER_FOLDER:03d}/{number:06d}.jpg"
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name, quality=80)
        # Three photographs to a case, two cases to a patient.
        rows.append(
            Photograph(
                case_id=f"case{number // 3}",
                patient_id=f"patient{number // 6}",
                image_id=f"image{number}",
                image=name,
                condition=taxonomy.CONDITIONS[number // 3 % len(taxonomy.CONDITIONS)],
                fitzpatrick=1 + number // 6 % 6,
                rois=(Box(left, top, left + across, top + down),),
            )
        )
    return rows


class _Look(NamedTuple):
    """What was there at one moment; times are in seconds since the start."""

    clock: float
    processor: float
    shards: int


@dataclasses.dataclass
class Run:
    """One run of the program.

    Attributes:
      seconds: on the clock, from start to end.
      driver: its peak memory, MiB.
      worker: peak memory of the largest other process, MiB.
      looks: taken all the time.
      returncode: negative where a signal has ended it.
    """

    seconds: float
    driver: float
    worker: float
    looks: List[_Look]
    returncode: int

    def per_shard(self, shares: Tuple[float, float] = (0.0, 1.0)) -> Tuple[float, float]:
        """Returns clock and processor seconds per shard.

        Args:
          shares: between which shares of the shards, from the first one that the run made.
        """
        looks = [look for look in self.looks if look.shards > self.looks[0].shards]
        first, last = (looks[round(share * (len(looks) - 1))] for share in shares)
        shards = last.shards - first.shards
        return (last.clock - first.clock) / shards, (last.processor - first.processor) / shards


def _markers(work: pathlib.Path) -> List[pathlib.Path]:
    return shards_of.records_job(str(work)).markers()


def run(cases_csv: str, output: pathlib.Path, until: Callable[[int], bool]) -> Run:
    """Runs `preprocess`, in a process group that is killed when `until(shards)` is true."""
    command = [
        sys.executable,
        "-m",
        "preprocessing.preprocess",
        f"--cases={cases_csv}",
        f"--output_dir={output}",
        f"--image_size={_IMAGE_SIZE.value}",
        f"--full_size={_IMAGE_SIZE.value}",
        f"--direct_num_workers={_WORKERS.value}",
        "--nofind_duplicates",  # measured apart: docs/results/collections.md
        "--direct_running_mode=multi_processing",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    seen: Dict[int, processes.Process] = {}
    looks: List[_Look] = []
    while process.poll() is None:
        seen.update(processes.of_group(process.pid))
        shards = len(_markers(output / pipeline.UNFINISHED))
        if not looks or shards > looks[-1].shards:  # At the end they are removed.
            processor = sum(one.seconds for one in seen.values())
            looks.append(_Look(time.perf_counter() - start, processor, shards))
        if until(shards):
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.1)
    driver = seen.pop(process.pid)
    return Run(
        seconds=time.perf_counter() - start,
        driver=driver.peak,
        worker=max(one.peak for one in seen.values()),
        looks=looks,
        returncode=process.returncode,
    )


def _records(folder: pathlib.Path) -> Dict[str, Tuple[int, int]]:
    """Returns inode and time of change of the record files of finished shards."""
    names = {path.stem for path in _markers(folder)}
    files = (folder / kind / name for kind in ("crops", "full") for name in names)
    return {
        f"{path.parent.name}/{path.name}": (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in files
    }


def _image_ids(output: pathlib.Path) -> List[str]:
    with open(output / "crops.csv", newline="") as file:
        return [row["image_id"] for row in csv.DictReader(file)]


def _complete(output: pathlib.Path, result: Run, expected: Set[str]) -> str:
    """Returns the digest of a data set after making sure that it is complete."""
    if result.returncode:
        raise ValueError(f"{output}: the run ended with {result.returncode}")
    identifiers = _image_ids(output)
    if len(identifiers) != len(expected) or set(identifiers) != expected:
        raise ValueError(f"{output}: photographs are missing or there more than once")
    return records.read_info(str(output)).digest


def _print(name: str, result: Run, count: int) -> None:
    size = pipeline.Settings().photographs_per_shard
    clock, processor = (seconds / size * 1e3 for seconds in result.per_shard())
    parts = [
        f"{result.per_shard((tenth / 10, (tenth + 1) / 10))[1] / size * 1e3:.2f}"
        for tenth in range(10 if len(result.looks) > 50 else 0)
    ]
    print(
        f"{name}: {count} photographs in {result.seconds:.0f} s; per photograph after the first "
        f"shard {clock:.2f} ms, {processor:.2f} ms of processor time "
        f"({'by tenth of the run ' + ', '.join(parts) if parts else 'a short run'}); "
        f"peak memory {result.driver:.0f} MiB, largest worker {result.worker:.0f} MiB",
        flush=True,
    )


def measure(root: pathlib.Path) -> None:
    """Measures and prints.

    Raises:
      ValueError: a run failed, or its data set is not what it should be.
    """
    rows = write_photographs(root, _NUM_PHOTOGRAPHS.value)
    digests = []
    for count in (_FEW.value, len(rows)):
        cases_csv = str(root / f"cases_{count}.csv")
        manifest.write_cases(cases_csv, rows[:count])
        output = root / f"records_{count}"
        result = run(cases_csv, output, until=lambda shards: False)
        digests.append(_complete(output, result, {row.image_id for row in rows[:count]}))
        _print("undisturbed", result, count)

    output = root / "records_killed"
    work = output / pipeline.UNFINISHED
    half = len(rows) // pipeline.Settings().photographs_per_shard // 2
    killed = run(cases_csv, output, until=lambda shards: shards >= half)
    before = _records(work)
    print(f"killed after {killed.seconds:.0f} s with {len(before) // 2} shards finished")
    result = run(cases_csv, output, until=lambda shards: False)
    _print("restarted", result, len(rows))
    if _complete(output, result, {row.image_id for row in rows}) != digests[-1]:
        raise ValueError(f"{output}: other records than in the undisturbed run")
    for name, stamp in before.items():
        status = (output / name).stat()
        if (status.st_ino, status.st_mtime_ns) != stamp:
            raise ValueError(f"{output / name}: was finished and written again")
    print(f"the {len(before)} finished record files were kept, nothing is lost or there twice")


def main(argv: Sequence[str]) -> None:
    """Measures in the folder asked for, or in one that is removed at the end."""
    del argv
    if _DIR.value:
        root = pathlib.Path(command_line.user_path(_DIR.value))
        root.mkdir(parents=True)
        measure(root)
    else:
        with tempfile.TemporaryDirectory() as folder:
            measure(pathlib.Path(folder))


if __name__ == "__main__":
    command_line.run(main)
