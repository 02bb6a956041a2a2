"""The report as a page, as Markdown and as JSON: the same sentences in each."""

import dataclasses
import os
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Sequence

from common import addresses, pages, report
from evaluation.report import contents, scorecard
from evaluation.report.comparison import Comparison
from evaluation.report.contents import Contents
from evaluation.report.pictures import Picture

_PAGE = pages.Page(pathlib.Path(__file__).with_name("page.html"))
_MARKDOWN = pathlib.Path(__file__).with_name("report.md.jinja")
LIMITS = (
    "Research on image analysis only; not a medical device, not for diagnosis.",
    "Generated images are training data, never test data. Without a passed audit of memorisation "
    "they may show a patient: treat them, and this page, like the photographs.",
    "A generator inherits the licence conditions of the photographs that it was trained on.",
    "An audit finds copies in the space of its features, not everything that could identify "
    "a person.",
)


@dataclasses.dataclass(frozen=True)
class Report:
    """What is rendered.

    Attributes:
      contents: of the run.
      pictures: by evaluation, and under "" those that were painted for the report.
      photographs: whether pictures show photographs.
      other: folder of the run that is compared; None for none.
      comparisons: of the two.
      remarks: on the pictures.
    """

    contents: Contents
    pictures: Mapping[str, Sequence[Picture]]
    photographs: bool
    other: Optional[str] = None
    comparisons: Sequence[Comparison] = ()
    remarks: Sequence[str] = ()

    @property
    def _values(self) -> Dict[str, Any]:
        run = os.path.basename(os.path.normpath(self.contents.run_dir))
        return {
            "title": f"Report on {run}, step {self.contents.step:,}",
            "contents": self.contents,
            "counts": self._counts(),
            "type_heads": contents.type_heads(self.contents),
            "scorecard": scorecard.fill(self.contents),
            "pictures": self.pictures,
            "photographs": self.photographs,
            "other": self.other and os.path.basename(os.path.normpath(self.other)),
            "run": run,
            "comparisons": self.comparisons,
            "remarks": self.remarks,
            "limits": LIMITS,
        }

    def _counts(self) -> List[List[str]]:
        cells = self.contents.cells
        return [
            [condition, *(f"{cells[condition, kind]:,}" for kind in self.contents.skin_types)]
            for condition in self.contents.conditions
        ]

    def html(self) -> str:
        """Returns one page that needs nothing else."""
        return _PAGE.render(**self._values)

    def markdown(self) -> str:
        """Returns the same without pictures."""
        return report.render(_MARKDOWN, **self._values)

    def as_dict(self) -> Dict[str, Any]:
        """Returns the same for JSON."""
        fields = ("title", "state", "verdict", "head", "rows", "protocol", "notes", "command")
        return {
            "run_dir": addresses.told(self.contents.run_dir),
            "step": self.contents.step,
            "facts": dict(self.contents.facts),
            "scorecard": [
                {**dataclasses.asdict(line), "measured": line.measured}
                for line in scorecard.fill(self.contents)
            ],
            "results": {
                name: {
                    **{field: getattr(one, field) for field in fields},
                    "path": one.path and addresses.told(one.path),
                }
                for name, one in self.contents.results.items()
            },
            "compared_with": self.other and addresses.told(self.other),
            "comparisons": [dataclasses.asdict(one) for one in self.comparisons],
            "photographs": self.photographs,
        }
