"""Results as the evaluations write them, with made numbers, for tests of what reads them."""

import copy
from typing import Any, Dict

DIGEST, DATASET = "a" * 64, "d" * 64


def _trials(mean: float) -> Dict[str, float]:
    return {"mean": mean, "interval": 0.1}


def _rate(share: float) -> Dict[str, Any]:
    return {"count": 1, "total": 100, "share": share, "interval": [0.0, 2 * share]}


def _estimate(value: float) -> Dict[str, Any]:
    return {"value": value, "low": value - 0.25, "high": value + 0.25}


def _fid() -> Dict[str, Any]:
    names = ("frechet", "kernel", "precision", "recall", "density", "coverage")
    overall = {
        "num_images": 90,
        "num_reference": 100,
        "generated": {name: _trials(2.5) for name in names},
        "floor": {name: _trials(0.5) for name in names},
        "above_floor": _trials(2.0),
        "frechet_extrapolated": None,
    }
    return {
        "distance": "Frechet distance (pool_768 of Inception)",
        "verdict": "nearer to photographs than photographs at a half",
        "overall": overall,
        "leading": "frechet",
        "frechet_by_trial": {"generated": [2.4, 2.6], "floor": [0.4, 0.6]},
        "conditions": {},
        "diversity": {"maps": 8, "images_per_map": 4, "ratio": _estimate(0.75)},
        "protocol": {"real_split": "test", "real_patients": 60, "trials": 2, **_network()},
    }


def _network() -> Dict[str, str]:
    return {"feature_network": "/weights/inception", "layer": "pool_768"}


def _fidelity() -> Dict[str, Any]:
    unknown = {"value": None, "low": None, "high": None}
    numbers = {"iou": 0.75, "iou_by_chance": 0.25, "contrast_ratio": 2.0, "prominence": 1.0}
    side = {name: _estimate(value) for name, value in numbers.items()}
    sides = {"generated": side, "real": side}
    tone = {"error": _estimate(4.25), "correlation": _estimate(0.5)}
    return {
        "verdict": "lesions are where the map says; the tone obeys the skin type; no checkerboard",
        "tone": {"generated": tone, "real": dict.fromkeys(tone, unknown)},
        "roi": sides,
        "checkerboard": sides,
        "counterfactuals": {"iou_new_box": _estimate(0.5), "no_room_to_move": 0},
        "protocol": {"num_images": 24, "map_split": "validation", "interval": "95 % intervals"},
    }


def _memorization() -> Dict[str, Any]:
    rates = {"copies": _rate(0.01), "authentic": _rate(0.4)}
    rates["data_copying"] = {"c_t": -0.5, "cells": 8, "verdict": "as near"}
    return {
        "verdict": "audit by pool_768 of inception: passed at a limit of 5.00% copies",
        "held_out": rates,
        "generated": {"train": rates, "validation": {**rates, "copies": None}},
        "planted_copies_found": {"exact": _rate(0.5)},
        "membership": _estimate(0.5),
        "gate": {"passed": True, "max_copy_rate": 0.05, "reason": ""},
        "protocol": {"training_images": 1000, "training_patients": 300, **_network()},
    }


def _augmentation() -> Dict[str, Any]:
    measures = dict.fromkeys(("top_1", "balanced_accuracy", "macro_f1"), _estimate(0.5))
    arms = [{"arm": name, "seeds": [0, 1], "overall": measures} for name in ("real", "synthetic")]
    study = {"synthetic": {"generator_digest": DIGEST}, "dataset_digest": DATASET}
    return {
        "verdict": {"test": "Adding synthetic images changes nothing."},
        "notes": {"test": ["Acne has 2 test images"]},
        "results": {"test": {"arms": arms}},
        "protocol": {"study": study, "replicates": 1000},
    }


def _ablation() -> Dict[str, Any]:
    full = {"title": "full model", "seeds": 2, "frechet": 0.4, "frechet_interval": 0.1}
    ends = {"difference": 0.1, "difference_low": -0.1, "difference_high": 0.3}
    return {
        "verdicts": ["no ROI loss: not told apart from the full model."],
        "rows": [full, {**full, **ends, "title": "no ROI loss"}],
        "protocol": {"trials": 2, **_network()},
    }


def _reader_study() -> Dict[str, Any]:
    score = {"test": "realism", "by": "all", "measure": "d_prime", "mean": 0.25}
    score |= dict.fromkeys(("readers_low", "readers_high"), None)
    score |= {"readers_and_pictures_low": 0.0, "readers_and_pictures_high": 0.5}
    made_from = {"synthetic": {"digest": DIGEST}, "real": {"digest": DATASET}}
    return {
        "findings": ["Readers were not shown to tell real from synthetic."],
        "readers": [{"reader": "reader_1"}],
        "scores": [score, {**score, "by": "reader"}],
        "protocol": {"made_from": made_from, "intervals": "95 %"},
    }


_CONTENTS = {
    "fid": _fid,
    "fidelity": _fidelity,
    "memorization": _memorization,
    "augmentation": _augmentation,
    "ablation": _ablation,
    "reader_study": _reader_study,
}


def content(name: str) -> Dict[str, Any]:
    """Returns what the JSON of an evaluation holds, of a generator `DIGEST` by `DATASET`."""
    made = copy.deepcopy(_CONTENTS[name]())
    made["step"] = 7
    made["protocol"] = {"generator_digest": DIGEST, "dataset_digest": DATASET, **made["protocol"]}
    return made
