"""What tests share: where real data lie, and how a small project is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """Real data that the repository carries."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Give the path of a set that may not be carried; skip where it is not there."""

    def path(name: str) -> Path:
        found = SHARED / name / f"{name}.parquet"
        if not found.exists():
            pytest.skip(f"{name} may not be carried in the repository and is not at {found}")
        return found

    return path
