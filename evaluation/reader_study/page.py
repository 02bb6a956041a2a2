"""The page of a reader: the whole study in one HTML file that needs nothing else.

The same file opens from disk and is served by `server`, which sends its images apart. It
holds the images, the questions and the reader's token; nothing that says what is real.

Nor do the images' files. Real and synthetic pictures take the same way: uint8 pixels,
resized, one JPEG encoder with fixed settings and tables, no metadata. Up to its image
data every file is then the same, byte for byte. The length of the image data still
differs, and smooth images are often the synthetic ones: every file is filled up to the
length of the longest.
"""

import base64
import collections
import dataclasses
import io
import json
import math
import pathlib
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import jinja2.utils
import numpy as np
from PIL import Image

from common import pages
from evaluation.reader_study import answer_key
from evaluation.reader_study.answer_key import Reader
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE

JPEG_QUALITY = 95
_START_OF_SCAN = b"\xff\xda"
_DATA_START, _DATA_END = '<script type="application/json" id="study">', "</script>"
_SECONDS = {REALISM: 5, PAIR: 8, RELEVANCE: 40}
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


def read_consent(path: str) -> List[str]:
    """Reads what readers agree to: paragraphs, parted by empty lines.

    Raises:
      ValueError: the file is not a text.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text in UTF-8") from error
    return [" ".join(one.split()) for one in text.split("\n\n") if one.strip()]


def encode_jpeg(pixels: np.ndarray, size: int) -> bytes:
    """Encodes a picture.

    Args:
      pixels: uint8 [H, W, 3].
      size: rows and columns of the file.

    Returns:
      A baseline JPEG of full chroma resolution.
    """
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def jpeg_header(jpeg: bytes) -> bytes:
    """Returns what comes before the image data of a file of `encode_jpeg`."""
    return jpeg[: jpeg.index(_START_OF_SCAN)]


def encode_alike(pictures: Sequence[np.ndarray], size: int) -> List[bytes]:
    """Encodes pictures so that their files differ in image data alone.

    Args:
      pictures: uint8 [H, W, 3], all of one size: where they are not, the resizing is
        visible and could tell them apart.
      size: rows and columns of the files.

    Returns:
      JPEG files of one length; what follows the end of an image is zero.

    Raises:
      ValueError: pictures of several sizes.
    """
    sizes = sorted({picture.shape for picture in pictures})
    if len(sizes) > 1:
        raise ValueError(f"pictures of several sizes would tell them apart: {sizes}")
    files = [encode_jpeg(picture, size) for picture in pictures]
    assert len({jpeg_header(file) for file in files}) <= 1
    longest = max(map(len, files), default=0)
    return [file.ljust(longest, b"\0") for file in files]


def _data(study: str, reader: Reader, files: Mapping[str, bytes]) -> Dict[str, Any]:
    """Returns what the page's script reads."""
    # Numbered as they first appear, which the reader's own order decides.
    numbers: Dict[str, int] = {}
    for name in (name for trial in reader.trials for name in trial.pictures):
        numbers.setdefault(name, len(numbers))
    return {
        "format": answer_key.ANSWERS_FORMAT,
        "version": answer_key.ANSWERS_VERSION,
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


def _page() -> pages.Page:
    template = pathlib.Path(__file__).with_suffix(".html")
    return pages.Page(template, connect="'self'", images="data: blob:")


def content_security_policy() -> str:
    """Returns what a page may do: run its own script and style, show images in itself."""
    return _page().policy


def render_page(study: str, reader: Reader, files: Mapping[str, bytes], text: PageText) -> str:
    """Returns a reader's page.

    Args:
      study: its id.
      reader: whose page it is.
      files: JPEG by picture id, from `encode_alike`.
      text: of the first page.
    """
    counts = collections.Counter(one.kind for one in reader.trials)  # in the order asked
    return _page().render(
        title=text.title,
        consent=text.consent,
        contact=text.contact,
        counts=counts,
        minutes=math.ceil(sum(_SECONDS[kind] * count for kind, count in counts.items()) / 60),
        roles=answer_key.ROLES,
        years=answer_key.YEARS,
        confidences=answer_key.CONFIDENCES,
        data=_data(study, reader, files),
    )


def part_page(html: str) -> Tuple[bytes, List[bytes]]:
    """Parts a page for serving: it then asks for its images, all in one or from any on.

    Args:
      html: from `render_page`.

    Returns:
      The page, whose data says how many images there are and of how many bytes each;
      and the images, JPEG files of one length.

    Raises:
      ValueError, KeyError, TypeError: not such a page, or one whose script another version
        of this program has written: browsers would not run it.
    """
    before, _, rest = html.partition(_DATA_START)
    text, _, after = rest.partition(_DATA_END)
    data = json.loads(text)
    images = [base64.b64decode(one, validate=True) for one in data["images"]]
    sizes = {len(one) for one in images}
    if len(sizes) > 1:
        raise ValueError(f"images of {len(sizes)} lengths")
    if jinja2.utils.markupsafe.escape(content_security_policy()) not in before:
        raise ValueError("made by another version of this program; build the study again")
    data["images"] = {"count": len(images), "bytes": max(sizes, default=0)}
    text = jinja2.utils.htmlsafe_json_dumps(data)
    return f"{before}{_DATA_START}{text}{_DATA_END}{after}".encode(), images
