"""What a report on a data set is made from.

What is kept of a photograph is small; pictures are kept of those only that are shown, a
few of each condition.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from preprocessing.data import manifest, skin, splits
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates import near_duplicates
from preprocessing.sharding import contact_sheet

PER_CONDITION = 6
_PAIRS_SHOWN = 24


class Look(NamedTuple):
    """What is known of one photograph.

    Attributes:
      row: of the manifest; of records, what they say.
      split: where it is, or where preprocessing will put it.
      size: (width, height) of the photograph, pixels; of records, of the scaled one.
      boxes: ROIs in shares of width and height, 0..1.
      ita: typology angle of the skin outside the ROIs, degrees; None: not visible.
      thumbnail: see `thumbnails`.
    """

    row: Photograph
    split: str
    size: Tuple[int, int]
    boxes: Tuple[Box, ...]
    ita: Optional[float]
    thumbnail: np.ndarray

    @property
    def estimated_type(self) -> Optional[int]:
        """The skin type that the angle stands for."""
        return None if self.ita is None else skin.fitzpatrick_from_ita(self.ita)

    @property
    def has_annotated_type(self) -> bool:
        """Whether a skin type is given that was not estimated on import."""
        source = self.row.extra.get("fitzpatrick_source", "")
        return self.row.fitzpatrick is not None and not source.endswith("estimated")


class Inspection(NamedTuple):
    """A data set as it was found.

    Attributes:
      source: the path that was looked at.
      from_records: whether it is a folder of records, not a manifest.
      looks: the usable photographs.
      rejections: what is not used, and why.
      pairs: near-duplicates across patients, positions in `looks`; None: not looked for.
      pictures: JPEGs by image id, of those that a report shows.
      crops: number of `crops/` records by split; empty for a manifest.
    """

    source: str
    from_records: bool
    looks: List[Look]
    rejections: List[manifest.Rejection]
    pairs: Optional[List[near_duplicates.Pair]]
    pictures: Dict[str, bytes]
    crops: Dict[str, int]

    def shown(self) -> Dict[str, List[Look]]:
        """The photographs of the contact sheets by condition, over all skin types."""
        return _shown(self.looks)

    def pairs_shown(self) -> List[near_duplicates.Pair]:
        """The near-duplicates whose pictures are there, closest first."""
        return sorted(self.pairs or [], key=lambda pair: -pair.correlation)[:_PAIRS_SHOWN]

    def wanted(self) -> Set[str]:
        """Image ids of all photographs that are shown."""
        ids = {look.row.image_id for looks in self.shown().values() for look in looks}
        for pair in self.pairs_shown():
            ids |= {self.looks[n].row.image_id for n in (pair.first, pair.second)}
        return ids


def _shown(looks: Sequence[Look]) -> Dict[str, List[Look]]:
    groups: Dict[Tuple[str, int], List[Look]] = {}
    for look in sorted(looks, key=lambda look: splits.stable_fraction(look.row.image_id)):
        groups.setdefault((look.row.condition, look.row.fitzpatrick or 0), []).append(look)
    by_condition: Dict[str, List[Look]] = {}
    for turn in range(PER_CONDITION):
        for condition, skin_type in contact_sheet.spread(groups):
            found = by_condition.setdefault(condition, [])
            members = groups[condition, skin_type]
            if turn < len(members) and len(found) < PER_CONDITION:
                found.append(members[turn])
    for found in by_condition.values():
        found.sort(key=lambda look: (look.row.fitzpatrick or 9, look.row.image_id))
    return by_condition
