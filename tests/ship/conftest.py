"""The hand-written round of the loop lies with the tests of the report; the cards are written from the same one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "web"))
