"""Trains the full model and its ablations, alike but for what is left out.

Paper, Table 1: the full model against no checkerboard mitigation, no ROI loss and no
feature matching. The first of them is two rows here: a deconvolution of the same
kernel, and so of as many parameters, and pix2pix's own of 4x4, which has more in the
decoder. Without the first, the paper's row confuses the layer with its size.
"""

import dataclasses
import pathlib
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import ml_collections

from common import progress
from evaluation.frechet.evaluator import FrechetEvaluation, FrechetEvaluator
from synthesis import trained_generator
from training import run_directory
from training.run import Run

FULL = "full"
# What each variant changes in the configuration of the full model.
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    FULL: {},
    "deconvolution_k3": {"model.upsampling": "deconvolution"},
    "deconvolution_k4": {"model.upsampling": "deconvolution", "model.upsampling_kernel": 4},
    "no_roi": {"loss.roi": 0.0},
    "no_feature_matching": {"loss.feature_matching": 0.0},
    "no_encoder": {"encoder.base_filters": 0, "loss.kl": 0.0, "loss.code": 0.0},
}
TITLES: Mapping[str, str] = {
    FULL: "DermGAN",
    "deconvolution_k3": "no checkerboard mitigation, as many parameters",
    "deconvolution_k4": "no checkerboard mitigation, 4x4 kernels",
    "no_roi": "no ROI loss",
    "no_feature_matching": "no feature matching",
    "no_encoder": "no encoder",
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
    evaluation: FrechetEvaluation


def default_variants(config: ml_collections.ConfigDict) -> List[str]:
    """Returns the variants of a full model: the paper's, and what else it has to leave out."""
    return [name for name in VARIANTS if name != "no_encoder" or config.encoder.base_filters]


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
    if variant not in default_variants(config):
        raise ValueError("encoder.base_filters is 0: the full model has no encoder to leave out")
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(VARIANTS[variant])
    changed.seed = seed
    changed.name = f"{config.name}-{variant}"
    return changed


def plan_models(
    config: ml_collections.ConfigDict, workdir: str, variants: Sequence[str], seeds: Sequence[int]
) -> List[Model]:
    """Returns the models of a study, seed by seed, after checking that they make sense.

    Args:
      config: of the full model.
      workdir: each model has a run directory `<variant>/seed_<seed>` in it.
      variants: keys of `VARIANTS`.
      seeds: of the trainings; of a seed, all variants see the same batches.

    Raises:
      ValueError: unknown variant, or a full model that lacks what is to be left out.
    """
    check_base(config)
    models = []
    for seed in seeds:
        for variant in variants:
            variant_config(config, variant, seed)
            run_dir = pathlib.Path(workdir) / variant / f"seed_{seed}"
            models.append(Model(variant, seed, str(run_dir)))
    return models


def train_models(
    config: ml_collections.ConfigDict, data_dir: str, models: Sequence[Model]
) -> Iterator[Model]:
    """Trains what is not trained yet; yields each model when it is there.

    Args:
      config: of the full model.
      data_dir: what `//preprocessing:preprocess` wrote.
      models: from `plan_models`. A study that was stopped continues where it was.

    Raises:
      ValueError: a run directory of another study.
    """
    with progress.bar(models, what="models", unit="models") as bar:
        for model in bar:
            bar.set_postfix_str(f"{model.variant}, seed {model.seed}")
            changed = variant_config(config, model.variant, model.seed)
            run = Run(changed, data_dir, model.run_dir)
            if not run.is_finished():
                run.train()
            yield model


def given_models(run_dirs: Sequence[Tuple[str, str]]) -> List[Model]:
    """Returns models that are trained already, the full ones first.

    Args:
      run_dirs: variant and run directory of each; a variant may have several seeds.

    Raises:
      ValueError: unknown variant, no full model of a seed, a variant and seed given
        twice, or runs of different data or steps, or of settings that differ in more
        than the variant.
    """
    full = [run_dir for variant, run_dir in run_dirs if variant == FULL]
    if not full:
        raise ValueError(f"run_dirs: no run is given for {FULL!r}, which the others compare with")
    models: List[Model] = []
    for variant, run_dir in run_dirs:
        if variant not in VARIANTS:
            raise ValueError(f"run_dirs: {variant!r} is not one of {', '.join(VARIANTS)}")
        _check_comparable(variant, run_dir, full[0])
        seed = int(run_directory.read_description(run_dir)["seed"])
        for model in models:
            if (model.variant, model.seed) == (variant, seed):
                raise ValueError(
                    f"{run_dir}: {variant} of seed {seed}, as {model.run_dir}; give one of them"
                )
        models.append(Model(variant, seed, run_dir))
    seeds_of_full = {model.seed for model in models if model.variant == FULL}
    for model in models:
        if model.seed not in seeds_of_full:
            raise ValueError(f"{model.run_dir}: no {FULL} of seed {model.seed} to compare with")
    return sorted(models, key=lambda model: model.variant != FULL)


def _check_comparable(variant: str, run_dir: str, full_dir: str) -> None:
    """Raises ValueError if a run and a full model differ in more than the variant."""
    ours, full = map(run_directory.read_description, (run_dir, full_dir))
    if ours["dataset"]["digest"] != full["dataset"]["digest"]:
        raise ValueError(f"{run_dir}: trained on other data than {full_dir}")
    step, full_step = (run_directory.newest_checkpoint(path)[0] for path in (run_dir, full_dir))
    if step != full_step:
        raise ValueError(f"{run_dir}: trained for {step} steps, {full_dir} for {full_step}")
    settings = _settings(ours)
    wanted = {**_settings(full), **VARIANTS[variant]}
    differences = [
        f"{name} is {settings.get(name)!r}, not {wanted.get(name)!r}"
        for name in sorted({*settings, *wanted})
        if settings.get(name) != wanted.get(name)
    ]
    if differences:
        raise ValueError(f"{run_dir}: is not {variant} of {full_dir} ({'; '.join(differences)})")


def _settings(description: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns what decides about the weights, but for the seed, by its dotted name."""
    config = description["config"]
    flat = {
        f"{section}.{name}": value
        for section in ("data", "discriminator", "loss", "model", "optimizer")
        for name, value in config[section].items()
    }
    for name in ("batch_size", "steps", "epochs"):
        flat[f"training.{name}"] = config["training"][name]
    return {**flat, "precision": description["precision"]}


def measure_model(model: Model, evaluator: FrechetEvaluator) -> Measured:
    """Measures a model; all models of a study by one evaluator."""
    generator = trained_generator.load(model.run_dir)
    return Measured(model, generator.parameters, evaluator.evaluate(generator))


def parse_run_dirs(texts: Sequence[str]) -> List[Tuple[str, str]]:
    """Reads "variant=directory" pairs.

    Raises:
      ValueError: a text that is no such pair.
    """
    pairs: List[Tuple[str, str]] = []
    for text in texts:
        variant, equals, directory = text.partition("=")
        if not (equals and variant and directory):
            raise ValueError(f"run_dirs: {text!r} is not VARIANT=DIRECTORY")
        pairs.append((variant, directory))
    return pairs
