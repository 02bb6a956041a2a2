"""Predictions of simulated classifiers, for tests of what is made of them."""

import pathlib
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import pandas as pd

from evaluation.augmentation import predictions
from evaluation.augmentation.arms import DEFAULT, REAL, SYNTHETIC, Arm, make_arms
from preprocessing.data import taxonomy

CONDITIONS = ("Melanoma", "Melanocytic Nevus", "Eczema", "Psoriasis")


def images(number: int = 240, patients: int = 80, seed: int = 0) -> pd.DataFrame:
    """Returns what is known of test images; the conditions of `CONDITIONS` in turn."""
    rng = np.random.default_rng([seed, 1])
    owners = [f"p{index}" for index in rng.integers(0, patients, number)]
    names = [f"i{index}" for index in range(number)]
    return pd.DataFrame(
        {
            "image_id": names,
            "case_id": owners,
            "patient_id": owners,
            "condition": [CONDITIONS[index % len(CONDITIONS)] for index in range(number)],
            "fitzpatrick": 1 + np.arange(number) % 5,
            "fitzpatrick_source": "annotated",
        }
    )


def scores(
    table: pd.DataFrame, accuracy: float, seed: int, melanoma: Optional[float] = None
) -> np.ndarray:
    """Returns probabilities of a classifier that is right with a chance.

    Args:
      table: from `images`.
      accuracy: of all conditions.
      seed: of the training.
      melanoma: its own accuracy.

    Returns:
      float32 [N, 27]: 0.7 for what is said, the rest evenly over the others.
    """
    rng = np.random.default_rng([seed, 2])
    codes = [taxonomy.code(name) for name in CONDITIONS]
    labels = table["condition"].map(taxonomy.code).to_numpy()
    chance = np.full(len(table), accuracy)
    if melanoma is not None:
        chance[labels == taxonomy.code("Melanoma")] = melanoma
    others = np.array([[code for code in codes if code != label] for label in labels])
    wrong = others[np.arange(len(table)), rng.integers(0, len(codes) - 1, len(table))]
    said = np.where(rng.random(len(table)) < chance, labels, wrong)
    result = np.full((len(table), 27), 0.3 / 26, np.float32)
    result[np.arange(len(table)), said] = 0.7
    return result


def training(arm: Arm, seed: int, number: int = 240) -> Dict[str, Any]:
    """Returns what a file of predictions says of its training and its test."""
    synthetic = arm.kind == SYNTHETIC
    return {
        "protocol": {
            "study": {
                "config": {
                    "data": {"view": "full"},
                    "model": {"alpha": 0.25, "input_size": 96},
                    "training": {"steps": 100, "batch_size": 32, "monitor": "loss"},
                },
                "weights": "none",
                "photographs": dict.fromkeys([*CONDITIONS[:3], "Acne"], 100),
                "validation_photographs": 60,
            },
            "arm": arm.name,
            "kind": arm.kind,
            "ratio": arm.ratio,
            "seed": seed,
            "photographs": 300,
            "synthetic_images": 1000 if synthetic else 0,
            "share": 0.0 if arm.kind == REAL else 0.5,
        },
        "outcome": {
            "best_step": 100,
            "seconds": 1.0,
            "validation_balanced_accuracy": 0.5,
        },
        "test": {"digest": "0" * 64, "images": number},
    }


def write_predictions(
    root: str,
    accuracies: Sequence[float],
    ratios: Sequence[float] = (),
    seeds: Sequence[int] = (0, 1),
    melanoma: Optional[float] = None,
    tests: Sequence[str] = ("test",),
) -> List[Arm]:
    """Writes the predictions of all arms.

    Args:
      root: folder.
      accuracies: of the arms, in their order.
      ratios: of further synthetic arms.
      seeds: of the trainings.
      melanoma: accuracy on melanoma of the arms with synthetic images.
      tests: names of the test sets.

    Returns:
      The arms.
    """
    arms = make_arms(DEFAULT, ratios)
    for test in tests:
        table = images()
        for number, (arm, accuracy) in enumerate(zip(arms, accuracies)):
            of_melanoma = melanoma if arm.kind == SYNTHETIC else None
            for seed in seeds:
                path = predictions.path_of(root, arm.name, test, seed)
                drawn = scores(table, accuracy, 100 * number + seed, of_melanoma)
                predictions.write_predictions(path, table, drawn, training(arm, seed))
    return arms


def files(root: str) -> List[str]:
    """Returns the names of all files of predictions below a folder."""
    return sorted(str(path.relative_to(root)) for path in pathlib.Path(root).rglob("*.parquet"))
