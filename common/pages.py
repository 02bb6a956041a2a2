"""Pages for people: one HTML file each, which loads nothing from elsewhere.

A page is a Jinja template, and the style and script of the same name beside it:

    PAGE = pages.Page(pathlib.Path(__file__).with_name("page.html"))
    html = PAGE.render(title="...", rows=rows)

`testing_pages` has what every page's test should check.
"""

import base64
import hashlib
import pathlib
from typing import Any, Sequence

import jinja2
import markupsafe


def data_uri(content: bytes, media_type: str = "image/jpeg") -> str:
    """Returns the address that holds an image, or another file, itself."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _source_of(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


class Page:
    """A template with its style and script.

    Templates see, beside what `render` is given:

      style, script: the contents of the files beside the template, "" where there is
        none; for `<style>{{ style }}</style>` and `<script>{{ script }}</script>`.
      policy: see `policy`, for `<meta http-equiv="Content-Security-Policy">`.
      the filters `data_uri` (above) and Jinja's own, of which `tojson` is the one for
        data in a script element.

    Text is escaped, and a name that `render` was not given raises `UndefinedError`.
    """

    def __init__(
        self,
        template: pathlib.Path,
        connect: str = "'none'",
        style_attributes: bool = False,
        images: str = "data:",
        before: Sequence[pathlib.Path] = (),
        code: str = "",
    ) -> None:
        """Reads the files.

        Args:
          template: NAME.html, beside which NAME.css and NAME.js are looked for.
          connect: whom the script may talk to, as in a policy: "'self'" is the server
            that the page came from.
          style_attributes: whether elements have style attributes, as inline SVG does.
          images: where images may come from.
          before: scripts that are put before the page's own.
          code: what else may run, as in a policy.
        """
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["data_uri"] = data_uri
        self._template = environment.from_string(template.read_text(encoding="utf-8"))
        self._style, self._script = (
            beside.read_text(encoding="utf-8") if beside.exists() else ""
            for beside in (template.with_suffix(".css"), template.with_suffix(".js"))
        )
        parts = [part.read_text(encoding="utf-8") for part in before]
        self._script = "\n".join([*parts, self._script])
        self._code = f" {code}" if code else ""
        self._connect = connect
        self._style_attributes = style_attributes
        self._images = images

    @property
    def policy(self) -> str:
        """What the page may do: run its own script and style, show images in itself."""
        parts = [
            "default-src 'none'",
            f"img-src {self._images}",
            f"style-src {_source_of(self._style)}",
            f"script-src {_source_of(self._script)}{self._code}" if self._script else "",
            f"connect-src {self._connect}",
            "style-src-attr 'unsafe-inline'" if self._style_attributes else "",
            "base-uri 'none'",
            "form-action 'none'",
        ]
        return "; ".join(filter(None, parts))

    def render(self, **context: Any) -> str:
        """Returns the HTML.

        Raises:
          jinja2.UndefinedError: the template asks for what the context does not have.
        """
        return self._template.render(
            style=markupsafe.Markup(self._style),
            script=markupsafe.Markup(self._script),
            policy=self.policy,
            **context,
        )
