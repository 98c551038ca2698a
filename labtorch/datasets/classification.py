"""Small real data sets for classification, out of scikit-learn: no network is needed.

Digits: Alpaydin and Kaynak (1998), 1,797 hand-written digits. Iris: Fisher (1936). Wine: Forina et
al. (1988). Breast cancer: Wolberg, Street, Mangasarian (1995). All by way of the UCI repository.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from labtorch.data import Dataset
from labtorch.tensor.creation import tensor
from labtorch.tensor.random import Generator, randperm
from labtorch.tensor.tensor import Tensor


class Samples(Dataset):
    """Features and class numbers: `dataset[i]` is (x, class), as `transform` makes of it.

    `x` holds all features as float32, `y` all classes as int64, `classes` their names. With
    `train` True or False only the part for training (80 %), or the rest, drawn once by a fixed
    seed: every run has the same split.
    """

    name = ""
    shape: tuple[int, ...] = ()  # of one sample, where it is not a row
    scale = 1.0

    def __init__(
        self,
        train: bool | None = None,
        transform: Callable[[Tensor], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        try:
            from sklearn import datasets
        except ImportError:
            raise ImportError(
                f"{type(self).__name__} comes with scikit-learn, which is not installed; install "
                "it with `pip install labtorch[lab]`"
            ) from None
        loaded = getattr(datasets, f"load_{self.name}")()
        x = (loaded.data / self.scale).astype(np.float32)
        self.x: Tensor = tensor(x.reshape(len(x), *(self.shape or (-1,))))
        self.y: Tensor = tensor(loaded.target.astype(np.int64))
        self.classes = [str(each) for each in loaded.target_names]
        self.transform, self.target_transform = transform, target_transform
        if train is not None:
            order: Any = randperm(len(x), generator=Generator().manual_seed(0))
            cut = len(x) * 4 // 5
            part = order[:cut] if train else order[cut:]
            self.x, self.y = self.x[part], self.y[part]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        x, y = self.x[index], self.y[index]
        if self.transform is not None:
            x = self.transform(x)
        return x, y if self.target_transform is None else self.target_transform(y)

    def __repr__(self) -> str:
        of = "" if not self.shape else f" of shape {self.shape}"
        return f"{type(self).__name__}: {len(self)} samples{of}, {len(self.classes)} classes"


class Digits(Samples):
    """1,797 hand-written digits, 8 x 8 grey values from 0 to 1, with one channel."""

    name, shape, scale = "digits", (1, 8, 8), 16.0


class Iris(Samples):
    """150 irises of 3 kinds: length and width of sepals and petals, in cm."""

    name = "iris"


class Wine(Samples):
    """178 wines of 3 growers: 13 chemical measurements."""

    name = "wine"


class BreastCancer(Samples):
    """569 tumours, malignant (0) or benign (1): 30 measurements of cell nuclei."""

    name = "breast_cancer"
