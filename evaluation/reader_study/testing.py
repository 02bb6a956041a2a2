"""Small reader studies, and simulated readers of them, for tests."""

import contextlib
import dataclasses
import json
import pathlib
import threading
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

import numpy as np

from common.server import Server
from evaluation.reader_study import answer_key, build, design, server
from evaluation.reader_study.answer_key import Answer, Answers, Key
from evaluation.reader_study.answer_store import AnswerStore
from evaluation.reader_study.build import StudyRequest
from evaluation.reader_study.design import PAIR, REALISM, Design, Photograph, Picture
from evaluation.reader_study.page import PageText

CONDITIONS = ("Acne", "Melanoma", "Psoriasis", "Vitiligo")
SMALL = Design(real=8, synthetic=8, repeats=4, pairs=3, questions=3, images_per_question=8)


def photographs(per_condition: int = 12) -> List[Photograph]:
    """Returns crops, two of each patient."""
    return [
        Photograph(number, condition, 1 + number % 6, f"patient{number // 2}", str(number))
        for number, condition in enumerate(CONDITIONS * per_condition)
    ]


def paint(pictures: Mapping[str, Picture]) -> Dict[str, np.ndarray]:
    """Returns noise for photographs, and smooth pictures, which encode shorter, for others."""
    rng = np.random.default_rng(0)
    pixels = {}
    for name, one in pictures.items():
        noise = rng.integers(0, 256, (24, 24, 3) if not one.synthetic else (1, 1, 3))
        pixels[name] = np.broadcast_to(noise, (24, 24, 3)).astype(np.uint8)
    return pixels


def small_study(
    asked: Design = SMALL, readers: int = 4, per_condition: int = 12
) -> Tuple[Key, Dict[str, np.ndarray]]:
    """Returns the key of a study and its pictures, without records or a generator."""
    material = design.choose_material(asked, photographs(per_condition), seed=5)
    pictures = {
        name: dataclasses.replace(one, source=f"map {name}") if one.synthetic else one
        for name, one in material.pictures.items()
    }
    request = StudyRequest(dataclasses.asdict(asked), readers=readers)
    return build.make_key(request, asked, 5, material, pictures, {}), paint(pictures)


def write_study(folder: str, **kwargs: Any) -> Key:
    """Writes `small_study` to a folder; returns its key."""
    key, pixels = small_study(**kwargs)
    build.write_study(folder, key, pixels, 24, PageText(contact="ada@example.org"))
    return key


@contextlib.contextmanager
def serving(key: Key, folder: str, database: str) -> Iterator[Tuple[Server, AnswerStore]]:
    """Serves a study at a free port of this machine."""
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(contextlib.closing(AnswerStore(database)))
        app = server.make_app(server.Study(key, folder, store))
        running = stack.enter_context(Server(app, port=0))
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        stack.callback(thread.join)
        stack.callback(running.stop)
        yield running, store


def answer_all(
    key: Key, reader: str, looks_real: Callable[[Picture], bool], finished: str = "2026-11-25"
) -> Answers:
    """Returns the answers of a reader who goes by `looks_real`, and knows all conditions.

    A relevant picture is chosen if it looks real.
    """
    answers: Dict[str, Answer] = {}
    for trial in key.readers[reader].trials:
        pictures = [key.pictures[name] for name in trial.pictures]
        choice: answer_key.Choice
        if trial.kind == REALISM:
            choice = "real" if looks_real(pictures[0]) else "synthetic"
        elif trial.kind == PAIR:
            choice = "left_3" if looks_real(pictures[0]) else "right_1"
        else:
            choice = tuple(
                place
                for place, one in enumerate(pictures)
                if one.condition == trial.condition and looks_real(one)
            )
        answers[trial.trial_id] = Answer(choice, 1000 + len(answers))
    return Answers(reader, "trainee", "2", finished, answers)


def document(key: Key, answers: Answers) -> Dict[str, Any]:
    """Returns the file that the page of this reader would save."""
    content = {
        "format": answer_key.ANSWERS_FORMAT,
        "version": answer_key.ANSWERS_VERSION,
        "study": key.study,
        "reader": answers.reader,
        "role": answers.role,
        "years": answers.years,
        "started": "2026-11-25T08:00:00Z",
        "finished": answers.finished,
        "answers": [
            {
                "trial": name,
                "choice": list(one.choice) if isinstance(one.choice, tuple) else one.choice,
                "ms": one.ms,
            }
            for name, one in answers.answers.items()
        ],
    }
    return reseal(key, {"content": content})


def reseal(key: Key, changed: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns a file with the seal that fits its content."""
    content = changed["content"]
    token = key.readers[content["reader"]].token
    return {"content": content, "seal": answer_key.seal(content, token)}


def save(path: pathlib.Path, content: Any) -> str:
    """Writes JSON; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)
