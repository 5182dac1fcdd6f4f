from __future__ import annotations

from collections.abc import Iterator

import pytest

from engines import postgres_server


@pytest.fixture(scope="package")
def postgres() -> Iterator[str]:
    """Give the URL of an empty database of our own server."""
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with postgres_server.running() as url:
        yield url
