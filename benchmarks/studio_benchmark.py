"""From the last place of a box to its picture, in a real browser, against painting alone.

  bazel run //benchmarks:studio_benchmark
  bazel run //benchmarks:studio_benchmark -- --settings=clinical:256 --one_file

Trains each setting for a step (what the weights are does not matter), opens the studio in
a headless Chromium, and drags a box as a hand does: pressed, moved through some places,
let go. `studio` is the time from its last movement until the picture of that place is on the
page, pictures on the way included, with the server on the same machine; `one file` the
same of the page of --output; `bare` calls the generator on one map. In turns, medians and
the slowest tenth. Then an hour of use: --pictures by requests of one and of six, and how
much memory the process has more.
"""

from common import command_line  # isort: skip  (sets the log level first)

import contextlib
import json
import pathlib
import resource
import runpy
import statistics
import tempfile
import time
import urllib.request
from typing import Any, Callable, Dict, Iterator, List, Sequence

import numpy as np
from absl import flags
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from benchmarks import timing
from common import testing_browser
from preprocessing.data import maps
from preprocessing.data.manifest import Box
from studio import one_file, onnxruntime_web, opening, testing
from synthesis import trained_generator
from synthesis.trained_generator import TrainedGenerator
from training import configurations, testing_data
from training.run import Run

_SETTINGS = flags.DEFINE_list(
    "settings", ["demo:64", "demo:128", "demo:256", "clinical:256"], "Configurations and sizes."
)
_TURNS = flags.DEFINE_integer("turns", 20, "Boxes that are dragged.", 3)
_PICTURES = flags.DEFINE_integer("pictures", 3600, "Painted to look at the memory.", 12)
_ONE_FILE = flags.DEFINE_bool("one_file", False, "Measure the page of --output as well.")
_FIRST = "condition=Acne&skin_type=3&noise=7&rois="

# Notes how long after the last place of the pointer the page shows the picture of it.
_WATCH = """
window.waits = [];
const image = document.querySelector(".picture img");
let last = 0;
document.getElementById("map").addEventListener("pointermove", () => { last = performance.now(); });
document.getElementById("map").addEventListener("pointerup", () => {
  const look = () => {
    const wanted = new URLSearchParams(location.hash.slice(1)).get("rois");
    if (image.dataset.rois === wanted && image.complete) waits.push(performance.now() - last);
    else requestAnimationFrame(look);
  };
  look();
});
document.getElementById("map").scrollIntoView();
"""


def _train(config: str, size: int, folder: pathlib.Path) -> TrainedGenerator:
    testing_data.write_dataset(str(folder / "data"), size)
    settings = runpy.run_path(configurations.path_of(config))["get_config"]()
    settings.training.steps = settings.training.num_samples = 1
    settings.training.batch_size = 2
    Run(settings, str(folder / "data"), str(folder / "run")).train()
    return trained_generator.load(str(folder / "run"))


def _until(found: Callable[[], Any]) -> None:
    while not found():
        time.sleep(0.05)


@contextlib.contextmanager
def _page(address: str, size: int) -> Iterator[Callable[[int], float]]:
    """Opens a page; yields what drags its box to the place of a turn, in milliseconds."""
    quarter = size // 4
    with testing_browser.chromium() as driver:
        driver.get(f"{address}#{_FIRST}{quarter} {quarter} {2 * quarter} {2 * quarter}")
        image = driver.find_element(By.CSS_SELECTOR, ".picture img")
        _until(lambda: image.get_attribute("data-rois"))
        driver.execute_script(_WATCH)
        drawn = driver.find_element(By.ID, "map")
        side = drawn.size["width"]
        places = [-0.15, 0.15]  # of the box's centre, from the map's, in its sides

        def drag(turn: int) -> float:
            start, end = places[turn % 2], places[1 - turn % 2]
            pointer = ActionChains(driver, duration=30)
            at = int(start * side)
            pointer.move_to_element_with_offset(drawn, at, at).click_and_hold()
            for part in (1, 2, 3, 4):
                at = int((start + (end - start) * part / 4) * side)
                pointer.move_to_element_with_offset(drawn, at, at)
            pointer.release().perform()
            _until(lambda: len(driver.execute_script("return waits")) > turn)
            return driver.execute_script("return waits")[turn]

        yield drag


def measure(generator: TrainedGenerator, folder: pathlib.Path) -> Dict[str, List[float]]:
    """Returns milliseconds by contender and turn."""
    size = generator.image_size
    box = Box(size / 4, size / 4, size / 2, size / 2)
    one = maps.encode(3, 0, [box], size, size)[None]
    contenders: Dict[str, Callable[[int], float]] = {}
    with contextlib.ExitStack() as stack:
        run_dir, data_dir = str(folder / "run"), str(folder / "data")
        running = stack.enter_context(testing.serving(run_dir, data_dir))
        (painter,), data, _ = opening.prepare([generator], data_dir, insist=True)

        def bare(turn: int) -> float:
            return 1000 * timing.seconds(lambda: painter._paint(one, np.array([turn], np.int64)))

        contenders["bare"] = bare
        address = f"{running.url}/{testing.TOKEN}/"
        contenders["studio"] = stack.enter_context(_page(address, size))
        if _ONE_FILE.value:
            page = folder / "studio.html"
            page.write_text(one_file.render(generator, data, onnxruntime_web.read(None)))
            contenders["one file"] = stack.enter_context(_page(page.as_uri(), size))
        measured: Dict[str, List[float]] = {name: [] for name in contenders}
        for turn in range(_TURNS.value):
            for name, contender in contenders.items():
                measured[name].append(contender(turn))
    return measured


def _resident_mib() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def _use(address: str, size: int, pictures: int) -> None:
    """Asks for pictures of boxes drawn by lot, one and six at a time."""
    rng = np.random.default_rng(pictures)
    for number in range(0, pictures, 7):
        for lane, count in (("picture", 1), ("strip", 6)):
            boxes = rng.integers(0, size // 2, (count, 2))
            asked = [
                {
                    "condition": "Acne",
                    "skin_type": str(rng.integers(1, 7)),
                    "rois": f"{x} {y} {x + size // 3} {y + size // 3}",
                    "noise": str(rng.integers(2**31)),
                }
                for x, y in boxes
            ]
            body = {"run": 0, "page": "0", "lane": lane, "number": number, "pictures": asked}
            with urllib.request.urlopen(f"{address}paint", json.dumps(body).encode()) as reply:
                reply.read()


def memory(generator: TrainedGenerator, folder: pathlib.Path) -> str:
    """Returns how much memory pictures leave behind, in words."""
    with testing.serving(str(folder / "run"), str(folder / "data")) as running:
        address = f"{running.url}/{testing.TOKEN}/"
        _use(address, generator.image_size, _PICTURES.value // 10)
        before = _resident_mib()
        _use(address, generator.image_size, _PICTURES.value)
        after = _resident_mib()
    return (
        f"  memory: {before:,.0f} MiB, {after:,.0f} MiB after {_PICTURES.value:,} pictures, ratio "
        f"{after / before:.2f}"
    )


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    for setting in _SETTINGS.value:
        config, _, size = setting.partition(":")
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            generator = _train(config, int(size), folder)
            measured = measure(generator, folder)
            used = memory(generator, folder)
        slow = {
            contender: f"slowest tenth from {statistics.quantiles(values, n=10)[-1]:,.0f} ms"
            for contender, values in measured.items()
        }
        print(timing.table(f"{config}, {size}x{size}", "ms", measured, "bare", notes=slow))
        print(used)


if __name__ == "__main__":
    command_line.run(main)
