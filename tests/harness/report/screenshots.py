"""Writes docs/images/report-light.png and report-dark.png: `python -m tests.harness.report.screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.harness.report.browser import browser, programs, show
from tests.harness.report.overview import write_page

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
#: CSS pixels: from the verdict down to the graph and the log of the failed run
SIZE = (1280, 2100)
_LOG = """
const log = [...document.querySelectorAll('summary')].find(e => e.innerText === 'log');
log.parentElement.open = true;
log.parentElement.querySelector('pre').scrollTop = 1e6;
"""


def main() -> int:
    """Take both pictures; 3 where there is no browser."""
    found = programs()
    if found is None:
        sys.stderr.write("screenshots: chromium or chromedriver is missing; sudo apt-get install chromium-driver\n")
        return 3
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser(found, Path(folder, "profile")) as driver:
        project = Path(folder, "project")
        project.mkdir()
        page = write_page(project)
        for theme in ("light", "dark"):
            show(driver, page, width=SIZE[0], height=SIZE[1], theme=theme)
            driver.execute_script(_LOG)
            driver.save_screenshot(str(IMAGES / f"report-{theme}.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
