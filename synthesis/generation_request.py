"""A request as a user gives it, and the images it stands for."""

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence

from synthesis import wanted as map_requests
from synthesis.wanted import Cell, Wanted


@dataclasses.dataclass(frozen=True)
class Request:
    """What to generate, in the words of `//synthesis:generate`'s flags.

    Attributes:
      num_images: how many; None with `requests`.
      images_per_map: different images of each map.
      condition: conditions, in equal shares; empty leaves them open.
      skin_type: Fitzpatrick types as text, in equal shares; empty leaves them open.
      balance: axes along which to fill what training lacks.
      requests: path of a CSV instead.
      maps: where boxes come from, "validation" or "synthetic".
    """

    num_images: Optional[int] = None
    images_per_map: int = 1
    condition: Sequence[str] = ()
    skin_type: Sequence[str] = ()
    balance: Sequence[str] = ()
    requests: Optional[str] = None
    maps: str = "validation"

    def __post_init__(self) -> None:
        if self.images_per_map < 1:
            raise ValueError(f"--images_per_map={self.images_per_map} is not positive")
        names = ("requests", "balance", "condition", "skin_type")
        given = [name for name in names if getattr(self, name)]
        if len(given) > 1 and given != ["condition", "skin_type"]:
            raise ValueError(f"--{given[0]} and --{given[1]} exclude each other")
        if self.requests and self.num_images is not None:
            raise ValueError("--num_images and --requests exclude each other")
        if not self.requests and self.num_images is None:
            raise ValueError("--num_images is needed, or --requests")
        if self.num_images is not None and self.num_images % self.images_per_map:
            raise ValueError(
                f"--num_images={self.num_images} is not a multiple of "
                f"--images_per_map={self.images_per_map}"
            )

    def as_dict(self) -> Dict[str, Any]:
        """Returns what was asked for, for the manifest."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}

    def wanted(self, cells: Mapping[Cell, int], image_size: int) -> List[Wanted]:
        """Returns what each map must show.

        Args:
          cells: training crops by condition and skin type.
          image_size: rows and columns, for the boxes of a CSV.

        Raises:
          ValueError: unknown conditions, skin types or axes, or bad rows.
        """
        if self.requests:
            return map_requests.read_requests(self.requests, image_size)
        number = (self.num_images or 0) // self.images_per_map
        if self.balance:
            return map_requests.by_balance(cells, number, self.balance)
        try:
            types = [int(text) for text in self.skin_type]
        except ValueError as error:
            raise ValueError(f"--skin_type={','.join(self.skin_type)}: {error}") from error
        return map_requests.by_selection(cells, number, self.condition, types)
