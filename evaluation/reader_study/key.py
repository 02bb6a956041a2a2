"""The answer key of a reader study: what each reader is shown, and what it is.

A study is a folder:

  hand_out/READER.html            one page per reader
  keep_secret/answer_key.json     never to be handed out
"""

import dataclasses
import json
import os
import pathlib
from typing import Any, Dict, Mapping, Tuple

from evaluation.reader_study.design import KINDS, Picture, Trial
from preprocessing.data import taxonomy

FORMAT_VERSION = 1
HAND_OUT, SECRET = "hand_out", "keep_secret"
_FILE_NAME = "answer_key.json"
_WARNING = """The answers to the reader study are in this folder.

Whoever reads the study must not see it: do not hand it out, mail it with the pages or
put it on a web server. The programs `serve` and `score` need it. It also holds the
readers' tokens and the patient ids of the photographs.
"""


@dataclasses.dataclass(frozen=True)
class Reader:
    """One who takes part.

    Attributes:
      name: neutral, and of the page's file name.
      token: secret of this reader; in the page, in the address of a served page, and
        in the seal of the answers.
      trials: in the order asked.
    """

    name: str
    token: str
    trials: Tuple[Trial, ...]


@dataclasses.dataclass(frozen=True)
class Key:
    """All that scoring needs to know.

    Attributes:
      study: random id.
      made_from: where the pictures come from, how they were chosen and encoded.
      pictures: by id.
      readers: by name.
    """

    study: str
    made_from: Mapping[str, Any]
    pictures: Mapping[str, Picture]
    readers: Mapping[str, Reader]

    def as_dict(self) -> Dict[str, Any]:
        """Returns the contents of the file."""
        return {
            "warning": "the answers to the study: not to be handed out",
            "format_version": FORMAT_VERSION,
            **dataclasses.asdict(self),
        }


def page_path(folder: str, reader: str) -> pathlib.Path:
    """Returns the path of a reader's page in the folder of a study."""
    return pathlib.Path(folder, HAND_OUT, f"{reader}.html")


def key_path(folder: str) -> pathlib.Path:
    """Returns the path of the answer key in the folder of a study."""
    return pathlib.Path(folder, SECRET, _FILE_NAME)


def write(folder: str, key: Key) -> str:
    """Writes the key, for the eyes of its owner only, and a warning beside it."""
    path = key_path(folder)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.with_name("DO_NOT_HAND_OUT.txt").write_text(_WARNING, encoding="utf-8")
    temporary = path.with_suffix(".tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(key.as_dict(), file, indent=1)
    temporary.replace(path)
    return str(path)


def _reader(fields: Mapping[str, Any]) -> Reader:
    trials = tuple(Trial(**{**one, "pictures": tuple(one["pictures"])}) for one in fields["trials"])
    return Reader(fields["name"], fields["token"], trials)


def _check(key: Key) -> None:
    for picture in key.pictures.values():
        taxonomy.code(picture.condition)
        taxonomy.check_fitzpatrick(picture.skin_type)
    for reader in key.readers.values():
        for trial in reader.trials:
            if trial.kind not in KINDS:
                raise ValueError(f"unknown kind of trial {trial.kind!r}")
            unknown = set(trial.pictures) - set(key.pictures)
            if unknown:
                raise ValueError(f"unknown picture {min(unknown)!r}")


def read(folder: str) -> Key:
    """Reads the key of a study.

    Args:
      folder: of the study.

    Raises:
      ValueError: no study there, or its key is damaged or of another format.
    """
    path = key_path(folder)
    if not path.is_file():
        raise ValueError(f"{folder}: not a reader study; it has no {SECRET}/{_FILE_NAME}")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields["format_version"]
        if version != FORMAT_VERSION:
            raise ValueError(f"format version {version}, this program reads {FORMAT_VERSION}")
        pictures = {name: Picture(**one) for name, one in fields["pictures"].items()}
        readers = {name: _reader(one) for name, one in fields["readers"].items()}
        key = Key(fields["study"], fields["made_from"], pictures, readers)
        _check(key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not an answer key ({error})") from error
    return key
