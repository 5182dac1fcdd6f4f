from __future__ import annotations

import pytest
from running_server import start_server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all tests of a file that leave it as it is."""
    with start_server(tmp_path_factory.mktemp("log")) as running:
        yield running
