"""The studio's page."""

import pathlib
from typing import Any, Mapping, Optional, Sequence

from common import pages
from preprocessing.data import manifest
from studio.painter import StudioPainter

MOST_PICTURES = 500

_TEMPLATE = pathlib.Path(__file__).with_name("page.html")
_PAGE = pages.Page(_TEMPLATE, connect="'self'", images="data: blob: 'self'")
# Without a server: the runtime is a module out of the page itself, and WebAssembly.
_ALONE = pages.Page(
    _TEMPLATE,
    images="data: blob:",
    before=[_TEMPLATE.with_name("here.js")],
    code="blob: 'wasm-unsafe-eval'",
)


def policy() -> str:
    """Returns what the page may do."""
    return _PAGE.policy


def render(
    painters: Sequence[StudioPainter],
    condition: str,
    skin_type: int,
    here: Optional[Mapping[str, Any]] = None,
) -> str:
    """Returns the page for one run or two, which begins with a condition and skin type.

    Args:
      painters: of the runs.
      condition: to begin with.
      skin_type: to begin with.
      here: what paints in the page itself, from `one_file`; None where a server does.
    """
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
    page = _ALONE if here else _PAGE
    return page.render(data=data, most_pictures=MOST_PICTURES, here=here)
