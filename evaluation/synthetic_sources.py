"""Where the augmentation experiment gets its synthetic images, checked for leaks."""

import dataclasses
import json
import pathlib
from typing import Any, Mapping, Optional, Sequence

from preprocessing import examples
from synthesis import generation, job_planning
from synthesis.generation_request import Request
from synthesis.trained_generator import TrainedGenerator


@dataclasses.dataclass(frozen=True)
class SyntheticSet:
    """Generated images as records.

    Attributes:
      data_dir: what `//synthesis:generate` wrote.
      digest: of the records.
      generator_digest: of the generator that painted them.
    """

    data_dir: str
    digest: str
    generator_digest: str

    def protocol(self) -> Mapping[str, str]:
        """Returns what results depend on."""
        return {"digest": self.digest, "generator_digest": self.generator_digest}


def _check_data(digest: Optional[str], data_dir: str, name: str) -> None:
    """Raises ValueError if a generator was trained on other records than the classifier's.

    Another data set, or another split of the same, may hold test patients.
    """
    expected = examples.read_info(data_dir).digest
    if digest != expected:
        raise ValueError(
            f"{name}: the generator was trained on another data set ({str(digest)[:12]}) than "
            f"{data_dir} ({expected[:12]}); it may have seen test patients"
        )


def read(synthetic_dir: str, data_dir: str) -> SyntheticSet:
    """Takes images that are generated already.

    Args:
      synthetic_dir: what `//synthesis:generate` wrote.
      data_dir: the classifier's records.

    Raises:
      ValueError: not such a folder, an unfinished job, or a generator of another data set.
    """
    path = pathlib.Path(synthetic_dir) / generation.MANIFEST
    try:
        manifest: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        source = manifest["generator"]
        found = SyntheticSet(synthetic_dir, manifest["dataset_digest"], source["digest"])
        trained_on = source["training_data_digest"]
    except FileNotFoundError as error:
        raise ValueError(
            f"{path}: no such file; {synthetic_dir} is not a finished job of //synthesis:generate"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the manifest of generated images ({error!r})") from error
    _check_data(trained_on, data_dir, synthetic_dir)
    return found


def generate(
    generator: TrainedGenerator,
    data_dir: str,
    output_dir: str,
    number: int,
    balance: Sequence[str],
    seed: int = 0,
) -> SyntheticSet:
    """Paints the images, or finds them painted.

    Args:
      generator: trained on `data_dir`.
      data_dir: the classifier's records.
      output_dir: folder of the job; one that was stopped goes on.
      number: of images.
      balance: axes along which to fill what training lacks; empty is as in training.
      seed: of maps and images.

    Raises:
      ValueError: a generator of another data set, or a folder that holds something else.
    """
    _check_data(generator.description["dataset"].get("digest"), data_dir, generator.run_dir)
    request = Request(num_images=number, balance=tuple(balance))
    job, _ = job_planning.plan(request, generator, data_dir, output_dir, seed=seed)
    generation.generate(job, generator)
    return read(output_dir, data_dir)
