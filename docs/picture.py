"""Take the picture of the report that the README shows: `python -m docs.picture REPORT.html` (needs Chromium)."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


def main(report: Path) -> None:
    """Write docs/report.png from a report."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1200, "height": 1180}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.screenshot(path=Path(__file__).with_name("report.png"))
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
