"""From a request to a job: which map each image is painted from."""

from typing import Any, Tuple

from preprocessing.data import records
from synthesis import generation, layouts
from synthesis import wanted as map_requests
from synthesis.generation_request import Request
from synthesis.trained_generator import TrainedGenerator


def plan(
    request: Request,
    generator: TrainedGenerator,
    data_dir: str,
    output_dir: str,
    allow_unseen: bool = False,
    seed: int = 0,
    **settings: Any,
) -> Tuple[generation.Job, str]:
    """Plans a job.

    Args:
      request: what is wanted.
      generator: paints it.
      data_dir: records that the maps come from, and whose gaps `balance` fills.
      output_dir: folder of the job.
      allow_unseen: whether conditions may be painted that the generator was not trained
        on.
      seed: of maps and images.
      **settings: further fields of `generation.Job`.

    Returns:
      The job, and a table of the training crops before and after it.

    Raises:
      ValueError: records of another size, or a request that cannot be met.
    """
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    size = generator.image_size
    cells = map_requests.training_cells(info, generator.conditions)
    wanted = request.wanted(cells, size)
    if not allow_unseen:
        map_requests.check_seen(wanted, generator.conditions)
    sources = []
    if request.maps == "validation":
        sources = layouts.read_layouts(data_dir, "validation")
    statistics = layouts.fit_statistics(layouts.read_layouts(data_dir, "train"), size)
    job = generation.Job(
        output_dir=output_dir,
        request=request.as_dict(),
        layouts=generation.choose_layouts(wanted, sources, statistics, size, seed),
        images_per_map=request.images_per_map,
        seed=seed,
        **settings,
    )
    return job, map_requests.balance_table(cells, wanted)
