"""What must hold of every page and report that a person reads."""

import html.parser
import re
from typing import List, Optional, Tuple

_UNSEEN = ("script", "style", "template")
_SPOKEN = ("alt", "title", "aria-label", "placeholder", "summary")
_LOADING = ("src", "href", "xlink:href", "srcset", "poster", "data", "action")

# What a program, not an author, puts into a text.
_SLIPS = {
    "an object's repr": r"\bat 0x[0-9a-f]+>|<(?:class|module) '|<function |<[\w.]+ object\b|"
    r"<\w+\.\w+|\bPosixPath\(",
    "a tuple's or data class's repr": r"\b[A-Z]\w*\(\w+=",
    "an array's repr": r"\barray\(|\bdtype\b",
    "None": r"\bNone\b",
    "not a number": r"(?i:(?<![\w-])(?:nan|inf)(?![\w-]))",
    "a template's braces": r"\{\{|\{%|%\}",
}


class _Reader(html.parser.HTMLParser):
    """Gathers what is seen or spoken, and what is loaded."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: List[str] = []
        self.loaded: List[str] = []
        self._within = ""
        self._style: List[str] = []

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        if tag in _UNSEEN:
            self._within = tag
        self.text += [value or "" for name, value in attrs if name in _SPOKEN]
        for name, value in attrs:
            if name in _LOADING and not (tag == "a" and name == "href"):
                self.loaded.append(value or "")
            if name == "style":
                self._style.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.text.append(data)
        elif self._within == "style":
            self._style.append(data)

    def addresses(self) -> List[str]:
        """All that the page makes a browser fetch."""
        style = " ".join(self._style)
        quoted = re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)", style)
        return [*self.loaded, *quoted]


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader


def visible_text(page: str) -> str:
    """Returns what a person sees of a page, or hears by a screen reader, a piece a line."""
    pieces = (" ".join(piece.split()) for piece in _read(page).text)
    return "\n".join(filter(None, pieces))


def check_text(text: str) -> None:
    """Checks a text for what slipped from a program into it.

    Args:
      text: as a person reads it; of HTML, its `visible_text`.

    Raises:
      AssertionError: it holds the repr of an object, None, nan or a template's braces.
    """
    for what, pattern in _SLIPS.items():
        for found in re.finditer(pattern, text):
            around = text[max(found.start() - 40, 0) : found.end() + 40]
            raise AssertionError(f"{what} in a text for people: ...{around!r}...")


def check_page(page: str) -> None:
    """Checks an HTML page: its text, and that it needs nothing from elsewhere.

    Raises:
      AssertionError: see `check_text`; or the page loads another file, or an image has
        no alternative text.
    """
    check_text(visible_text(page))
    for address in _read(page).addresses():
        # "#id" is a part of the page itself.
        if not address.startswith(("data:", "#")):
            raise AssertionError(f"the page loads {address[:100]!r}")
    for image in re.findall(r"<img\b[^>]*>", page):
        if not re.search(r"\balt=", image):
            raise AssertionError(f"an image without alternative text: {image[:100]!r}")
