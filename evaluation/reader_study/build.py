"""`//evaluation:reader_study -- build`: its flags; the work is in `assembly`."""

import dataclasses
from typing import Any, Dict, Sequence, Tuple

from absl import flags

from common import command_line
from evaluation.reader_study import assembly, building, pictures
from evaluation.reader_study.assembly import Request
from evaluation.reader_study.design import Design
from evaluation.reader_study.pages import PageText
from evaluation.reader_study.pictures import Painter
from preprocessing.data import records, taxonomy
from synthesis import data_flags, run_flags

_DEFAULTS = Design()
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the study.", required=True)
_SYNTHETIC_DIR = flags.DEFINE_string(
    "synthetic_dir",
    None,
    "Records of //synthesis:generate to show, instead of painting by a run; needs --data_dir.",
)
_CONDITION = flags.DEFINE_list("condition", [], "Conditions to show; all of the generator.")
_READERS = flags.DEFINE_integer("readers", Request.readers, "Number of readers.", lower_bound=1)
flags.DEFINE_integer("real", _DEFAULTS.real, "Photographs of the realism test; 0 for no such test.")
flags.DEFINE_integer("synthetic", _DEFAULTS.synthetic, "Synthetic images of the realism test.")
flags.DEFINE_integer("repeats", _DEFAULTS.repeats, "Of these, how many are shown twice.")
flags.DEFINE_integer("pairs", _DEFAULTS.pairs, "Pairs of which one is real, with confidence.")
flags.DEFINE_integer("questions", _DEFAULTS.questions, "Questions of the relevance test.")
flags.DEFINE_integer(
    "images_per_question", _DEFAULTS.images_per_question, "Images in each; a multiple of 4."
)
_IMAGE_PIXELS = flags.DEFINE_integer(
    "image_pixels",
    Request.image_pixels,
    "Rows and columns of every image file.",
    lower_bound=16,
    upper_bound=1024,
)
_SEED = flags.DEFINE_integer(
    "seed",
    None,
    "Of choice and order, not for readers; drawn at random and kept in the key by default.",
    lower_bound=0,
)
_TITLE = flags.DEFINE_string("title", PageText.title, "Of the pages.")
_CONTACT = flags.DEFINE_string("contact", "", "Whom readers can ask, on the first page.")
_CONSENT = flags.DEFINE_string(
    "consent", None, "Text file with what readers agree to; paragraphs are parted by empty lines."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace a study that is there.")


def _page_text() -> PageText:
    if not _CONSENT.value:
        return PageText(_TITLE.value, contact=_CONTACT.value)
    path = command_line.user_path(_CONSENT.value)
    try:
        with open(path, encoding="utf-8") as file:
            paragraphs = [" ".join(one.split()) for one in file.read().split("\n\n")]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text in UTF-8") from error
    return PageText(_TITLE.value, [one for one in paragraphs if one], _CONTACT.value)


def _request() -> Request:
    fields = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Design)}
    return Request(
        Design(**fields),
        _READERS.value,
        _IMAGE_PIXELS.value,
        [taxonomy.canonical(name) for name in _CONDITION.value] or None,
        _SEED.value,
        _page_text(),
    )


def _painter() -> Tuple[Painter, str, Dict[str, Any]]:
    """Returns what paints, the records of photographs, and what the key says of both."""
    painter: Painter
    synthetic: Dict[str, Any]
    if _SYNTHETIC_DIR.value:
        folder = command_line.user_path(_SYNTHETIC_DIR.value)
        data_dir = data_flags.data_dir(None)
        painter = pictures.RecordPainter(folder)
        synthetic = {"records": folder, "digest": records.read_info(folder).digest}
    else:
        generator = run_flags.generator()
        data_dir = data_flags.data_dir(generator)
        painter = pictures.RunPainter(generator, data_dir)
        synthetic = {
            "run_dir": generator.run_dir,
            "step": generator.step,
            "digest": generator.digest,
        }
    real = {
        "records": data_dir,
        "split": pictures.SPLIT,
        "digest": records.read_info(data_dir).digest,
    }
    return painter, data_dir, {"real": real, "synthetic": synthetic}


def main(_: Sequence[str]) -> str:
    """Builds a study; returns what to tell the user."""
    folder = command_line.user_path(_OUTPUT_DIR.value)
    assembly.check_output(folder, _OVERWRITE.value)
    request = _request()
    painter, data_dir, sources = _painter()
    return building.build(request, folder, data_dir, painter, sources)
