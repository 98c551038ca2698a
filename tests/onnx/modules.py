"""A sample of each module of labtorch.nn: how it is made, and its inputs for a batch of n."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import labtorch as torch
from labtorch import nn
from tests.onnx.agreement import floats, integers

Sample = tuple[Callable[[], Any], Callable[[int], tuple]]
SAMPLES: dict[str, list[Sample]] = {}


def sample(name: str, inputs: Callable[[int], tuple], *args: Any, **kwargs: Any) -> None:
    """One more sample of `nn.<name>(*args, **kwargs)`."""
    SAMPLES.setdefault(name, []).append((lambda: getattr(nn, name)(*args, **kwargs), inputs))


def shaped(*shape: int) -> Callable[[int], tuple]:
    return lambda n: (floats(n, *shape),)


def positive(*shape: int) -> Callable[[int], tuple]:
    return lambda n: (floats(n, *shape).sigmoid(),)


row, line, image, volume = shaped(6), shaped(4, 12), shaped(4, 8, 10), shaped(2, 6, 7, 5)

# -------------------------------------------------------------------- linear, embedding, shape
sample("Linear", row, 6, 3)
sample("Linear", row, 6, 3, bias=False)
sample("Linear", shaped(5, 6), 6, 3)
sample("LazyLinear", row, 3)
sample("Bilinear", lambda n: (floats(n, 3), floats(n, 4, seed=1)), 3, 4, 2)
sample("Identity", row)
sample("Flatten", image)
sample("Flatten", image, 2, -1)
sample("Unflatten", row, 1, (2, 3))
sample("Embedding", lambda n: (integers(9, n, 5),), 9, 4)
sample("Embedding", lambda n: (integers(9, n, 5),), 9, 4, padding_idx=0)
sample("EmbeddingBag", lambda n: (integers(9, n, 5),), 9, 4, mode="mean")
sample("EmbeddingBag", lambda n: (integers(9, n, 5),), 9, 4, mode="sum")
sample("EmbeddingBag", lambda n: (integers(9, n, 5),), 9, 4, mode="max")
sample("EmbeddingBag", lambda n: (integers(9, n, 5),), 9, 4, mode="max", padding_idx=0)
sample("EmbeddingBag", lambda n: (integers(9, n, 5),), 9, 4, mode="mean", padding_idx=0)
sample("PixelShuffle", image, 2)
sample("PixelUnshuffle", image, 2)
sample("ChannelShuffle", image, 2)

# -------------------------------------------------------------------- activations
for name in (
    *("CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU"),
    *("LogSigmoid", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid"),
    *("Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "GLU"),
):
    sample(name, row)
sample("GELU", row, approximate="tanh")
sample("PReLU", image, 4)
sample("Softplus", row, beta=2.0, threshold=1.0)
sample("Threshold", row, 0.1, 20.0)
for name in ("Softmax", "LogSoftmax", "Softmin"):
    sample(name, row, dim=1)
    sample(name, image, dim=2)
sample("Softmax2d", image)
for name in ("Dropout", "AlphaDropout", "FeatureAlphaDropout"):
    sample(name, row)
sample("Dropout1d", line)
sample("Dropout2d", image)
sample("Dropout3d", volume)

# -------------------------------------------------------------------- convolutions
for lazy, first in (("", (4,)), ("Lazy", ())):
    sample(f"{lazy}Conv1d", line, *first, 6, 3)
    sample(f"{lazy}Conv2d", image, *first, 6, 3)
    sample(f"{lazy}Conv3d", shaped(4, 5, 6, 7), *first, 2, 3)
    sample(f"{lazy}ConvTranspose1d", line, *first, 6, 3, stride=2)
    sample(f"{lazy}ConvTranspose2d", image, *first, 6, 3, stride=2, output_padding=1)
    sample(f"{lazy}ConvTranspose3d", shaped(4, 3, 4, 3), *first, 2, 2)
sample("Conv1d", line, 4, 6, 4, stride=2, padding=1, dilation=2)
sample("Conv1d", line, 4, 6, 4, padding="same")
sample("Conv2d", image, 4, 8, (3, 2), stride=(2, 1), padding=(1, 2), groups=4, bias=False)
sample("Conv2d", image, 4, 6, 3, padding=1, padding_mode="reflect")
sample("Conv2d", image, 4, 6, 3, padding=1, padding_mode="circular")
sample("ConvTranspose2d", image, 4, 6, 3, padding=1, groups=2, dilation=2)
sample("Unfold", image, (2, 3), padding=1, stride=2)
sample("Fold", shaped(4 * 6, 16), (5, 6), (2, 3))

# -------------------------------------------------------------------- pooling
for n, each in ((1, line), (2, image), (3, volume)):
    sample(f"MaxPool{n}d", each, 2)
    sample(f"MaxPool{n}d", each, 3, stride=2, padding=1, ceil_mode=True)
    sample(f"MaxPool{n}d", each, 2, return_indices=True)
    sample(f"AvgPool{n}d", each, 2)
    sample(f"AvgPool{n}d", each, 3, stride=2, padding=1, count_include_pad=False)
    sample(f"AvgPool{n}d", each, 3, stride=2, padding=1, ceil_mode=True)
    for out in (1, 2, 3):
        sample(f"AdaptiveAvgPool{n}d", each, out)
        sample(f"AdaptiveMaxPool{n}d", each, out)
    sample(f"LPPool{n}d", each, 2, 2)
sample("MaxPool2d", image, 2, dilation=2)
sample("AvgPool2d", image, 2, divisor_override=3)
sample("AdaptiveAvgPool2d", image, (None, 5))
sample("AdaptiveMaxPool2d", image, 2, return_indices=True)


class Unpooled(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.pool = getattr(nn, f"MaxPool{n}d")(2, return_indices=True)
        self.unpool = getattr(nn, f"MaxUnpool{n}d")(2)

    def forward(self, x: Any) -> Any:
        return self.unpool(*self.pool(x))


for n, shape in ((1, (4, 12)), (2, (4, 8, 10)), (3, (2, 6, 4, 2))):
    SAMPLES[f"MaxUnpool{n}d"] = [(lambda n=n: Unpooled(n), shaped(*shape))]  # type: ignore[misc]

# -------------------------------------------------------------------- padding, resampling
for n, each in ((1, line), (2, image), (3, volume)):
    for kind in ("Reflection", "Replication", "Circular", "Zero"):
        sample(f"{kind}Pad{n}d", each, 2)
        sample(f"{kind}Pad{n}d", each, tuple(range(2 * n))[::-1] if kind == "Zero" else (1, 2) * n)
    sample(f"ConstantPad{n}d", each, 1, 2.5)
sample("ZeroPad2d", image, (-1, 2, 1, -2))
sample("Upsample", image, scale_factor=2)
sample("Upsample", line, scale_factor=2, mode="linear")
sample("Upsample", image, scale_factor=1.5, mode="bilinear")
sample("Upsample", image, size=(5, 17), mode="bilinear", align_corners=True)
sample("Upsample", image, scale_factor=2, mode="bicubic")
sample("Upsample", volume, scale_factor=2, mode="trilinear")
sample("UpsamplingNearest2d", image, scale_factor=2)
sample("UpsamplingBilinear2d", image, scale_factor=2)

# -------------------------------------------------------------------- normalisation
for lazy, four, two in (("", (4,), (2,)), ("Lazy", (), ())):
    for kind in ("BatchNorm", "InstanceNorm"):
        sample(f"{lazy}{kind}1d", line, *four)
        sample(f"{lazy}{kind}2d", image, *four)
        sample(f"{lazy}{kind}3d", volume, *two)
sample("BatchNorm1d", row, 6)
sample("BatchNorm2d", image, 4, affine=False)
sample("BatchNorm2d", image, 4, track_running_stats=False)
sample("SyncBatchNorm", image, 4)
sample("InstanceNorm2d", image, 4, affine=True, track_running_stats=True)
sample("InstanceNorm2d", image, 4, affine=True)
sample("LayerNorm", row, 6)
sample("LayerNorm", image, (8, 10), elementwise_affine=False)
sample("LayerNorm", image, (4, 8, 10), bias=False)
sample("RMSNorm", row, 6)
sample("RMSNorm", image, (8, 10), elementwise_affine=False, eps=1e-3)
sample("GroupNorm", image, 2, 4)
sample("GroupNorm", line, 4, 4, affine=False)
sample("LocalResponseNorm", image, 3)


# -------------------------------------------------------------------- recurrent
def states(name: str, *shape: int) -> Any:
    """What a recurrent layer starts from: a state, or two of an LSTM."""
    one = floats(*shape, seed=1)
    return (one, -one) if name.startswith("LSTM") else one


for name in ("RNN", "GRU", "LSTM"):
    sample(name, shaped(5, 6), 6, 3, batch_first=True)
    sample(name, lambda n: (floats(5, n, 6),), 6, 3, 2, bidirectional=True)
    sample(name, shaped(5, 6), 6, 3, 2, bias=False, batch_first=True, dropout=0.5)
    with_states = lambda n, name=name: (floats(n, 5, 6), states(name, 2, n, 3))  # noqa: E731
    sample(name, with_states, 6, 3, 2, batch_first=True)
    sample(f"{name}Cell", row, 6, 3)
    of_cell = lambda n, name=name: (floats(n, 6), states(name, n, 3))  # noqa: E731
    sample(f"{name}Cell", of_cell, 6, 3, bias=False)
sample("RNN", shaped(5, 6), 6, 3, nonlinearity="relu", batch_first=True)
sample("RNNCell", row, 6, 3, nonlinearity="relu")

# -------------------------------------------------------------------- attention, transformers
tokens = shaped(5, 8)
twice = lambda n: (floats(n, 5, 8), floats(n, 3, 8, seed=1))  # noqa: E731
sample("MultiheadAttention", lambda n: (floats(n, 5, 8),) * 3, 8, 2, batch_first=True)
sample("MultiheadAttention", lambda n: (floats(5, n, 8), *(floats(3, n, 8),) * 2), 8, 2, bias=False)
sample(
    "MultiheadAttention",
    lambda n: (floats(n, 5, 8), floats(n, 3, 6), floats(n, 3, 4)),
    *(8, 2),
    kdim=6,
    vdim=4,
    batch_first=True,
)
sample(
    "MultiheadAttention",
    lambda n: (*(floats(n, 5, 8),) * 3, integers(2, n, 5) * torch.tensor([0, 1, 1, 1, 1]) > 0),
    *(8, 2),
    batch_first=True,
)
small = {"dim_feedforward": 16, "batch_first": True}
sample("TransformerEncoderLayer", tokens, 8, 2, **small)
sample("TransformerEncoderLayer", tokens, 8, 2, activation="gelu", norm_first=True, **small)
sample("TransformerDecoderLayer", twice, 8, 2, **small)
sample("TransformerDecoderLayer", twice, 8, 2, norm_first=True, **small)
sample("Transformer", twice, 8, 2, 2, 1, **small)
SAMPLES["TransformerEncoder"] = [
    (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, **small), 2), tokens)
]
SAMPLES["TransformerDecoder"] = [
    (
        lambda: nn.TransformerDecoder(
            nn.TransformerDecoderLayer(8, 2, **small), 2, nn.LayerNorm(8)
        ),
        twice,
    )
]

# -------------------------------------------------------------------- losses and distances
pair = lambda n: (floats(n, 6), floats(n, 6, seed=1))  # noqa: E731
classes = lambda n: (floats(n, 6), integers(6, n))  # noqa: E731
shares = lambda n: (floats(n, 6).sigmoid(), floats(n, 6, seed=1).sigmoid())  # noqa: E731
signs = lambda n: integers(2, n) * 2.0 - 1  # noqa: E731
three = lambda n: tuple(floats(n, 6, seed=i) for i in range(3))  # noqa: E731
for reduction in ("mean", "sum", "none"):
    for name in ("L1Loss", "MSELoss", "HuberLoss", "SmoothL1Loss"):
        sample(name, pair, reduction=reduction)
    sample("CrossEntropyLoss", classes, reduction=reduction)
    sample("BCELoss", shares, reduction=reduction)
    sample("BCEWithLogitsLoss", lambda n: (floats(n, 6), shares(n)[1]), reduction=reduction)
    sample("NLLLoss", lambda n: (floats(n, 6).log_softmax(1), integers(6, n)), reduction=reduction)
sample("CrossEntropyLoss", lambda n: (floats(n, 3, 4), integers(3, n, 4)))
sample("CrossEntropyLoss", classes, weight=floats(6).exp(), label_smoothing=0.1, ignore_index=2)
sample("CrossEntropyLoss", lambda n: (floats(n, 6), floats(n, 6, seed=1).softmax(1)))
sample("BCELoss", shares, weight=floats(6).exp())
sample("BCEWithLogitsLoss", shares, pos_weight=floats(6).exp(), weight=floats(6).exp())
sample("NLLLoss", lambda n: (floats(n, 3, 2, 2), integers(3, n, 2, 2)), weight=floats(3).exp())
sample("KLDivLoss", lambda n: (floats(n, 6), shares(n)[1]), reduction="batchmean")
sample("KLDivLoss", pair, log_target=True, reduction="sum")
sample("HuberLoss", pair, delta=0.3)
sample("SmoothL1Loss", pair, beta=0.0)
sample("PoissonNLLLoss", lambda n: (floats(n, 6), shares(n)[1]))
sample("PoissonNLLLoss", shares, log_input=False, full=True)
sample("GaussianNLLLoss", lambda n: (*pair(n), floats(n, 6, seed=2).exp()))
sample("SoftMarginLoss", lambda n: (floats(n), signs(n)))
sample("HingeEmbeddingLoss", lambda n: (floats(n), signs(n)))
sample("MarginRankingLoss", lambda n: (floats(n), floats(n, seed=1), signs(n)), margin=0.5)
sample("CosineEmbeddingLoss", lambda n: (*pair(n), signs(n)), margin=0.1)
sample("MultiMarginLoss", classes)
sample("MultiMarginLoss", classes, p=2, margin=0.5, weight=floats(6).exp())
sample("MultiLabelMarginLoss", lambda n: (floats(n, 4), integers(5, n, 4) - 1))
sample("MultiLabelSoftMarginLoss", lambda n: (floats(n, 6), integers(2, n, 6) * 1.0))
sample("TripletMarginLoss", three)
sample("TripletMarginLoss", three, swap=True, p=1.0)
sample("TripletMarginWithDistanceLoss", three)
sample("CosineSimilarity", pair)
sample("PairwiseDistance", pair)
sample("PairwiseDistance", pair, p=1.0, keepdim=True)

# -------------------------------------------------------------------- containers
sample("Sequential", row, nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))
sample("DataParallel", row, nn.Linear(6, 3))


class Contained(nn.Module):
    """A model that keeps what it computes with in containers."""

    def __init__(self) -> None:
        super().__init__()
        self.list = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])
        self.dict = nn.ModuleDict({"relu": nn.ReLU(), "norm": nn.LayerNorm(6)})
        self.scales = nn.ParameterList([torch.ones(6) * 2, torch.ones(6) * 3])
        self.shifts = nn.ParameterDict({"a": torch.ones(6)})

    def forward(self, x: Any) -> Any:
        for layer, scale in zip(self.list, self.scales):
            x = self.dict["relu"](layer(x)) * scale
        return self.dict["norm"](x + self.shifts["a"])


for name in ("Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"):
    SAMPLES[name] = [(Contained, row)]
