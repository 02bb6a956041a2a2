"""Takes photographs out of shards, or to another split, after their records were written.

Only the shards concerned are written again, by copying records: nothing is decoded or
encoded a second time. Their summaries lose their digest first, so that a run that is
interrupted in between makes these shards anew.
"""

import dataclasses
import os
import pathlib
import struct
from typing import Dict, Iterator, List, Mapping, Sequence, Tuple

from preprocessing.data import manifest, splits
from preprocessing.data import records as examples
from preprocessing.sharding.plans import ShardPlan
from preprocessing.sharding.shards import KINDS, RecordFile, Summary


def read_plan(work: pathlib.Path, name: str) -> ShardPlan:
    """Reads the plan of a shard."""
    return ShardPlan.from_json((work / "plans" / f"{name}.json").read_text(encoding="utf-8"))


def _frames(path: pathlib.Path) -> Iterator[Tuple[int, int]]:
    """Yields (offset, bytes) of the records of a file, as `tfrecords.frame` wrote them."""
    with open(path, "rb") as file:
        offset, end = 0, os.fstat(file.fileno()).st_size
        while offset < end:
            file.seek(offset)
            size = 12 + struct.unpack("<Q", file.read(8))[0] + 4
            yield offset, size
            offset += size


class _Shard:
    """A shard as it was written: what it holds, and the bytes of each photograph."""

    def __init__(self, work: pathlib.Path, name: str):
        self.summary = Summary.load(work, name)
        self.rows = {row.image_id: row for row in read_plan(work, name).photographs}
        self._paths = {kind: work / kind / name for kind in KINDS}
        in_order = {
            "full": [image_id for image_id, _ in self.summary.fingerprints],
            "crops": [row[1] for row in self.summary.crops],
        }
        self._places: Dict[str, Dict[str, List[Tuple[int, int]]]] = {}
        for kind, image_ids in in_order.items():
            frames = list(_frames(self._paths[kind]))
            assert len(frames) == len(image_ids), (name, kind, len(frames), len(image_ids))
            places = self._places.setdefault(kind, {})
            for image_id, frame in zip(image_ids, frames):
                places.setdefault(image_id, []).append(frame)

    def records(self, kind: str, image_id: str) -> Iterator[bytes]:
        """Yields the framed records of a photograph."""
        with open(self._paths[kind], "rb") as file:
            for offset, size in self._places[kind].get(image_id, []):
                file.seek(offset)
                yield file.read(size)


def _rewritten(
    work: pathlib.Path,
    shard: _Shard,
    members: Sequence[Tuple[_Shard, str]],
    reasons: Mapping[str, str],
) -> Summary:
    """Writes a shard's records beside the old ones; returns what its summary will be."""
    files = {}
    name, split = shard.summary.name, shard.summary.split
    for kind in KINDS:
        (work / f"moved_{kind}").mkdir(exist_ok=True)
        file = RecordFile(work / f"moved_{kind}" / name)
        for origin, image_id in members:
            row = origin.rows[image_id]
            for data in origin.records(kind, image_id):
                file.append(data, row.condition, row.fitzpatrick or examples.UNKNOWN_SKIN_TYPE)
        files[kind] = file.close()
    rejections = list(shard.summary.rejections)
    for image_id, _ in shard.summary.fingerprints:
        if image_id in reasons:
            row = shard.rows[image_id]
            entry = manifest.Rejection(row.row, image_id, row.image, "duplicate", reasons[image_id])
            rejections.append(list(entry))
    fingerprints, crops = [], []
    for origin, image_id in members:
        fingerprints += [row for row in origin.summary.fingerprints if row[0] == image_id]
        crops += [[split, *row[1:]] for row in origin.summary.crops if row[1] == image_id]
    return dataclasses.replace(
        shard.summary,
        digest="",
        files=files,
        rejections=rejections,
        fingerprints=fingerprints,
        crops=crops,
    )


def move(
    work: pathlib.Path,
    names: Sequence[str],
    targets: Mapping[str, str],
    reasons: Mapping[str, str],
) -> int:
    """Moves photographs.

    Args:
      work: the folder that `shards.write_shard` wrote to.
      names: of all shards.
      targets: the split of photographs, by image id; who is in it already stays.
      reasons: why a photograph is taken out, by image id.

    Returns:
      How many have got another split.
    """
    leaving: Dict[str, str] = {}
    homes: Dict[str, List[str]] = {}
    for name in names:
        summary = Summary.load(work, name)
        homes.setdefault(summary.split, []).append(name)
        for image_id, _ in summary.fingerprints:
            if image_id in reasons or targets.get(image_id, summary.split) != summary.split:
                leaving[image_id] = name
    arriving: Dict[str, List[str]] = {}
    for image_id in sorted(leaving.keys() - reasons.keys()):
        choices = homes[targets[image_id]]
        name = choices[int(splits.stable_fraction(image_id) * len(choices))]
        arriving.setdefault(name, []).append(image_id)
    concerned = {name: _Shard(work, name) for name in sorted({*leaving.values(), *arriving})}
    for shard in concerned.values():
        dataclasses.replace(shard.summary, digest="").save(work)
    summaries = []
    for name, shard in concerned.items():
        own = [(shard, key) for key, _ in shard.summary.fingerprints if key not in leaving]
        incoming = [(concerned[leaving[key]], key) for key in arriving.get(name, [])]
        summaries.append(_rewritten(work, shard, own + incoming, reasons))
    for summary in summaries:
        for kind in KINDS:
            (work / f"moved_{kind}" / summary.name).replace(work / kind / summary.name)
        summary.save(work)
    return sum(len(image_ids) for image_ids in arriving.values())
