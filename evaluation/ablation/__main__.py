"""Table 1 of the paper: what each part of the model is worth.

  bazel run //evaluation:ablation                               # demo data, demo config
  bazel run //evaluation:ablation -- --data_dir=D --config=paper --workdir=W --seeds=0,1
  bazel run //evaluation:ablation -- --run_dirs=full=R1,no_roi=R2,no_feature_matching=R3

Trains the full model and its ablations on the same data, seeds and steps, or takes
runs that are trained, and measures all with the same photographs, maps and trials.
Writes ablation.md, .csv, .json and .png to --workdir. A study that was stopped
continues model by model when the same command is given with its --workdir.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

from typing import Iterable, List, Sequence, Tuple

from absl import flags

from evaluation.ablation import report, study
from evaluation.features import feature_flags
from evaluation.frechet.evaluator import FrechetEvaluator
from evaluation.frechet.protocol import TrialProtocol
from preprocessing.data import records
from synthesis import run_flags
from training import configurations, input_pipeline, program_flags, run_directory

_RUN_DIRS = flags.DEFINE_list(
    "run_dirs",
    None,
    "Trained runs as VARIANT=DIRECTORY, instead of training; any number of seeds of each.",
)
_VARIANTS = flags.DEFINE_list(
    "variants",
    None,
    f"Models to train, of {', '.join(study.VARIANTS)}; by default all that the configuration has "
    "a part to leave out for. The full one comes first.",
)
_SEEDS = flags.DEFINE_list("seeds", ["0"], "Of the trainings; every model is trained with each.")
_TRIALS = flags.DEFINE_integer("trials", TrialProtocol.trials, "Resamplings.", 1, 10_000)
_IMAGES_PER_TRIAL = flags.DEFINE_integer(
    "images_per_trial", 0, "N; see //evaluation:fid.", 0, 1_000_000
)
_OVERWRITE = run_flags.define_overwrite("a table by another protocol or of other models")


def _choose_data_dir(given: Sequence[study.Model]) -> str:
    if given and not program_flags.DATA_DIR.value:
        return run_directory.read_description(given[0].run_dir)["dataset"]["directory"]
    return program_flags.data_dir()


def _conditions(data_dir: str, given: Sequence[study.Model]) -> Tuple[str, ...]:
    if given:
        description = run_directory.read_description(given[0].run_dir)
        return tuple(description["dataset"]["conditions"])
    info = records.read_info(data_dir)
    return input_pipeline.select_conditions(info, program_flags.CONFIG.value.data.conditions)


def _given_models() -> List[study.Model]:
    command_line.exclude("run_dirs", ("config.", "variants", "seeds"))
    run_dirs = study.parse_run_dirs(_RUN_DIRS.value or [])
    return study.given_models(
        [(variant, command_line.run_folder(path)) for variant, path in run_dirs]
    )


def _models_to_train(workdir: str, seeds: Sequence[int]) -> List[study.Model]:
    variants = [study.FULL]
    variants += [
        name
        for name in _VARIANTS.value or study.default_variants(program_flags.CONFIG.value)
        if name != study.FULL
    ]
    return study.plan_models(program_flags.CONFIG.value, workdir, variants, seeds)


def main(_: Sequence[str]) -> None:
    """Trains, measures, writes and prints."""
    seeds = command_line.whole_numbers(_SEEDS, 0, command_line.LARGEST_SEED)
    workdir = program_flags.workdir("ablation-")
    given = _given_models() if _RUN_DIRS.value else []
    data_dir = _choose_data_dir(given)
    models = given or _models_to_train(workdir, seeds)
    conditions = _conditions(data_dir, given)
    evaluator = FrechetEvaluator(
        data_dir,
        conditions,
        feature_flags.extractor(data_dir, conditions),
        TrialProtocol(trials=_TRIALS.value, num_images=_IMAGES_PER_TRIAL.value),
    )
    results = report.open_report(evaluator, models, workdir, _OVERWRITE.value)
    ready: Iterable[study.Model] = given
    if not given:
        ready = study.train_models(program_flags.CONFIG.value, data_dir, models)
    measured: List[study.Measured] = []
    with program_flags.stoppable(workdir), results.alone():
        for model in ready:
            measured.append(study.measure_model(model, evaluator))
            report.write(measured, results)  # after each: a table so far
    shown = run_directory.tensorboard(workdir)
    results.show("\n" + report.markdown(measured), f"read {results.paths[0]}", shown)


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)
