"""Writes the pictures in docs/images: `python -m tests.harness.report.screenshots [PAGE]`.

Without a page they are report-light.png and report-dark.png, of one that the tests build. With a page, which
`harness gate --html` wrote over the suite, they are suite-light.png and suite-dark.png.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.harness.report.browser import browser, programs, show
from tests.harness.report.overview import write_page

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
#: CSS pixels: from the verdict down to the graph and the log of the failed run, and to the end of the proofs
WIDTH, HEIGHTS = 1280, {"report": 2100, "suite": 2480}
_LOG = """
const log = [...document.querySelectorAll('summary')].find(e => e.innerText === 'log');
log.parentElement.open = true;
log.parentElement.querySelector('pre').scrollTop = 1e6;
"""


def main(pages: Sequence[str]) -> int:
    """Take the pictures; 3 where there is no browser."""
    found = programs()
    if found is None:
        sys.stderr.write("screenshots: chromium or chromedriver is missing; sudo apt-get install chromium-driver\n")
        return 3
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, browser(found, Path(folder, "profile")) as driver:
        project = Path(folder, "project")
        project.mkdir()
        name, page = ("suite", Path(pages[0]).resolve()) if pages else ("report", write_page(project))
        for theme in ("light", "dark"):
            show(driver, page, width=WIDTH, height=HEIGHTS[name], theme=theme)
            if name == "report":
                driver.execute_script(_LOG)
            driver.save_screenshot(str(IMAGES / f"{name}-{theme}.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
