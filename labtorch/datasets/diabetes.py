"""Diabetes: how the disease went on in a year, from ten measurements of 442 patients.

Source: Efron, Hastie, Johnstone, Tibshirani, "Least Angle Regression", Annals of Statistics 32
(2004); the file is scikit-learn's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labtorch.tensor.creation import tensor
from labtorch.tensor.tensor import Tensor

FEATURES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


class Diabetes(NamedTuple):
    """442 patients: `x` (442, 10) in the order of `FEATURES`, `y` (442, 1)."""

    x: Tensor
    y: Tensor


def diabetes(standardise: bool = False) -> Diabetes:
    """The data as float32 tensors.

    `x`: age in years, sex (1 or 2), body mass index in kg/m^2, mean blood pressure in mm Hg, and
    six blood serum values; `y`: a score of the disease's progression, from 25 to 346. With
    `standardise`, every column of `x`, and `y`, has mean 0 and variance 1.
    """
    try:
        from sklearn.datasets import load_diabetes
    except ImportError:
        raise ImportError(
            "the diabetes data come with scikit-learn, which is not installed; "
            "install it with `pip install labtorch[lab]`"
        ) from None
    loaded = load_diabetes(scaled=False)
    x, y = loaded.data, loaded.target.reshape(-1, 1)
    if standardise:
        x, y = (_standardised(each) for each in (x, y))
    return Diabetes(tensor(x.astype(np.float32)), tensor(y.astype(np.float32)))


def _standardised(a: np.ndarray) -> np.ndarray:
    return (a - a.mean(0)) / a.std(0)
