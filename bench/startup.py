"""What importing Martello and asking for help cost, as ratios to a bare interpreter, in one run.

Targets: `import martello` at most 3 times, `martello --help` at most 6 times a bare start. Writes
bench/results/startup.json.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from martello import __version__

RUNS = 21
COMMANDS = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "import martello": [sys.executable, "-c", "import martello"],
    "martello --help": [str(Path(sys.executable).with_name("martello")), "--help"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    for command in COMMANDS.values():
        seconds(command)  # warm the file cache
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(RUNS)]
    ratios = {name: sorted(each[name] / each["bare interpreter"] for each in rounds) for name in COMMANDS}
    result = {
        "what": "whole-process wall time as a ratio to a bare interpreter, paired within each round",
        "date": datetime.now(UTC).date().isoformat(),
        "martello": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "runs": RUNS,
        "bare_ms_median": round(1000 * statistics.median(each["bare interpreter"] for each in rounds), 1),
        "ratios": {
            name: {"median": round(statistics.median(found), 2), "low": round(found[0], 2), "high": round(found[-1], 2)}
            for name, found in ratios.items()
        },
    }
    text = json.dumps(result, indent=2)
    target = Path(__file__).parent / "results" / "startup.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
