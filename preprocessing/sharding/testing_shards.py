"""Writes the shards of a data set for tests: what the pipeline does, without Beam."""

import pathlib
from typing import List, Sequence

from preprocessing.data import manifest
from preprocessing.sharding import plans, shards


def write_shards(
    rows: Sequence[manifest.Photograph],
    image_dir: pathlib.Path,
    settings: plans.Settings,
    work: pathlib.Path,
) -> List[str]:
    """Plans and writes all shards.

    Args:
      rows: the photographs.
      image_dir: folder that their `image` is relative to.
      settings: the options.
      work: an empty folder for plans, records and summaries.

    Returns:
      The names of the shards.
    """
    for name in ("plans", "shards", *shards.KINDS):
        (work / name).mkdir(parents=True)
    names = []
    for plan in plans.plan_shards(rows, str(image_dir), settings):
        path = work / "plans" / f"{plan.name}.json"
        path.write_text(plan.to_json(), encoding="utf-8")
        names.append(shards.write_shard(str(path)).name)
    return names
