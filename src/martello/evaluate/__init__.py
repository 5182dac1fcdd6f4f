"""How good on gold, with what certainty, on which slices, at which threshold?

Makes `OperatingPoint` (chosen on dev) and `Evaluation` (asked of gold). Takes scores as arrays, or as columns of a file
without a project: what made them is not its business. `ship` takes what it makes.
"""

from martello.evaluate.assess import evaluate_on_gold
from martello.evaluate.shipped import Shipped
from martello.evaluate.threshold import choose_operating_point
from martello.evaluate.units import GoldUnits
from martello.evaluate.worst import worst_slices

__all__ = ["GoldUnits", "Shipped", "choose_operating_point", "evaluate_on_gold", "worst_slices"]
