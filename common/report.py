"""What an evaluation leaves behind: files of one name, and numbers of one protocol.

    report = Report(output_dir, "fidelity", protocol, overwrite)
    with report.alone():                                      # before measuring
        report.write_csv(frame)                               # fidelity.csv
        report.write_figure(figure)                           # fidelity.png
        report.write_markdown(template, rows=rows)            # fidelity.md
        report.write_json({"tone": 3.1})                      # fidelity.json
        report.write_scalars(step, {"fidelity/tone": 3.1})    # for TensorBoard
    report.show("tone  3.1", "look at fidelity.png")          # the next step

Every file appears under its name only when complete. Templates are Jinja's, for
Markdown and for the screen alike (`render`).
"""

import contextlib
import datetime
import json
import math
import os
import pathlib
import platform
from importlib import metadata
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional

import jinja2
from absl import flags

from common import addresses, files, locks

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_PACKAGES = ("tensorflow", "tensorflow-gan", "tensorflow-hub", "numpy", "scipy", "scikit-image")


def render(template: pathlib.Path, **values: Any) -> str:
    """Fills in a Jinja template; a name that it does not know is an error.

    Beside Jinja's own filters there are `f`, Python's format specification
    (`{{ 0.5 | f(".1%") }}`, `{{ "left" | f("20") }}`), and `row`, which makes a row of a
    Markdown table of a list of cells.

    Args:
      template: file, `NAME.md.jinja` or `NAME.txt.jinja`.
      **values: what it shows.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
    )
    environment.filters.update(
        f=lambda value, spec="": format(value, spec),
        row=lambda cells: "| " + " | ".join(map(str, cells)) + " |",
    )
    return environment.get_template(template.name).render(values)


# What says where things lie and are put, and nothing of what is measured.
_PLACES = ("run_dir", "data_dir", "output_dir", "workdir", "cache_dir", "overwrite")


def _flags() -> List[str]:
    """Returns the flags of the command line that made a report, but for folders."""
    known = flags.FLAGS
    if not known.is_parsed():
        return []
    given = [known[name] for name in known if known[name].present and name not in _PLACES]
    texts = {flag.name: flag.serialize().strip() for flag in given}

    def told(value: str) -> str:
        return ",".join(
            addresses.told(one) if os.path.isabs(one) else one for one in value.split(",")
        )

    return [
        f"{name}{equals}{told(value)}"
        for name, equals, value in (texts[one].partition("=") for one in sorted(texts))
    ]


class Report:
    """Writes what was measured; never replaces numbers of another protocol unasked.

    Attributes:
      name: of the files.
      folder: of the files.
      protocol: everything that the numbers depend on.
    """

    def __init__(
        self,
        output_dir: str,
        name: str,
        protocol: Mapping[str, Any],
        overwrite: bool = False,
        folder_flag: str = "--output_dir",
    ):
        """Checks that the report may be written; writes nothing yet.

        Numbers of the same protocol are the same numbers and may be replaced.

        Args:
          output_dir: folder, made when it is needed.
          name: of the files, "fidelity" say.
          protocol: what the numbers depend on; stored under "protocol".
          overwrite: whether numbers of another protocol may be replaced.
          folder_flag: that the user chose the folder by, for the message.

        Raises:
          ValueError: there are numbers by another protocol, or none that can be read.
        """
        self.name, self.protocol = name, dict(protocol)
        self.folder = pathlib.Path(output_dir)
        self._paths: Dict[str, None] = {}
        self._overwrite, self._folder_flag = overwrite, folder_flag
        self._check()

    def _check(self) -> None:
        path = self._path("json")
        if self._overwrite or not path.exists():
            return
        if (self.stored() or {}).get("protocol") != json.loads(json.dumps(self.protocol)):
            raise ValueError(
                f"{path}: holds a measurement by another protocol; choose another "
                f"{self._folder_flag} or pass --overwrite"
            )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Makes this process the only writer of the report; see `locks.only_writer`.

        Raises:
          ValueError: another process measures the same, or has done so by another protocol.
          OSError: nothing can be written to the folder.
        """
        with locks.only_writer(self.folder, self.name, of=self.name):
            self._check()
            yield

    def stored(self) -> Optional[Dict[str, Any]]:
        """Returns the numbers that are there; None where none are or can be read."""
        try:
            content = json.loads(self._path("json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    @property
    def paths(self) -> List[str]:
        """The files that were written, in this order."""
        return list(self._paths)

    def _path(self, kind: str, name: str = "") -> pathlib.Path:
        return self.folder / f"{name or self.name}.{kind}"

    def _wrote(self, path: pathlib.Path) -> str:
        self._paths[str(path)] = None
        return str(path)

    def write_json(self, content: Mapping[str, Any]) -> str:
        """Writes numbers, with the protocol, the date and the versions of the packages.

        Returns:
          The path, as all that write do.
        """
        path = self._path("json")
        made_by = {
            "protocol": self.protocol,
            "flags": _flags(),
            "packages": {name: metadata.version(name) for name in _PACKAGES},
            "python": platform.python_version(),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }
        files.write_json(path, {**content, **made_by})
        return self._wrote(path)

    def write_csv(self, frame: "pd.DataFrame", name: str = "", **options: Any) -> str:
        """Writes a table; `name` is that of the report by default, `options` are pandas'."""
        path = self._path("csv", name)
        files.write_text(path, frame.to_csv(index=False, **options))
        return self._wrote(path)

    def write_text(self, kind: str, text: str) -> str:
        """Writes a text under the report's name; `kind` is "md" or "html"."""
        path = self._path(kind)
        files.write_text(path, text)
        return self._wrote(path)

    def write_markdown(self, template: pathlib.Path, **values: Any) -> str:
        """Writes a filled-in template; arguments as of `render`."""
        return self.write_text("md", render(template, **values))

    def write_figure(self, figure: "Figure", name: str = "") -> str:
        """Writes a figure of pyplot as PNG and closes it; `name` is the report's by default."""
        from common import figures  # isort: skip  (slow; not every report has figures)

        return self._wrote(pathlib.Path(figures.save(figure, str(self._path("png", name)))))

    def write_scalars(self, step: int, values: Mapping[str, float], subfolder: str = "") -> None:
        """Writes scalars for TensorBoard.

        Args:
          step: of the checkpoint.
          values: by tag; those that are not finite are left out.
          subfolder: below the report's folder; TensorBoard draws a curve for each folder.
        """
        import tensorflow as tf  # slow; not every report has scalars

        log_dir = str(self.folder / subfolder)
        with tf.summary.create_file_writer(log_dir).as_default(step=step):
            for tag, value in values.items():
                if math.isfinite(value):
                    tf.summary.scalar(tag, value)
            tf.summary.flush()

    def write_verdict(self, step: int, verdict: str) -> None:
        """Writes for TensorBoard the verdict in words and the figures written so far.

        Args:
          step: of the checkpoint.
          verdict: one sentence.
        """
        import tensorflow as tf  # slow; not every report has scalars

        figures = [path for path in map(pathlib.Path, self._paths) if path.suffix == ".png"]
        with tf.summary.create_file_writer(str(self.folder)).as_default(step=step):
            tf.summary.text(f"{self.name}/verdict", verdict)
            for path in figures:
                picture = tf.io.decode_png(path.read_bytes(), channels=3)
                tf.summary.image(f"{self.name}/{path.stem}", picture[None])
            tf.summary.flush()

    def show(self, text: str, *next_steps: str) -> None:
        """Prints a table, where everything is, and what to do next."""
        print("\n".join([text.rstrip("\n"), "", *self.paths]))
        print("next: " + "\n      ".join(next_steps))
