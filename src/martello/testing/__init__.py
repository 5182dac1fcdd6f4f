"""Public checks for plug-ins: what a learner or an engine must keep to, as functions a plug-in's own tests can call."""

from martello.testing.engines import check_engine
from martello.testing.learners import check_learner

__all__ = ["check_engine", "check_learner"]
