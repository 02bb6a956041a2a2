"""The paper's human tests as a kit: do people take synthetic images for real ones?

  bazel run //evaluation:reader_study -- build --run_dir=R --output_dir=D
  bazel run //evaluation:reader_study -- serve --study_dir=D
  bazel run //evaluation:reader_study -- score --study_dir=D
  bazel run //evaluation:reader_study -- power

build makes one page per reader, which opens from disk in any browser, and the answer
key, which nobody who reads may see. serve offers the pages over a network instead, by
one secret address per reader. score turns what readers handed in, in D/answers or named
by --answers, into the paper's Figure 7 with intervals. power says by simulation how many
readers and images a study needs.

The command comes first; `build --help` and so on list its flags.
docs/how_to/run_a_reader_study.md says how to run a study.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import contextlib
import functools
import os
import sys
from typing import Callable, Sequence

from absl import flags

from preprocessing.data import fetching

Main = Callable[[Sequence[str]], None]

# Each command defines flags of its own and imports no more than it needs: build alone
# takes TensorFlow.


def _build() -> Main:
    from common import locks
    from evaluation.reader_study import build, page, pictures
    from evaluation.reader_study.build import StudyRequest
    from evaluation.reader_study.design import Design
    from evaluation.reader_study.page import PageText
    from synthesis import run_flags

    load_generator = run_flags.define_generator()
    choose_data_dir = run_flags.define_data_dir()
    output_dir = run_flags.define_output_dir("Folder for the study.")
    synthetic_dir = flags.DEFINE_string(
        "synthetic_dir",
        None,
        "Records of //synthesis:generate to show, instead of painting by a run; needs --data_dir.",
    )
    condition = flags.DEFINE_list("condition", [], "Conditions to show; all of the generator.")
    readers = flags.DEFINE_integer("readers", StudyRequest.readers, "Number of readers.", 1, 1000)
    numbers = {
        name: flags.DEFINE_integer(name, None, f"{text}; by default {default}.", 0, 10_000)
        for name, text, default in (
            (
                "real",
                "Photographs of the realism test",
                f"{Design.real} or all; 0 for no such test",
            ),
            ("synthetic", "Synthetic images of the realism test", "as many"),
            ("repeats", "Of these, how many are shown twice", f"{Design.repeats} or half"),
            ("pairs", "Pairs of which one is real, with confidence", f"{Design.pairs}"),
            ("questions", "Questions of the relevance test", f"{Design.questions} or all possible"),
            (
                "images_per_question",
                "Images in each, a multiple of 4",
                f"{Design.images_per_question} or fewer",
            ),
        )
    }
    image_pixels = flags.DEFINE_integer(
        "image_pixels", StudyRequest.image_pixels, "Rows and columns of every image file.", 16, 1024
    )
    seed = flags.DEFINE_integer(
        "seed",
        None,
        "Of choice and order, not for readers; drawn at random and kept in the key by default.",
        0,
        command_line.LARGEST_SEED,
    )
    title = flags.DEFINE_string("title", PageText.title, "Of the pages.")
    contact = flags.DEFINE_string("contact", "", "Whom readers can ask, on the first page.")
    consent = flags.DEFINE_string(
        "consent",
        None,
        "Text file with what readers agree to; paragraphs are parted by empty lines.",
    )
    overwrite = run_flags.define_overwrite("a study that is there and has no answers")
    move_old_to = flags.DEFINE_string(
        "move_old_to", None, "Folder for the study that is there, with its answers and its key."
    )

    def main(_: Sequence[str]) -> None:
        folder = output_dir()
        old = move_old_to.value and command_line.user_path(move_old_to.value)
        build.check_no_study(folder, overwrite.value, old)
        agreed: Sequence[str] = page.CONSENT
        if consent.value:
            agreed = page.read_consent(command_line.user_path(consent.value))
        request = StudyRequest(
            {name: flag.value for name, flag in numbers.items()},
            readers.value,
            image_pixels.value,
            condition.value or None,
            seed.value,
            PageText(title.value, agreed, contact.value),
        )
        painter: pictures.Painter
        if synthetic_dir.value:
            painter = pictures.RecordPainter(fetching.local_copy(synthetic_dir.value))
            data_dir = choose_data_dir(None)
        else:
            generator = load_generator()
            data_dir = choose_data_dir(generator)
            painter = pictures.RunPainter(generator, data_dir)
        with locks.only_writer(folder, "reader_study build"):
            print(build.build_study(request, folder, data_dir, painter, old))

    return main


def _serve() -> Main:
    from common import locks
    from common.server import Server
    from evaluation.reader_study import answer_key, server, standing
    from evaluation.reader_study.answer_store import AnswerStore

    study_dir = flags.DEFINE_string("study_dir", None, "What `build` made.", required=True)
    database = flags.DEFINE_string(
        "database", None, "SQLite file for the answers; default STUDY_DIR/answers/answers.sqlite."
    )
    listen_at = flags.DEFINE_string(
        "host", "127.0.0.1", "Address to listen at. Others than this machine reach 0.0.0.0."
    )
    port = flags.DEFINE_integer("port", 8000, "Port; 0 takes a free one.", 0, 65535)
    names = flags.DEFINE_list(
        "host_names", [], "Further names that readers reach it by, such as that of a proxy."
    )

    def main(_: Sequence[str]) -> None:
        folder = command_line.user_path(study_dir.value)
        key = answer_key.read_key(folder)
        path = command_line.user_path(
            database.value or os.path.join(folder, "answers", "answers.sqlite")
        )
        with contextlib.ExitStack() as stack:
            stack.enter_context(locks.only_writer(os.path.dirname(path), "reader_study serve"))
            store = stack.enter_context(contextlib.closing(AnswerStore(path)))
            app = server.make_app(server.Study(key, folder, store))
            running = stack.enter_context(Server(app, listen_at.value, port.value, names.value))
            for reader in key.readers.values():
                print(f"{reader.name}  {running.url}/r/{reader.token}")
            print("One address each: whoever has it answers as that reader. Ctrl-C ends.")
            sys.stdout.flush()
            if listen_at.value not in ("127.0.0.1", "localhost", "::1"):
                print(
                    "note: plain HTTP, which anyone on the network can read; put a proxy with TLS "
                    "before it where that matters",
                    file=sys.stderr,
                )
            say = functools.partial(print, flush=True)
            answered = functools.partial(store.answered, key.study)
            with contextlib.suppress(KeyboardInterrupt), standing.shown(key, answered, say):
                running.serve_forever()
        print(f"\nanswers: {path}")
        print(f"next: bazel run //evaluation:reader_study -- score --study_dir={folder}")

    return main


def _score() -> Main:
    from common.report import Report
    from evaluation.reader_study import answer_key, report

    study_dir = flags.DEFINE_string("study_dir", None, "What `build` made.", required=True)
    answers = flags.DEFINE_list(
        "answers",
        [],
        "Files of answers, folders of them, .sqlite files of `serve`; default: what is in "
        "STUDY_DIR/answers.",
    )
    output_dir = flags.DEFINE_string("output_dir", None, "Default: STUDY_DIR/results.")
    overwrite = flags.DEFINE_bool("overwrite", False, "Replace results of other answers.")

    def main(_: Sequence[str]) -> None:
        folder = command_line.user_path(study_dir.value)
        key = answer_key.read_key(folder)
        given = [command_line.user_path(path) for path in answers.value]
        panel, refused = answer_key.load_answers(given or [os.path.join(folder, "answers")], key)
        study = report.score_study(key, panel, refused)
        written_to = command_line.user_path(output_dir.value or os.path.join(folder, "results"))
        written = Report(written_to, "reader_study", study.protocol, overwrite.value)
        with written.alone():
            report.write_report(study, written)
        written.show(report.screen_summary(study), f"read {written.paths[0]}")

    return main


def _power() -> Main:
    from evaluation.reader_study import power

    fpr = flags.DEFINE_float("fpr", 0.30, "Synthetic images taken for real; the paper's.", 0, 1)
    differences = flags.DEFINE_list(
        "differences", ["0", "0.1", "0.22"], "True TPR - FPR; the paper's is 0.22."
    )
    readers = flags.DEFINE_list("readers", ["5", "10", "20"], "Numbers of readers.")
    pictures = flags.DEFINE_list("pictures", ["40", "80", "160"], "Pictures of each kind.")
    reader_sd = flags.DEFINE_float("reader_sd", 0.4, "SD of the readers' criteria and d'.", 0, 10)
    picture_sd = flags.DEFINE_float("picture_sd", 0.5, "SD of the pictures' realism.", 0, 10)
    studies = flags.DEFINE_integer("studies", 200, "Simulated studies per number.", 1, 100_000)
    seed = flags.DEFINE_integer("seed", 0, "Of the simulation.", 0, command_line.LARGEST_SEED)

    def main(_: Sequence[str]) -> None:
        print(
            power.power_table(
                command_line.whole_numbers(readers, 1, 1000),
                command_line.whole_numbers(pictures, 1, 10_000),
                [float(one) for one in differences.value],
                fpr.value,
                reader_sd.value,
                picture_sd.value,
                studies.value,
                seed.value,
            )
        )

    return main


if __name__ == "__main__":
    command_line.run_command({"build": _build, "serve": _serve, "score": _score, "power": _power})
