"""One report on a trained generator, for a reviewer, an ethics board, a colleague.

  bazel run //evaluation:report                                   # newest run under runs/
  bazel run //evaluation:report -- --run_dir=R --run=fid,fidelity,memorization
  bazel run //evaluation:report -- --run_dir=R --compare=R2
  bazel run //evaluation:report -- --run_dir=R --nophotographs
  bazel run //evaluation:report -- --run_dir=R --results=ABLATION,STUDY

Writes one HTML page that needs nothing else, the same as Markdown, and JSON: what was
trained on what, pictures that nobody picked, a scorecard, and every measurement with its
protocol, its interval, and what photographs get by the same measure. It measures nothing
itself: what is missing is said with the command that measures it, and --run runs these
commands first, those whose results are there already left out. Results of another
checkpoint or of other records are named and shown greyed.

The page shows photographs of people, the nearest to generated images among them.
--nophotographs makes one that shows none.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import os
import subprocess
import sys
from typing import Dict, List, Sequence

from absl import flags

from common import results
from common.report import Report
from evaluation.features import feature_flags, networks
from evaluation.report import comparison, contents, pictures
from evaluation.report.page import Report as Page
from synthesis import run_flags, trained_generator
from synthesis.trained_generator import TrainedGenerator

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_OUTPUT_DIR = run_flags.define_evaluation_dir()
_RUN = flags.DEFINE_list(
    "run",
    [],
    "Measure first what is missing of "
    f"{', '.join(name for name, kind in results.KINDS.items() if kind.of_run)}.",
)
_RESULTS = flags.DEFINE_list(
    "results", [], "Further folders with results: of an ablation, an experiment, a reader study."
)
_COMPARE = flags.DEFINE_string("compare", None, "Another run, to stand beside this one, paired.")
_PHOTOGRAPHS = flags.DEFINE_bool("photographs", True, "Show photographs of people.")
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of the choice of pictures and their noise.", 0, command_line.LARGEST_SEED
)


def _wanted() -> List[str]:
    possible = [name for name, kind in results.KINDS.items() if kind.of_run]
    for name in _RUN.value:
        if name not in possible:
            raise ValueError(f"--run={name}: not one of {', '.join(possible)}")
    return _RUN.value


def _measure(generator: TrainedGenerator, data_dir: str, folders: Sequence[str]) -> List[str]:
    """Runs the evaluations that are asked for and not there yet; returns those that failed."""
    trained_on = generator.description["dataset"].get("digest")

    def read() -> Dict[str, results.Result]:
        return results.read(generator.run_dir, generator.digest, trained_on, folders)

    network = flags.FLAGS["feature_network"].value
    enough = [results.MEASURED]
    if network in (None, networks.EMBEDDED_NETWORK):
        enough.append(results.TRIAL)
    there = read()
    missing = [name for name in _wanted() if there[name].state not in enough]
    failed = []
    for number, name in enumerate(missing, start=1):
        print(f"[{number} of {len(missing)}] //evaluation:{name}", file=sys.stderr)
        command = [sys.executable, "-m", f"evaluation.{name}", f"--run_dir={generator.run_dir}"]
        command += [f"--step={generator.step}", f"--data_dir={data_dir}"]
        if name in ("fid", "memorization"):
            command += feature_flags.passed_on(several=name == "fid")
        if there[name].path:  # of another checkpoint, damaged, or a trial
            command.append("--overwrite")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        # Its table goes where its progress does; the report says it again.
        status = subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode
        # An audit that lets no image out has a result all the same.
        if status and read()[name].state not in (results.MEASURED, results.TRIAL):
            failed.append(name)
    return failed


def main(_: Sequence[str]) -> None:
    """Gathers, draws, writes and prints."""
    _wanted()
    generator = _GENERATOR()
    data_dir = _DATA_DIR(generator)
    folders = [command_line.user_path(folder) for folder in _RESULTS.value]
    for folder in folders:
        if not os.path.isdir(folder):
            raise ValueError(f"--results={folder}: no such folder")
    other = _COMPARE.value and command_line.run_folder(_COMPARE.value)
    beside = trained_generator.load(other) if other else None
    contents.gather(generator, data_dir, folders)  # bad input is told before anything is measured
    failed = _measure(generator, data_dir, folders)

    told = contents.gather(generator, data_dir, folders)
    photographs = _PHOTOGRAPHS.value
    shown: Dict[str, Sequence[pictures.Picture]] = {
        name: pictures.left_by(one, photographs) for name, one in told.results.items()
    }
    shown[""], remarks = (), ["nothing is painted: the records with the maps are not at hand"]
    if told.cells:
        try:
            painted, remarks = pictures.paint(generator, data_dir, photographs, _SEED.value)
            shown[""] = (painted,)
        except ValueError as error:  # no test crop of the generator's conditions
            remarks = [f"nothing is painted: {error}"]
    compared: Sequence[comparison.Comparison] = ()
    if beside:
        digest = beside.description["dataset"].get("digest")
        compared = comparison.compare(
            told.results, results.read(beside.run_dir, beside.digest, digest, folders)
        )
    page = Page(told, shown, photographs, other, compared, remarks)
    protocol = {"generator_digest": generator.digest, "seed": _SEED.value}
    written = Report(_OUTPUT_DIR(generator.run_dir), "report", protocol, overwrite=True)
    with written.alone():
        path = written.write_text("html", page.html())
        written.write_text("md", page.markdown())
        written.write_json(page.as_dict())
    lines = [f"{one.title}: {one.verdict}" for one in told.results.values()]
    if photographs:
        lines.append("The page shows photographs of people: mind where it goes (--nophotographs).")
    written.show("\n".join(lines), f"open {path} in a browser")
    if failed:
        raise ValueError(f"--run={','.join(failed)}: without a result; its error stands above")


if __name__ == "__main__":
    command_line.run(main)
