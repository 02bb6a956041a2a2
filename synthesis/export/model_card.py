"""The model card of an exported generator: what it is, and what is known of it.

After Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

import json
import pathlib
from typing import Optional

from common import report, results
from model import noise
from preprocessing.data import manifest, records, taxonomy
from synthesis import wanted
from synthesis.trained_generator import TrainedGenerator

FORMS = SAVED_MODEL, ONNX = "saved_model", "onnx"

_TEMPLATE = pathlib.Path(__file__).with_name("model_card.md.jinja")


def render(generator: TrainedGenerator, form: str) -> str:
    """Returns the model card of a generator that is exported in one of `FORMS`, as Markdown.

    Figures are those found in `RUN_DIR/evaluation`, as `//evaluation:report` tells them; where
    there are none, it says so.
    """
    info = _read_info(generator)
    dataset_digest = generator.description["dataset"].get("digest")
    cells = wanted.training_cells(info, generator.conditions) if info else {}
    sources = info.skin_type_sources.get("crops", {}) if info else {}
    return report.render(
        _TEMPLATE,
        generator=generator,
        run=pathlib.Path(generator.run_dir).name,
        description=generator.description,
        config=json.dumps(generator.description["config"], indent=2, sort_keys=True),
        dataset_digest=dataset_digest,
        info=info,
        form=form,
        demo=_is_demo(generator),
        skin_type=example_skin_type(generator),
        code=taxonomy.code(generator.conditions[0]),
        box=[generator.image_size // 4] * 2 + [3 * generator.image_size // 4] * 2,
        noise=noise.GENERATOR,
        cells=cells,
        skin_types=list(dict.fromkeys(skin_type for _, skin_type in cells)),
        type_name=taxonomy.type_name,
        estimated=sum(n for source, n in sources.items() if manifest.is_estimated(source)),
        results=results.read(
            *(generator.run_dir, generator.digest, dataset_digest),
            conditions=len(generator.conditions),
        ).values(),
    )


def _read_info(generator: TrainedGenerator) -> Optional[records.DatasetInfo]:
    try:
        return records.read_info(generator.description["dataset"]["directory"])
    except (ValueError, KeyError):
        return None


def _is_demo(generator: TrainedGenerator) -> bool:
    """Tells whether the training data, where they are at hand, are the drawn cases."""
    try:
        return records.is_demo_dataset(generator.description["dataset"]["directory"], "train")
    except (ValueError, KeyError):
        return False


def example_skin_type(generator: TrainedGenerator) -> int:
    """Returns a skin type to begin with: unknown where the training data are at hand and so."""
    info = _read_info(generator)
    known = info is None or wanted.knows_types(wanted.training_cells(info, generator.conditions))
    return 3 if known else taxonomy.UNKNOWN_SKIN_TYPE
