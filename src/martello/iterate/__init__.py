"""What next: more data, other features, another algorithm, or stop?

Makes `Advice` from three measured arms. Takes the losses of refitted models on dev; how they are refitted is handed to
it.
"""

from martello.iterate.advise import advise
from martello.iterate.arms import DevUnits, Refit, algorithm_arm, features_arm, labels_arm

__all__ = ["DevUnits", "Refit", "advise", "algorithm_arm", "features_arm", "labels_arm"]
