"""What is the answer for each unit?

Makes `Labels` from a column of the source: classes, their shares in the population, how many answers are missing.
Takes the sample; `train` and `evaluate` take what it makes. Annotators and outcomes as sources are not here yet.
"""

from martello.label.column import label_from_column

__all__ = ["label_from_column"]
