"""How good on gold, with what certainty, on which slices, at which threshold?

Makes `OperatingPoint` (chosen on dev) and `Evaluation` (asked of gold). Takes scores as arrays: what made them is not
its business. `ship` takes what it makes.
"""

from martello.evaluate.assess import GoldUnits, evaluate_on_gold
from martello.evaluate.threshold import choose_operating_point

__all__ = ["GoldUnits", "choose_operating_point", "evaluate_on_gold"]
