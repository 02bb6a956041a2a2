"""The noise of a picture in the studio: of a seed, of two, or between two of those.

Written as people and addresses write it:

  12             the noise of seed 12, as `//synthesis:generate` draws it
  12/34          around the boxes that of seed 12, inside them that of seed 34
  12~56@0.4      on the way from seed 12 to seed 56, two fifths of it done
  12/34~12/56@0.4

Only the first has a seed by which other programs paint the same picture.
"""

import dataclasses
import re
from typing import Optional, Tuple

End = Tuple[int, int]

_LARGEST = 2**53 - 1  # a JavaScript number holds it exactly
_FORM = re.compile(
    r"(?P<skin>\d{1,16})(?:/(?P<lesion>\d{1,16}))?"
    r"(?:~(?P<other>\d{1,16})(?:/(?P<other_lesion>\d{1,16}))?@(?P<share>[01](?:\.\d{1,4})?))?"
)


@dataclasses.dataclass(frozen=True)
class PictureNoise:
    """What noise a picture is painted with.

    Attributes:
      start: seeds of the noise around and inside the boxes.
      end: the same of where the way leads to; `start` where there is none.
      share: of the way, 0 to 1.
      text: as it was written.
    """

    start: End
    end: End
    share: float
    text: str

    @property
    def seed(self) -> Optional[int]:
        """The seed by which every program paints the picture, or None."""
        plain = self.start[0] == self.start[1] and not self.share
        return self.start[0] if plain else None


def parse(text: str, by_region: bool, walk: bool = True) -> PictureNoise:
    """Reads a noise.

    Args:
      text: in the form above.
      by_region: whether the generator has noise of its own inside the boxes.
      walk: whether it has noise that can be mixed.

    Raises:
      ValueError: another form, a seed above 2^53 - 1, a share above 1, or what the
        generator has no noise for.
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError(f"noise {text[:80]!r} is not of the form 12, 12/34 or 12~56@0.4")
    seeds = {
        name: int(value) for name, value in match.groupdict().items() if value and name != "share"
    }
    for seed in seeds.values():
        if seed > _LARGEST:
            raise ValueError(f"noise {text!r}: seed {seed} is above {_LARGEST}")
    share = float(match["share"] or 0)
    if share > 1:
        raise ValueError(f"noise {text!r}: share {share:g} is above 1")
    if not by_region and ("lesion" in seeds or "other_lesion" in seeds):
        raise ValueError(f"noise {text!r}: this generator has no noise of its own in the boxes")
    if not walk and share:
        raise ValueError(f"noise {text!r}: this generator has no noise that can be mixed")
    start = seeds["skin"], seeds.get("lesion", seeds["skin"])
    end = start
    if "other" in seeds:
        end = seeds["other"], seeds.get("other_lesion", seeds["other"])
    return PictureNoise(start, end, share, text)
