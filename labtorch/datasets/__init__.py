"""Real data sets, read without a network."""

from labtorch.datasets.diabetes import FEATURES, Diabetes, diabetes

__all__ = ["FEATURES", "Diabetes", "diabetes"]
