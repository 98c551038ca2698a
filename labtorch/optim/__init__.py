"""How a model learns: optimisers, one file each, and learning-rate schedules."""

from labtorch.optim import lr_scheduler
from labtorch.optim.adadelta import Adadelta
from labtorch.optim.adam import Adam, AdamW
from labtorch.optim.optimizer import Optimizer
from labtorch.optim.rmsprop import RMSprop
from labtorch.optim.sgd import SGD

__all__ = ["SGD", "Adadelta", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
