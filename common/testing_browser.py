"""A headless Chromium for tests of pages, driven by selenium.

Needs Chromium and its driver, from Debian's packages `chromium` and
`chromium-driver` or another installation on PATH; the tests that use it are tagged
`manual`.
"""

import contextlib
import pathlib
import shutil
import tempfile
from typing import Any, Iterator, List, Optional

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# Chromium fetches things of its own accord, which a test must neither need nor wait for.
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)

# Texts whose colours are too alike (WCAG 2.1, 1.4.3), and controls without a name.
_AUDIT = """
const problems = [];
const channels = (color) => color.match(/[\\d.]+/g).map(Number);
const light = (color) => {
  const [r, g, b] = channels(color).slice(0, 3).map((c) => {
    c /= 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if ((channels(color)[3] ?? 1) > 0.8) return color;
  }
  return "rgb(255, 255, 255)";
};
for (const element of document.querySelectorAll("body *")) {
  if (!element.getClientRects().length || element.closest("script, dialog:not([open])")) continue;
  const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (own) {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) problems.push(`contrast ${contrast}: ${element.textContent}`);
  }
  if (element.matches("button, input, select")) {
    const name = element.getAttribute("aria-label") || element.textContent.trim()
      || (element.labels && element.labels[0] && element.labels[0].textContent.trim());
    if (!name) problems.push(`no name: ${element.outerHTML.slice(0, 80)}`);
    const size = element.getBoundingClientRect();
    if (Math.min(size.width, size.height) < 24) problems.push(`small: ${name} ${size.height}`);
  }
  if (element.tagName === "IMG" && !element.hasAttribute("alt")) problems.push("no alt");
}
if (document.documentElement.scrollWidth > innerWidth) problems.push("wider than the window");
return problems;
"""


def _installed(*names: str) -> str:
    """Returns the path of the first program that is there.

    Raises:
      FileNotFoundError: none is. A browser test without a browser must not pass.
    """
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise FileNotFoundError(f"none of {', '.join(names)} is installed; apt-get install {names[0]}")


@contextlib.contextmanager
def chromium(
    download_dir: Optional[str] = None,
    profile_dir: Optional[str] = None,
    width: int = 1280,
    height: int = 900,
    phone: bool = False,
) -> Iterator[Any]:
    """Starts Chromium; it ends with the context.

    Args:
      download_dir: receives what pages let the user save.
      profile_dir: holds what the browser remembers (localStorage); given again, it is
        the same user coming back. A fresh one by default.
      width: of the page in CSS pixels.
      height: of the page in CSS pixels.
      phone: whether to be a phone of this size, touched instead of clicked.

    Yields:
      The `selenium.webdriver.Chrome`. Its `get_log("browser")` has what pages wrote to
      the console, errors included.

    Raises:
      FileNotFoundError: Chromium or its driver is not installed.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = _installed("chromium", "chromium-browser", "google-chrome")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with contextlib.ExitStack() as stack:
        if profile_dir is None:
            # What is left of it is being written to while the browser ends.
            profile_dir = tempfile.mkdtemp()
            stack.callback(shutil.rmtree, profile_dir, ignore_errors=True)
        for argument in (*_ARGUMENTS, f"--user-data-dir={profile_dir}"):
            options.add_argument(argument)
        if download_dir is not None:
            downloads = str(pathlib.Path(download_dir).resolve())
            options.add_experimental_option("prefs", {"download.default_directory": downloads})
        if phone:
            metrics = {"width": width, "height": height, "pixelRatio": 2.0, "touch": True}
            options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
        driver = webdriver.Chrome(options=options, service=Service(_installed("chromedriver")))
        stack.callback(driver.quit)
        if not phone:
            # The size of the page itself; --window-size includes the frame of the window.
            driver.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
            )
        yield driver


def problems(driver: Any) -> List[str]:
    """Returns what is hard to read, to name or to hit on the page that a driver shows.

    Texts with less contrast than 4.5 (WCAG 2.1, 1.4.3), controls without a name or below
    24 pixels, images without alternative text, and a page that is wider than its window.
    """
    return driver.execute_script(_AUDIT)
