"""A manifest of a million rows: memory and time of the driver of `preprocess`.

  bazel run //benchmarks:manifest_benchmark [-- --num_rows=1000000]

Makes a manifest of N rows, two boxes and two columns of its own in each. Of a thousand
photographs one is there, the same small one: reading photographs is measured by
`scale_benchmark`, and here it would take hours. What the driver does is what it does of
any manifest: reading, checking, planning, waiting for workers, adding up; and every row
that is not used is in `rejected.csv`. Without the search for near-duplicates.
"""

from common import command_line  # isort: skip  (sets the log level first)

import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Dict, Sequence

from absl import flags
from PIL import Image

from benchmarks import processes
from preprocessing.data import manifest, records, taxonomy

_NUM_ROWS = flags.DEFINE_integer("num_rows", 1_000_000, "N.", 1000, 100_000_000)
_WORKERS = flags.DEFINE_integer("workers", 2, "Worker processes.", 1, 1000)
_ONE_OF = 1000


def write_manifest(folder: pathlib.Path, count: int) -> pathlib.Path:
    """Writes the manifest and its one photograph; returns its path."""
    Image.new("RGB", (64, 64), (204, 158, 122)).save(folder / "one.jpg")
    path = folder / "cases.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*manifest.REQUIRED_COLUMNS, "age", "sex"))
        for number in range(count):
            missing = f"{number // 1000:05d}/image_{number:08d}.jpg"
            writer.writerow(
                (
                    *(f"case_{number // 3:08d}", f"patient_{number // 6:08d}"),
                    *(f"image_{number:08d}", missing if number % _ONE_OF else "one.jpg"),
                    taxonomy.CONDITIONS[number // 3 % len(taxonomy.CONDITIONS)],
                    *(1 + number // 6 % 6, "10 10 30 30;35.5 20 60 50"),
                    *(20 + number % 60, "female"),
                )
            )
    return path


def main(argv: Sequence[str]) -> None:
    """Measures in a temporary folder and prints."""
    del argv
    with tempfile.TemporaryDirectory() as folder:
        cases = write_manifest(pathlib.Path(folder), _NUM_ROWS.value)
        output = pathlib.Path(folder, "records")
        command = [
            *(sys.executable, "-m", "preprocessing.preprocess", "--nofind_duplicates"),
            *(f"--cases={cases}", f"--output_dir={output}", "--image_size=32", "--full_size=16"),
            *(f"--direct_num_workers={_WORKERS.value}", "--direct_running_mode=multi_processing"),
        ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        seen: Dict[int, processes.Process] = {}
        planned = 0.0
        while process.poll() is None:
            seen.update(processes.of_group(process.pid))
            if not planned and len(seen) > 1:
                planned = time.perf_counter() - start
            time.sleep(0.5)
        seconds = time.perf_counter() - start
        if process.returncode:
            raise ValueError(f"preprocess ended with {process.returncode}")
        info = records.read_info(str(output))
        with open(output / "rejected.csv", encoding="utf-8") as file:
            unused = sum(1 for _ in file) - 1
        crops = sum(info.count("crops", split) for split in manifest.SPLITS)
        driver = seen.pop(process.pid)
        print(
            f"{_NUM_ROWS.value} rows, {cases.stat().st_size / 2**20:.0f} MiB: {seconds:.0f} s, of "
            f"which {planned:.0f} s until the first worker; {crops} crops, {unused} rows not "
            f"used; driver {driver.peak:.0f} MiB at most, {driver.seconds:.0f} s of processor "
            f"time, largest worker {max(one.peak for one in seen.values()):.0f} MiB"
        )


if __name__ == "__main__":
    command_line.run(main)
