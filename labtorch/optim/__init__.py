"""How a model learns: optimisers, one file each, and learning-rate schedules."""

from labtorch.optim import lr_scheduler
from labtorch.optim.adadelta import Adadelta
from labtorch.optim.adafactor import Adafactor
from labtorch.optim.adagrad import Adagrad
from labtorch.optim.adam import Adam, AdamW
from labtorch.optim.adamax import Adamax
from labtorch.optim.asgd import ASGD
from labtorch.optim.lbfgs import LBFGS
from labtorch.optim.nadam import NAdam
from labtorch.optim.optimizer import Optimizer
from labtorch.optim.radam import RAdam
from labtorch.optim.rmsprop import RMSprop
from labtorch.optim.rprop import Rprop
from labtorch.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
]
