"""Take the pictures that the README shows, from the real pages (needs Chromium).

python -m docs.picture report REPORT.html     # docs/report.png
python -m docs.picture label                  # docs/label.png: reviews of tests/data, answered by a script
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from queue import Queue

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
HERE = Path(__file__).parent
REVIEWS = HERE.parent / "tests" / "data" / "womens_clothing_reviews_sample.parquet"
ANSWERED = 90  # gold answers behind the picture
SPEC = """
[task]
name = "recommend"
question = "Would this customer recommend it?"
[population]
source = "reviews.parquet"
unit = ["id"]
[input]
department = "category"
age = "integer"
title = { type = "text", optional = true }
review = "text"
[output]
from = "annotators"
classes = ["no", "yes"]
positive = "yes"
[requirement]
precision = 0.72
holds_for = "pool"
[label]
start = 150
choose = "random"
overlap = 0.0
show = { title = "line", review = "text" }
[sample]
gold = 0.5
[train]
learners = ["logistic"]
"""
GUIDELINES = """**Yes** when the customer keeps it gladly or says so to others, even if the size was not right.

**No** when it goes back, or is kept because returning is a bother.

Praise for the shop or the delivery does not count.
"""


def take(url: str, to: Path, size: tuple[int, int], *, wait_for: str | None = None) -> None:
    """Write what a browser shows."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme="light")
        page.goto(url)
        if wait_for is not None:
            page.wait_for_selector(wait_for)
        page.screenshot(path=to)
        browser.close()


def write_project(directory: Path) -> dict[str, str]:
    """Write the project of the labelling picture and give the answers, which it never sees."""
    table = pq.read_table(REVIEWS)
    table = table.filter(pc.is_valid(table["Review Text"]))
    ids = [f"review-{i}" for i in range(table.num_rows)]
    columns = {
        "id": ids, "department": table["Department Name"], "age": table["Age"], "title": table["Title"],
        "review": table["Review Text"],
    }  # fmt: skip
    reviews = pa.table(columns)
    pq.write_table(reviews.filter(pc.is_valid(reviews["department"])), directory / "reviews.parquet")
    (directory / "martello.toml").write_text(SPEC, encoding="utf-8")
    (directory / "guidelines.md").write_text(GUIDELINES, encoding="utf-8")
    return dict(zip(ids, ("yes" if each else "no" for each in table["Recommended IND"].to_pylist()), strict=True))


def label() -> None:
    """Label a project by script until gold is half known, and take the page."""
    import martello
    from martello.corridor.labeling import open_labeling, open_register
    from martello.label.contract import Submission
    from martello.web.app import create_app
    from martello.web.server import run

    with tempfile.TemporaryDirectory() as place:
        directory, number = Path(place), itertools.count()
        truth = write_project(directory)
        with martello.open(directory) as project:
            for most in (10_000, ANSWERED):
                room = open_labeling(project)
                for _ in range(most):
                    if not (handed := room.next("Ada", 1)):
                        break
                    unit, assignment = handed[0].view.unit, handed[0].assignment
                    sent = Submission(
                        submit_id=f"{next(number)}", assignment=assignment, unit=unit, act="label", answer=truth[unit]
                    )
                    room.submit("Ada", sent)
                if room.purpose == "training":
                    room.close()
            register, urls = open_register(project), Queue[str]()
            app = create_app(project=None, room=room, register=register)
            threading.Thread(target=run, args=(app,), kwargs={"port": 0, "ready": urls.put}, daemon=True).start()
            url = f"{urls.get()}/enter/{register.invite('Ada')}"
            take(url, HERE / "label.png", (1280, 700), wait_for="#stage[data-assignment]")
            room.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["label"]:
        label()
    else:
        take(Path(sys.argv[-1]).resolve().as_uri(), HERE / "report.png", (1200, 1180))
