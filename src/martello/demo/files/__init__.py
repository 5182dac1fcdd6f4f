"""Is this your file? An order of files for whoever is about to open one, learned from the past of a git repository.

`recall_files` does everything for a repository on this disk. `commits` reads it, `task` makes moments and candidates,
`compute` the features that `features.toml` declares, `judge` the estimates, `wording` what is said. It stands beside
the corridor and puts rooms together: features computes, train orders, and the statistics judge.
"""

from __future__ import annotations

from martello.demo.files.recall import Recall, recall_files

__all__ = ["Recall", "recall_files"]
