"""The model card of an exported generator: what it is, and what is known of it.

After Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

import json
import pathlib
from typing import Any, Dict, List, Mapping, Optional

from preprocessing.data import records, taxonomy
from synthesis.trained_generator import TrainedGenerator

_TEMPLATE = """# Model card: DermGAN generator

Paints a clinical skin photograph of {size}x{size} pixels from a semantic map: a skin
condition, the boxes it is to appear in, and a Fitzpatrick skin type.

- Digest: `{digest}`
- Run: `{run}`, step {step:,}; code revision `{revision}`
- {parameters:,} weights; precision {precision}
- Made by: {packages}

## Intended use

Research on dermatological image analysis: augmenting *training* data, studying what
classifiers look at, showing what a data set lacks. **Not a medical device.** Not for
diagnosis, not as evidence about any person or disease, not as test data: an image it
paints shows what the training photographs have in common, not a patient.

## Data

{data}

A generator inherits the licence conditions of the photographs it was trained on.

Conditions it was trained on: {conditions}.

## Training

```json
{config}
```

## Evaluation

{evaluation}

## Limits

- A box says little about a picture; what was rare in training, it invents.
- Skin types that were estimated from colour (ITA) agree with experts only moderately.
- Conditions outside the list above were never seen; asked for, it paints something.
- A memorisation audit finds copies in the space of its features, not everything that
  could identify a person.
"""


def write(generator: TrainedGenerator) -> str:
    """Returns the model card of a generator, as Markdown.

    Figures are those found in `RUN_DIR/evaluation`; where there are none, it says so.
    """
    description = generator.description
    packages = description.get("packages", {})
    return _TEMPLATE.format(
        size=generator.image_size,
        digest=generator.digest,
        run=pathlib.Path(generator.run_dir).name,
        step=generator.step,
        revision=description.get("git_revision", "unknown"),
        parameters=generator.parameters,
        precision=description["precision"],
        packages=", ".join(f"{name} {version}" for name, version in sorted(packages.items())),
        data=_data(description["dataset"]),
        conditions=", ".join(generator.conditions),
        config=json.dumps(description["config"], indent=2, sort_keys=True),
        evaluation=_evaluation(generator),
    )


def _data(dataset: Mapping[str, Any]) -> str:
    line = f"Records with digest `{dataset.get('digest')}`."
    try:
        info = records.read_info(dataset["directory"])
    except (ValueError, KeyError):
        return f"{line} They are not at hand, so their counts are not given."
    if info.digest != dataset.get("digest"):
        return f"{line} What lies in their folder now is another data set."
    lines = [
        f"{line} {info.count('crops', 'train'):,} training crops, by condition and skin type:",
        "",
        "| condition | " + " | ".join(f"type {t}" for t in taxonomy.FITZPATRICK_TYPES) + " |",
        "|---|" + "---|" * len(taxonomy.FITZPATRICK_TYPES),
    ]
    counts = info.counts["crops"].get("train", {})
    for condition in dataset["conditions"]:
        by_type = counts.get(condition, {})
        cells = [str(by_type.get(str(t), 0)) for t in taxonomy.FITZPATRICK_TYPES]
        lines.append(f"| {condition} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _read(generator: TrainedGenerator, name: str) -> Optional[Dict[str, Any]]:
    """Reads a result of this very checkpoint."""
    path = pathlib.Path(generator.run_dir) / "evaluation" / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        same = content["protocol"]["generator_digest"] == generator.digest
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if same else None


def _evaluation(generator: TrainedGenerator) -> str:
    parts: List[str] = []
    fid = _read(generator, "fid")
    if fid:
        generated, floor = (fid["overall"][side]["frechet"] for side in ("generated", "floor"))
        parts.append(
            f"- {fid['distance']}: {generated['mean']:.3g} ± {generated['interval']:.2g}; real "
            f"photographs against real ones {floor['mean']:.3g} ± {floor['interval']:.2g}, at the "
            f"same N = {fid['overall']['num_images']} ({fid['protocol']['trials']} trials, "
            "± 1.96 SD)."
        )
    else:
        parts.append("- Distance to photographs: **not measured** (`//evaluation:fid`).")
    parts.append(_fidelity(_read(generator, "fidelity")))
    parts.append(_memorization(_read(generator, "memorization")))
    return "\n".join(parts)


def _fidelity(found: Optional[Mapping[str, Any]]) -> str:
    if not found:
        return "- Tone and place: **not measured** (`//evaluation:fidelity`)."

    def both(group: str, name: str) -> str:
        generated, real = (found[group][side][name]["value"] for side in ("generated", "real"))
        return f"{generated:.2f} (real crops {real:.2f})"

    return (
        f"- Tone: error {both('tone', 'error')} degrees of ITA, correlation with what was asked "
        f"for {both('tone', 'correlation')}. Place: IoU of the region unlike the skin with the "
        f"boxes {both('roi', 'iou')}."
    )


def _memorization(found: Optional[Mapping[str, Any]]) -> str:
    if not found:
        return "- Memorisation: **not measured** (`//evaluation:memorization`)."
    parts = []
    for split, scores in found["generated"].items():
        if scores["copies"]:
            share, high = scores["copies"]["share"], scores["copies"]["interval"][1]
            parts.append(f"{share:.2%} of images of {split} maps (at most {high:.2%})")
    gate = found["gate"]
    verdict = "passed" if gate["passed"] else f"**refused**: {gate['reason']}"
    return (
        f"- Memorisation, suspected copies: {', '.join(parts)}; {verdict} at a limit of "
        f"{gate['max_copy_rate']:.2%}."
    )
