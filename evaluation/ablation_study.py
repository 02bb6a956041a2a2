"""Trains the full model and its ablations, alike but for what is left out.

Paper, Table 1: the full model against no checkerboard mitigation, no ROI loss and no
feature matching. The first of them is two rows here: a deconvolution of the same
kernel, and so of as many parameters, and pix2pix's own of 4x4, which has more in the
decoder. Without the first, the paper's row confuses the layer with its size.
"""

import dataclasses
import pathlib
import sys
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import ml_collections
from tqdm import tqdm

from evaluation.frechet_evaluation import Evaluation, Evaluator
from preprocessing import examples
from synthesis import trained_generator
from training import building, experiment, input_pipeline, run_directory

FULL = "full"
# What each variant changes in the configuration of the full model.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    FULL: {},
    "deconvolution_k3": {"model.upsampling": "deconvolution"},
    "deconvolution_k4": {"model.upsampling": "deconvolution", "model.upsampling_kernel": 4},
    "no_roi": {"loss.roi": 0.0},
    "no_feature_matching": {"loss.feature_matching": 0.0},
}
TITLES: Mapping[str, str] = {
    FULL: "DermGAN",
    "deconvolution_k3": "no checkerboard mitigation, as many parameters",
    "deconvolution_k4": "no checkerboard mitigation, 4x4 kernels",
    "no_roi": "no ROI loss",
    "no_feature_matching": "no feature matching",
}


@dataclasses.dataclass(frozen=True)
class Model:
    """One trained model of the study.

    Attributes:
      variant: key of `VARIANTS`.
      seed: of its training.
      run_dir: run directory.
    """

    variant: str
    seed: int
    run_dir: str


@dataclasses.dataclass(frozen=True)
class Measured:
    """A model and what was measured of it.

    Attributes:
      model: which.
      parameters: trained weights of its generator.
      evaluation: its distances.
    """

    model: Model
    parameters: int
    evaluation: Evaluation


def check_base(config: ml_collections.ConfigDict) -> None:
    """Raises ValueError if something that an ablation leaves out is not in the full model."""
    if config.model.upsampling == "deconvolution":
        raise ValueError(
            "model.upsampling is 'deconvolution': the full model has none to leave out"
        )
    for name in ("roi", "feature_matching"):
        if not config.loss[name] > 0:
            raise ValueError(f"loss.{name} is {config.loss[name]}: the full model has none")


def variant_config(
    config: ml_collections.ConfigDict, variant: str, seed: int
) -> ml_collections.ConfigDict:
    """Returns the configuration of a variant.

    Raises:
      ValueError: unknown variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant {variant!r} is not one of {', '.join(VARIANTS)}")
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(VARIANTS[variant])
    changed.seed = seed
    changed.name = f"{config.name}-{variant}"
    return changed


def _is_finished(config: ml_collections.ConfigDict, data_dir: str, run_dir: pathlib.Path) -> bool:
    """Tells whether the run is complete, after checking that it is this run."""
    if not (run_dir / "generator" / "saved_model.pb").exists():
        return False
    info = examples.read_info(data_dir)
    inputs = building.input_config(config)
    conditions = input_pipeline.select_conditions(info, inputs.conditions)
    precision = building.choose_precision(config.training.precision)
    description = run_directory.describe(config, data_dir, info, conditions, precision)
    run_directory.may_continue(str(run_dir), description, resume=True)
    steps = experiment.total_steps(config, input_pipeline.steps_per_epoch(info, inputs))
    return trained_generator.list_checkpoints(str(run_dir))[-1][0] == steps


def train_models(
    config: ml_collections.ConfigDict,
    data_dir: str,
    workdir: str,
    variants: Sequence[str],
    seeds: Sequence[int],
) -> Iterator[Model]:
    """Trains what is not trained yet, seed by seed; yields each model when it is there.

    The arguments are checked at once, before the first model.

    Args:
      config: of the full model.
      data_dir: what `//preprocessing:preprocess` wrote.
      workdir: receives a run directory `<variant>/seed_<seed>` for each model. A
        study that was stopped continues where it was.
      variants: keys of `VARIANTS`.
      seeds: of the trainings; of a seed, all variants see the same batches.

    Raises:
      ValueError: unknown variant, a full model that lacks what is to be left out, or
        a run directory of another study.
    """
    check_base(config)
    models = [(variant, seed) for seed in seeds for variant in variants]
    for variant, seed in models:
        variant_config(config, variant, seed)
    return _train_each(config, data_dir, pathlib.Path(workdir), models)


def _train_each(
    config: ml_collections.ConfigDict,
    data_dir: str,
    workdir: pathlib.Path,
    models: Sequence[Tuple[str, int]],
) -> Iterator[Model]:
    with tqdm(models, desc="models", unit="model", file=sys.stderr) as bar:
        for variant, seed in bar:
            bar.set_postfix_str(f"{variant}, seed {seed}")
            changed = variant_config(config, variant, seed)
            run_dir = workdir / variant / f"seed_{seed}"
            if not _is_finished(changed, data_dir, run_dir):
                experiment.train(changed, data_dir, str(run_dir))
            yield Model(variant, seed, str(run_dir))


def given_models(run_dirs: Mapping[str, str]) -> List[Model]:
    """Returns models that are trained already.

    Args:
      run_dirs: run directory by variant.

    Raises:
      ValueError: unknown variant, no full model, or runs of different data or steps.
    """
    if FULL not in run_dirs:
        raise ValueError(f"run_dirs: no run is given for {FULL!r}, which the others compare with")
    models, facts = [], {}
    for variant, run_dir in run_dirs.items():
        if variant not in VARIANTS:
            raise ValueError(f"run_dirs: {variant!r} is not one of {', '.join(VARIANTS)}")
        description = trained_generator.read_description(run_dir)
        step = trained_generator.list_checkpoints(run_dir)[-1][0]
        facts[variant] = (description["dataset"]["digest"], step)
        models.append(Model(variant, int(description["seed"]), run_dir))
    for variant, (digest, step) in facts.items():
        if digest != facts[FULL][0]:
            raise ValueError(f"{run_dirs[variant]}: trained on other data than {run_dirs[FULL]}")
        if step != facts[FULL][1]:
            raise ValueError(
                f"{run_dirs[variant]}: trained for {step} steps, {run_dirs[FULL]} for "
                f"{facts[FULL][1]}"
            )
    return models


def measure(model: Model, evaluator: Evaluator) -> Measured:
    """Measures a model; all models of a study by one evaluator."""
    generator = trained_generator.load(model.run_dir)
    return Measured(model, generator.parameters, evaluator.evaluate(generator))


def parse_run_dirs(texts: Sequence[str]) -> Dict[str, str]:
    """Reads "variant=directory" pairs.

    Raises:
      ValueError: a text that is no such pair, or a variant twice.
    """
    pairs: List[Tuple[str, str]] = []
    for text in texts:
        variant, equals, directory = text.partition("=")
        if not (equals and variant and directory):
            raise ValueError(f"run_dirs: {text!r} is not VARIANT=DIRECTORY")
        pairs.append((variant, directory))
    if len(dict(pairs)) < len(pairs):
        raise ValueError(f"run_dirs: a variant is given twice in {','.join(texts)}")
    return dict(pairs)
