"""Did the agreed product metric move?

Makes `Experiment`: the online metric over decisions and what followed, with its interval, beside what gold promised.
Takes what `serve` logged; `iterate` takes what it makes. On files, without a project: `plan` says how long an
experiment takes, `verdict` judges one from sums or events, `offpolicy_file` says what another policy would have earned.
"""

from martello.experiment.promise import compare_with_promise

__all__ = ["compare_with_promise"]
