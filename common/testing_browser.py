"""A headless Chromium for tests of pages, driven by selenium.

Needs Chromium and its driver, from Debian's packages `chromium` and
`chromium-driver` or another installation on PATH; the tests that use it are tagged
`manual`.
"""

import contextlib
import pathlib
import shutil
import tempfile
from typing import Any, Iterator, Optional

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
