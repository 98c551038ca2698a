"""Real data sets, read without a network."""

from labtorch.datasets.classification import BreastCancer, Digits, Iris, Wine
from labtorch.datasets.diabetes import FEATURES, Diabetes, diabetes

__all__ = ["FEATURES", "BreastCancer", "Diabetes", "Digits", "Iris", "Wine", "diabetes"]
