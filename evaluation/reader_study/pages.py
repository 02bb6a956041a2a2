"""The page of a reader: the whole study in one HTML file that needs nothing else.

The same file opens from disk and is served by `server`. It holds the
images, the questions and the reader's token; nothing that says what is real.
"""

import base64
import dataclasses
import hashlib
import json
import math
import pathlib
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import jinja2

from evaluation.reader_study import answers
from evaluation.reader_study.design import KINDS, PAIR, REALISM, RELEVANCE
from evaluation.reader_study.key import Reader

_FOLDER = pathlib.Path(__file__).parent
_SECONDS = {REALISM: 5, PAIR: 8, RELEVANCE: 40}
_PARTS = {
    REALISM: {
        "title": "Real or synthetic?",
        "explanation": "You see images of skin one after another. Some are photographs of "
        "patients, others were made by a computer program; there may be any number of each. Say "
        "of each image which you think it is. Go by your first impression: a few seconds are "
        "enough. Click or tap an image to enlarge it.",
        "keys": "Keys: 1 real photograph, 2 synthetic, Z enlarge, B back.",
    },
    PAIR: {
        "title": "Which one is real?",
        "explanation": "You see two images side by side. One is a photograph of a patient, the "
        "other was made by a computer program. Say which one is the photograph, and how sure you "
        "are. If you cannot tell, guess.",
        "keys": "Keys: 1 to 6 from the left, Z or X enlarge the left or right image, B back.",
    },
    RELEVANCE: {
        "title": "Which images show the condition?",
        "explanation": "Each question names a skin condition. Choose every image that shows it; "
        "there may be any number, or none. Images may be photographs or synthetic: judge only "
        "whether they show the condition.",
        "keys": "Keys: arrows move, space chooses, Z enlarges, Enter goes on, B back.",
    },
}
CONSENT = (
    "This study measures how realistic computer-made images of skin are. It shows you images "
    "and records your answers and how long they take. It does not test you, and no image "
    "is to be used for diagnosis.",
    "Your answers are stored under a number, without your name. Taking part is voluntary, and "
    "you can stop at any time.",
    "Please do not copy or pass on the images: some are photographs of patients.",
)


@dataclasses.dataclass(frozen=True)
class PageText:
    """What the people who run a study can say on its first page.

    Attributes:
      title: of the study.
      consent: paragraphs that the reader agrees to.
      contact: whom to ask; "" for nobody.
    """

    title: str = "Reader study of skin images"
    consent: Sequence[str] = CONSENT
    contact: str = ""


def _amount(kind: str, number: int) -> str:
    noun = {REALISM: "image", PAIR: "pair", RELEVANCE: "question"}[kind]
    return f"{number} {noun}{'' if number == 1 else 's'}."


def _parts(reader: Reader) -> List[Dict[str, str]]:
    counts = {kind: sum(one.kind == kind for one in reader.trials) for kind in KINDS}
    return [
        {"kind": kind, "amount": _amount(kind, count), **_PARTS[kind]}
        for kind, count in counts.items()
        if count
    ]


def _data(study: str, reader: Reader, files: Mapping[str, bytes]) -> Dict[str, Any]:
    # Numbered as they first appear, which the reader's own order decides.
    numbers: Dict[str, int] = {}
    for trial in reader.trials:
        for name in trial.pictures:
            numbers.setdefault(name, len(numbers))
    return {
        "format": answers.FORMAT,
        "version": answers.FORMAT_VERSION,
        "study": study,
        "reader": reader.name,
        "token": reader.token,
        "trials": [
            {
                "id": one.trial_id,
                "kind": one.kind,
                "condition": one.condition,
                "images": [numbers[name] for name in one.pictures],
            }
            for one in reader.trials
        ],
        "images": [base64.b64encode(files[name]).decode() for name in numbers],
    }


def _source_of(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
    return f"'sha256-{digest}'"


def _files() -> Tuple[str, str, str]:
    html, style, script = (
        (_FOLDER / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    return html, style, script


def content_security_policy() -> str:
    """Returns what a page may do: run its own script and style, show images in itself."""
    _, style, script = _files()
    return (
        f"default-src 'none'; img-src data:; style-src {_source_of(style)}; "
        f"script-src {_source_of(script)}; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )


def render(study: str, reader: Reader, files: Mapping[str, bytes], text: PageText) -> str:
    """Returns a reader's page.

    Args:
      study: its id.
      reader: whose page it is.
      files: JPEG by picture id, from `encoding.encode_alike`.
      text: of the first page.
    """
    html, style, script = _files()
    data = json.dumps(_data(study, reader, files), separators=(",", ":"))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    parts = _parts(reader)
    seconds = sum(_SECONDS[one.kind] for one in reader.trials)
    return environment.from_string(html).render(
        title=text.title,
        consent=text.consent,
        contact=text.contact,
        parts=parts,
        minutes=math.ceil(seconds / 60),
        roles=tuple(answers.ROLES.items()),
        years=tuple(answers.YEARS.items()),
        confidences=answers.CONFIDENCES,
        policy=content_security_policy(),
        style=style,
        script=script,
        # Inside a script element only "<" can end it.
        data=data.replace("<", "\\u003c"),
    )
