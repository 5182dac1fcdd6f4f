"""Did the agreed product metric move?

Makes `Experiment`: the online metric over decisions and what followed, with its interval, beside what gold promised.
Takes what `serve` logged; `iterate` takes what it makes. Power, arms and the running watch are not here yet.
"""

from martello.experiment.promise import compare_with_promise

__all__ = ["compare_with_promise"]
