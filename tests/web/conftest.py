"""Real servers of a small campaign, and tabs of a real browser, for tests of the web face."""

from __future__ import annotations

from functools import wraps
from importlib import resources

import pytest
import vl_convert
from labeling_world import Served


@pytest.fixture(scope="session", autouse=True)
def drawn_once():
    """Draw equal pictures once: drawing is what a report costs."""
    draw, drawn = vl_convert.vegalite_to_svg, {}

    @wraps(draw)
    def remembering(spec, **options):
        if spec not in drawn:
            drawn[spec] = draw(spec, **options)
        return drawn[spec]

    vl_convert.vegalite_to_svg = remembering
    yield
    vl_convert.vegalite_to_svg = draw


@pytest.fixture
def serve(tmp_path):
    """Give a function that starts a campaign's server; all are stopped at the end."""
    started = []

    def start(**options) -> Served:
        started.append(Served(tmp_path / f"campaign-{len(started)}", options).start())
        return started[-1]

    yield start
    for served in started:
        served.stop()


_READ_OUTBOX = """() => new Promise((done, fail) => {
  const opening = indexedDB.open('martello-outbox', 1);
  opening.onerror = () => fail(opening.error);
  opening.onsuccess = () => {
    const asked = opening.result.transaction('acts').objectStore('acts').getAll();
    asked.onsuccess = () => { opening.result.close(); done(asked.result); };
  };
})"""


class Tab:
    """One page of a browser, with what it complained of and the few things people do."""

    def __init__(self, context) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.page.set_default_timeout(30_000)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )

    def enter(self, served: Served, name: str = "Ada", *, to: str = "/label") -> Tab:
        self.page.goto(served.link(name) if to == "/label" else f"{served.link(name)}?next={to}")
        self.page.wait_for_url(served.url + to)
        return self

    def unit(self) -> str:
        """Wait for a unit and say which assignment is shown."""
        self.page.wait_for_selector("#stage[data-assignment]")
        return self.page.get_attribute("#stage", "data-assignment")

    def press(self, key: str) -> str:
        """Press a key and wait for the next unit; say which assignment the key was about."""
        before = self.unit()
        self.page.keyboard.press(key)
        self.wait_for_another(before)
        return before

    def wait_for_another(self, before: str) -> None:
        """Wait until the page has gone on from an assignment."""
        self.page.wait_for_function(
            "before => document.querySelector('#stage').dataset.assignment !== before", arg=before
        )

    def wait_until_loaded(self, n: int = 4) -> None:
        """Wait until n units are here: the one shown and those behind it."""
        self.page.wait_for_function(
            """n => Object.keys(sessionStorage).some((name) =>
                 name.startsWith('martello units') && JSON.parse(sessionStorage[name]).queue.length >= n)""",
            arg=n,
        )

    def waiting(self) -> list[dict]:
        """Read what lies in the outbox, from the browser's own storage."""
        return self.page.evaluate(f"({_READ_OUTBOX})()")

    def wait_until_sent(self) -> None:
        """Wait until nothing waits."""
        self.page.evaluate(
            f"""async () => {{
                 for (let tries = 0; (await ({_READ_OUTBOX})()).length; tries += 1) {{
                   if (tries > 600) throw new Error('answers are still waiting');
                   await new Promise((again) => setTimeout(again, 50));
                 }}
               }}"""
        )

    def assert_fits_and_keeps_nobody_out(self, where: str = "") -> None:
        """Hold the page to every width, and to axe-core on a phone in light and on a desk in dark."""
        for width, scheme in ((390, "light"), (1024, None), (1440, "dark")):
            self.page.set_viewport_size({"width": width, "height": 900})
            if scheme is not None:
                self.page.emulate_media(color_scheme=scheme)
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, (where, width)
            assert scheme is None or self.violations() == [], (where, width, scheme)

    def violations(self) -> list[tuple[str, str]]:
        """Ask axe-core what keeps people out of this page."""
        axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate((resources.files(axe.__name__) / "axe.min.js").read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run()")["violations"]
        return [(each["id"], each["nodes"][0]["html"]) for each in found]


@pytest.fixture
def browse(chromium):
    """Give a function that opens a tab in a browser of its own, or in that of another tab."""
    contexts = []

    def open_tab(*, width: int = 1280, dark: bool = False, beside: Tab | None = None) -> Tab:
        if beside is not None:
            return Tab(beside.page.context)
        size = {"width": width, "height": 900}
        contexts.append(chromium.new_context(viewport=size, color_scheme="dark" if dark else "light"))
        return Tab(contexts[-1])

    yield open_tab
    for context in contexts:
        context.close()
