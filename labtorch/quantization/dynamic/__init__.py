"""Modules with quantized weights that take and give floats: `torch.ao.nn.quantized.dynamic`."""

from labtorch.quantization.dynamic.linear import Linear, LinearReLU
from labtorch.quantization.dynamic.rnn import GRU, LSTM, GRUCell, LSTMCell, RNNCell
