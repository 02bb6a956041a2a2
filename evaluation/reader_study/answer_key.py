"""The answer key of a reader study, and the answers, which count if they fit it.

A study is a folder:

  hand_out/READER.html            one page per reader
  keep_secret/answer_key.json     what each reader is shown, and what it is; never to be
                                  handed out
  answers/                        what readers hand in

Answers are JSON: {"content": {...}, "seal": hex}. The seal is the HMAC-SHA256
of the content under the reader's token, so a file that was changed, or made without the
page, is found out. The token is in the reader's own page: the seal keeps others from writing
answers in a reader's name, it cannot keep readers from lying.
"""

import dataclasses
import hashlib
import hmac
import json
import os
import pathlib
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple, Union

from evaluation.reader_study import answer_store
from evaluation.reader_study.design import KINDS, PAIR, REALISM, RELEVANCE, Picture, Trial
from preprocessing.data import taxonomy

FORMAT_VERSION = 1
_SECRET, _KEY_FILE = "keep_secret", "answer_key.json"
_WARNING = """The answers to the reader study are in this folder.

Whoever reads the study must not see it: do not hand it out, mail it with the pages or
put it on a web server. The programs `serve` and `score` need it. It also holds the
readers' tokens and the patient ids of the photographs.
"""
ANSWERS_FORMAT, ANSWERS_VERSION = "dermgan reader study answers", 1
ROLES = {
    "dermatologist": "Dermatologist",
    "trainee": "Dermatologist in training",
    "physician": "Other physician",
    "clinical": "Nurse or other clinical work",
    "research": "Research or engineering",
    "other": "Something else",
}
YEARS = {"0": "None", "1": "Less than 2", "2": "2 to 5", "5": "5 to 10", "10": "More than 10"}
CONFIDENCES = {1: "Guess", 2: "Fairly sure", 3: "Certain"}
LARGEST_FILE = 1 << 20  # bytes; a study of 1,000 trials takes about a tenth of it
_LONGEST_LOOK_MS = 7 * 24 * 3600 * 1000
_CHOICES: Mapping[str, Sequence[str]] = {
    REALISM: ("real", "synthetic"),
    PAIR: tuple(f"{side}_{sure}" for side in ("left", "right") for sure in CONFIDENCES),
}
_TEXTS = ("format", "study", "reader", "role", "years", "started", "finished")

Choice = Union[str, Tuple[int, ...]]


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

    Raises:
      ValueError: a picture or a trial that cannot be.
    """

    study: str
    made_from: Mapping[str, Any]
    pictures: Mapping[str, Picture]
    readers: Mapping[str, Reader]

    def __post_init__(self) -> None:
        for picture in self.pictures.values():
            taxonomy.code(picture.condition)
            taxonomy.check_fitzpatrick(picture.skin_type, unknown=True)
        for trial in (one for reader in self.readers.values() for one in reader.trials):
            if trial.kind not in KINDS:
                raise ValueError(f"unknown kind of trial {trial.kind!r}")
            unknown = set(trial.pictures) - set(self.pictures)
            if unknown:
                raise ValueError(f"unknown picture {min(unknown)!r}")


def page_path(folder: str, reader: str) -> pathlib.Path:
    """Returns the path of a reader's page in the folder of a study."""
    return pathlib.Path(folder, "hand_out", f"{reader}.html")


def key_path(folder: str) -> pathlib.Path:
    """Returns the path of the answer key in the folder of a study."""
    return pathlib.Path(folder, _SECRET, _KEY_FILE)


def write_key(folder: str, key: Key) -> None:
    """Writes the key, for the eyes of its owner only, and a warning beside it."""
    path = key_path(folder)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.with_name("DO_NOT_HAND_OUT.txt").write_text(_WARNING, encoding="utf-8")
    content = {
        "warning": "the answers to the study: not to be handed out",
        "format_version": FORMAT_VERSION,
        "taxonomy": list(taxonomy.conditions()),
        **dataclasses.asdict(key),
    }
    temporary = path.with_suffix(".tmp")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    temporary.replace(path)


def _reader(fields: Mapping[str, Any]) -> Reader:
    trials = tuple(Trial(**{**one, "pictures": tuple(one["pictures"])}) for one in fields["trials"])
    return Reader(fields["name"], fields["token"], trials)


def read_key(folder: str) -> Key:
    """Reads the key of a study.

    Args:
      folder: of the study.

    Raises:
      ValueError: no study there, or its key is damaged or of another format.
    """
    path = key_path(folder)
    if not path.is_file():
        raise ValueError(f"{folder}: not a reader study; it has no {_SECRET}/{_KEY_FILE}")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields["format_version"]
        if version != FORMAT_VERSION:
            raise ValueError(f"format version {version}, this program reads {FORMAT_VERSION}")
        taxonomy.adopt(taxonomy.Taxonomy(tuple(fields["taxonomy"])), str(path))
        pictures = {name: Picture(**one) for name, one in fields["pictures"].items()}
        readers = {name: _reader(one) for name, one in fields["readers"].items()}
        return Key(fields["study"], fields["made_from"], pictures, readers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not an answer key ({error})") from error


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one trial.

    Attributes:
      choice: "real" or "synthetic"; "left_1" to "right_3", side and confidence; places
        of the images chosen.
      ms: milliseconds of looking.
    """

    choice: Choice
    ms: int


@dataclasses.dataclass(frozen=True)
class Answers:
    """What one reader answered.

    Attributes:
      reader: name.
      role: key of `ROLES`.
      years: key of `YEARS`.
      finished: when, in ISO 8601; "" if not yet.
      answers: by trial id.
    """

    reader: str
    role: str
    years: str
    finished: str
    answers: Mapping[str, Answer]


class Refused(NamedTuple):
    """Answers that do not count.

    Attributes:
      source: the file.
      reason: why, as the rest of a sentence about it.
    """

    source: str
    reason: str


def seal(content: Mapping[str, Any], token: str) -> str:
    """Returns the seal of a file's content, as JavaScript's `JSON.stringify` writes it."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(
        token.encode("utf-8"), text.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()


def _choice(trial: Trial, value: Any) -> Choice:
    if trial.kind != RELEVANCE and isinstance(value, str) and value in _CHOICES[trial.kind]:
        return value
    if trial.kind == RELEVANCE and isinstance(value, list):
        places = range(len(trial.pictures))
        if len(set(map(str, value))) == len(value) and all(
            type(place) is int and place in places for place in value
        ):
            return tuple(value)
    raise ValueError(f"holds the answer {str(value)[:40]!r} to {trial.trial_id}")


def _answers(reader: Reader, entries: Any) -> Dict[str, Answer]:
    trials = {trial.trial_id: trial for trial in reader.trials}
    found: Dict[str, Answer] = {}
    for entry in entries:
        name, ms = str(entry["trial"]), entry["ms"]
        if name not in trials:
            raise ValueError(f"answers {name[:40]!r}, which was not asked")
        if name in found:
            raise ValueError(f"answers {name} twice")
        if type(ms) is not int or not 0 <= ms <= _LONGEST_LOOK_MS:
            raise ValueError(f"holds the time {str(ms)[:40]!r} for {name}")
        found[name] = Answer(_choice(trials[name], entry["choice"]), ms)
    return found


def check_answers(document: Any, key: Key) -> Answers:
    """Checks answers against the key.

    Args:
      document: a parsed file.
      key: of the study.

    Returns:
      The answers, finished or not.

    Raises:
      ValueError: not answers, of another study, of an unknown reader, changed, or not
        answers to what was asked; the message is the rest of a sentence about the file.
    """
    try:
        content, claimed = document["content"], document["seal"]
        texts = all(isinstance(content[name], str) for name in _TEXTS)
        if content["format"] != ANSWERS_FORMAT or not texts:
            raise TypeError
        version, entries = content["version"], content["answers"]
        role, years = content["role"], content["years"]
    except (KeyError, TypeError):
        raise ValueError("is not a file of answers") from None
    if version != ANSWERS_VERSION:
        raise ValueError(f"has format version {version}, this program reads {ANSWERS_VERSION}")
    if content["study"] != key.study:
        raise ValueError(f"is of another study, {content['study'][:40]!r}; this is {key.study}")
    reader = key.readers.get(content["reader"])
    if reader is None:
        raise ValueError(f"is of the reader {content['reader'][:40]!r}, who was not asked")
    right = seal(content, reader.token).encode()
    if not hmac.compare_digest(right, str(claimed).encode("utf-8", "replace")):
        raise ValueError("was changed after it was saved: its seal does not fit")
    if role not in ROLES or years not in YEARS:
        raise ValueError(f"holds the profile {role[:40]!r}, {years[:40]!r}")
    try:
        answers = _answers(reader, entries)
    except (KeyError, TypeError):
        raise ValueError("has an answer that cannot be read") from None
    missing = len(reader.trials) - len(answers)
    if content["finished"] and missing:
        raise ValueError(f"claims to be finished but lacks {missing} answers")
    return Answers(reader.name, role, years, content["finished"], answers)


def parse_answers(data: bytes, key: Key) -> Answers:
    """Reads the bytes of a file; errors of `check_answers`."""
    if len(data) > LARGEST_FILE:
        raise ValueError("is too large for a file of answers")
    try:
        document = json.loads(data.decode("utf-8-sig"))
        if rb"\u" in data:  # lone surrogates, which are no text, come in no other way
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("holds what is no text in Unicode") from None
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    try:
        return check_answers(document, key)
    except RecursionError:
        raise ValueError("is not a file of answers") from None


def _files(path: pathlib.Path) -> List[pathlib.Path]:
    """Returns the files of answers in a folder, or the file itself."""
    if path.is_dir():
        return sorted([*path.glob("*.json"), *path.glob("*.sqlite")])
    return [path]


def _documents(path: pathlib.Path) -> List[Tuple[str, bytes]]:
    """Returns the name and bytes of the answers in a file or database.

    Raises:
      ValueError: it is neither; the message is the rest of a sentence about it.
      UnavailableError: it is locked.
    """
    try:
        if not path.is_file():  # such as a pipe, which would be waited for
            raise ValueError("is not a regular file")
        if path.suffix == ".sqlite":
            stored = answer_store.read_documents(path)
            return [(f"{path} ({reader})", document) for reader, document in stored]
        with open(path, "rb") as file:
            return [(str(path), file.read(LARGEST_FILE + 1))]
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error


def _shown(source: str) -> str:
    """Returns a name that can be printed, whatever bytes a file's name is of."""
    return source.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _read_finished(data: bytes, key: Key) -> Answers:
    answers = parse_answers(data, key)
    if not answers.finished:
        asked = len(key.readers[answers.reader].trials)
        raise ValueError(f"is not finished: {len(answers.answers)} of {asked} answered")
    return answers


def load_answers(paths: Sequence[str], key: Key) -> Tuple[List[Answers], List[Refused]]:
    """Reads what readers handed in.

    Args:
      paths: .json files, .sqlite files of `serve`, and folders of both.
      key: of the study.

    Returns:
      The answers that count, at most one of each reader, by name; and what does not
      count: not finished, handed in twice (the first counts if they are alike, none if
      they differ), refused by `check_answers`, or nothing that can be read.

    Raises:
      ValueError: a path does not exist, a database is locked, or nothing counts.
    """
    refused: List[Refused] = []
    found: Dict[str, List[Tuple[str, Answers]]] = {}
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise ValueError(f"{path}: no such file or folder of answers")
    for path in (one for given in paths for one in _files(pathlib.Path(given))):
        try:
            documents = _documents(path)
        except answer_store.UnavailableError as error:
            raise ValueError(f"{path}: {error}; score again when it has ended") from error
        except ValueError as error:
            refused.append(Refused(_shown(str(path)), str(error)))
            continue
        for source, data in documents:
            try:
                answers = _read_finished(data, key)
            except ValueError as error:
                refused.append(Refused(_shown(source), str(error)))
            else:
                found.setdefault(answers.reader, []).append((_shown(source), answers))
    kept = []
    for reader, several in sorted(found.items()):
        (first_source, first), *others = several
        if all(one == first for _, one in others):
            kept.append(first)
            reason, left_out = f"is the same as {first_source}", others
        else:
            reason = f"is one of {len(several)} files of {reader} that differ; keep the right one"
            left_out = several
        refused += [Refused(source, reason) for source, _ in left_out]
    if not kept:
        details = "; ".join(f"{source} {reason}" for source, reason in refused)
        raise ValueError(f"no finished answers{': ' + details if details else ' there'}")
    return kept, refused
