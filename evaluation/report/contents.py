"""What a report says of a run: what was trained on what, and all that was measured of it."""

import dataclasses
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from common import results
from common.results import Result
from preprocessing.data import manifest, records, taxonomy
from synthesis import wanted
from synthesis.trained_generator import TrainedGenerator
from synthesis.wanted import Cell

_UNNAMED = (
    "each photograph counts as one; where several show one person, training and test hold the "
    'same people, and "patients" are photographs'
)


@dataclasses.dataclass(frozen=True)
class Contents:
    """All that is told.

    Attributes:
      run_dir: of the generator.
      step: of the checkpoint.
      digest: of the generator.
      facts: what was trained on what, as (what, text).
      cells: training crops by condition and skin type; {} where the records are not at hand.
      results: by evaluation, from `common.results`.
    """

    run_dir: str
    step: int
    digest: str
    facts: Sequence[Tuple[str, str]]
    cells: Mapping[Cell, int]
    results: Mapping[str, Result]

    @property
    def conditions(self) -> List[str]:
        """Those of the table of counts."""
        return list(dict.fromkeys(condition for condition, _ in self.cells))

    @property
    def skin_types(self) -> List[int]:
        """Those of the table of counts."""
        return list(dict.fromkeys(skin_type for _, skin_type in self.cells))


def gather(generator: TrainedGenerator, data_dir: str, elsewhere: Sequence[str]) -> Contents:
    """Gathers what is known of a generator.

    Args:
      generator: what the report is on.
      data_dir: the records it was trained on; they may be gone.
      elsewhere: folders with results that are not beside the run.

    Raises:
      ValueError: the records there are others than those of the training.
    """
    trained_on = generator.description["dataset"].get("digest")
    try:
        info: Optional[records.DatasetInfo] = records.read_info(data_dir)
    except ValueError:
        info = None
    if info and info.digest != trained_on:
        raise ValueError(
            f"{data_dir}: other records (digest {info.digest[:12]}) than those of the training "
            f"({str(trained_on)[:12]}); --data_dir=D names these"
        )
    return Contents(
        run_dir=generator.run_dir,
        step=generator.step,
        digest=generator.digest,
        facts=_facts(generator, info),
        cells=wanted.training_cells(info, generator.conditions) if info else {},
        results=results.read(
            *(generator.run_dir, generator.digest, trained_on, elsewhere),
            conditions=len(generator.conditions),
        ),
    )


def _facts(
    generator: TrainedGenerator, info: Optional[records.DatasetInfo]
) -> List[Tuple[str, str]]:
    description, config = generator.description, generator.description["config"]
    batch = config["training"]["batch_size"]
    facts = [
        ("Checkpoint", f"step {generator.step:,}; {generator.step * batch:,} images seen"),
        ("Images", f"{generator.image_size}x{generator.image_size} pixels"),
        ("Generator", f"{generator.parameters:,} weights, digest {generator.digest[:12]}"),
        ("Code of photographs", _encoder(config)),
        ("Conditions", ", ".join(generator.conditions)),
    ]
    if info is None:
        facts.append(("Training data", "not at hand"))
    else:
        crops = [f"{info.count('crops', split):,} {split}" for split in manifest.SPLITS]
        facts.append(("Training data", f"crops: {', '.join(crops)}; digest {info.digest[:12]}"))
        if info.patients_unnamed:
            facts.append(("Patients", _UNNAMED))
        facts.append(("Skin types", _skin_types(info)))
    made_by = f"revision {(description.get('git_revision') or 'unknown')[:12]}"
    packages = description.get("packages", {})
    facts.append(("Made by", ", ".join([made_by, *(f"{n} {v}" for n, v in packages.items())])))
    return facts


def _encoder(config: Mapping) -> str:
    if config.get("encoder", {}).get("base_filters"):
        return "trained beside an encoder: with --like an image resembles a photograph"
    return "none: the generator had no encoder beside it"


def _skin_types(info: records.DatasetInfo) -> str:
    sources: Dict[str, int] = dict(info.skin_type_sources.get("crops", {}))
    unknown = sources.pop(manifest.UNKNOWN, 0)
    estimated = sum(count for name, count in sources.items() if manifest.is_estimated(name))
    told = sum(sources.values()) - estimated
    return (
        f"of all crops {told:,} noted by people, {estimated:,} estimated from colour (ITA), "
        f"{unknown:,} unknown"
    )


def crops_by_kind(contents: Contents) -> Tuple[str, List[int]]:
    """Returns what is counted, and the numbers of training crops.

    Pairs of condition and known skin type; conditions where no skin type is known.
    """
    if wanted.knows_types(contents.cells):
        known = [count for (_, skin_type), count in contents.cells.items() if skin_type]
        return "pairs of condition and skin type", known
    return "conditions", [
        count for (_, skin_type), count in contents.cells.items() if not skin_type
    ]


def type_heads(contents: Contents) -> List[str]:
    """Returns the heads of the table of counts."""
    return [taxonomy.type_name(skin_type) for skin_type in contents.skin_types]
