"""Where the augmentation experiment gets its synthetic images, checked for leaks."""

import dataclasses
import json
import pathlib
from typing import Any, Mapping, Optional, Sequence, Tuple

from preprocessing.data import records
from synthesis import generation, job_planning
from synthesis.generation_request import Request
from synthesis.trained_generator import TrainedGenerator


@dataclasses.dataclass(frozen=True)
class SyntheticSource:
    """Generated images as records, there or still to be painted.

    Attributes:
      data_dir: what `//synthesis:generate` writes.
      count: number of images.
      protocol: what the images depend on.
      job: what paints them, with its generator; None where they are there.
    """

    data_dir: str
    count: int
    protocol: Mapping[str, Any]
    job: Optional[Tuple[generation.Job, TrainedGenerator]] = None

    def prepare(self) -> None:
        """Paints the images, or finds them painted; a job that was stopped goes on."""
        if self.job:
            generation.generate(*self.job)


def _check_data(digest: Optional[str], data_dir: str, name: str) -> None:
    """Raises ValueError if a generator was trained on other records than the classifier's.

    Another data set, or another split of the same, may hold test patients.
    """
    expected = records.read_info(data_dir).digest
    if digest != expected:
        raise ValueError(
            f"{name}: the generator was trained on another data set ({str(digest)[:12]}) than "
            f"{data_dir} ({expected[:12]}); it may have seen test patients"
        )


def given(synthetic_dir: str, data_dir: str) -> SyntheticSource:
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
        trained_on, count = source["training_data_digest"], int(manifest["images"])
        protocol = {
            "digest": manifest["dataset_digest"],
            "images": count,
            "generator_digest": source["digest"],
        }
    except FileNotFoundError as error:
        raise ValueError(
            f"{path}: no such file; {synthetic_dir} is not a finished job of //synthesis:generate"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the manifest of generated images ({error!r})") from error
    _check_data(trained_on, data_dir, synthetic_dir)
    return SyntheticSource(synthetic_dir, count, protocol)


def planned(
    generator: TrainedGenerator,
    data_dir: str,
    output_dir: str,
    number: int,
    balance: Sequence[str],
    seed: int = 0,
) -> SyntheticSource:
    """Plans to paint the images.

    Args:
      generator: trained on `data_dir`.
      data_dir: the classifier's records.
      output_dir: folder of the job.
      number: of images.
      balance: axes along which to fill what training lacks; empty is as in training.
      seed: of maps and images.

    Raises:
      ValueError: a generator of another data set, or a request that cannot be met.
    """
    _check_data(generator.description["dataset"].get("digest"), data_dir, generator.run_dir)
    request = Request(num_images=number, balance=tuple(balance))
    job, _ = job_planning.plan(request, generator, data_dir, output_dir, seed=seed)
    protocol = {
        "images": number,
        "balance": list(balance),
        "seed": seed,
        "generator_digest": generator.digest,
    }
    return SyntheticSource(output_dir, number, protocol, (job, generator))
