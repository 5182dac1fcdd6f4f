"""Public checks for plug-ins: what a learner must keep to, as functions a plug-in's own tests can call."""

from martello.testing.learners import check_learner

__all__ = ["check_learner"]
