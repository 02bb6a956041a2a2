"""The studio's page."""

import pathlib
from typing import Sequence

from common import pages
from preprocessing.data import manifest
from studio.painter import StudioPainter

MOST_PICTURES = 500

_PAGE = pages.Page(
    pathlib.Path(__file__).with_name("page.html"), connect="'self'", images="data: blob: 'self'"
)


def policy() -> str:
    """Returns what the page may do."""
    return _PAGE.policy


def render(painters: Sequence[StudioPainter], condition: str, skin_type: int) -> str:
    """Returns the page for one run or two, which begins with a condition and skin type."""
    first = painters[0].generator
    data = {
        "size": first.image_size,
        "conditions": list(first.conditions),
        "begin": [condition, str(skin_type or "unknown")],
        "by_region": all(one.by_region for one in painters),
        "walk": all(one.generator.config.global_noise > 0 for one in painters),
        "most_boxes": manifest.MAX_ROIS,
        "most_pictures": MOST_PICTURES,
        "runs": [
            {
                "name": pathlib.Path(one.generator.run_dir).resolve().name,
                "step": one.generator.step,
                "conditions": list(one.generator.conditions),
            }
            for one in painters
        ],
    }
    return _PAGE.render(data=data, most_pictures=MOST_PICTURES)
