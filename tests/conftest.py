"""What tests share: where real data lie, and a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """Real data that the repository carries."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def shared() -> Callable[..., Path]:
    """Give the path of a set that may not be carried, or of one of its tables; skip where it is not there."""

    def path(name: str, table: str | None = None) -> Path:
        found = SHARED / name / f"{table or name}.parquet"
        if not found.exists():
            pytest.skip(f"{name} may not be carried in the repository and is not at {found}")
        return found

    return path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser; of one module, since the driver's event loop must not outlive it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
