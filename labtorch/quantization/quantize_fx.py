"""Not here: PyTorch's graph mode, which traces a model before it quantizes it."""

raise ImportError(
    "labtorch traces no graphs, so there is no quantize_fx: in eager mode, quantization.prepare() "
    "and convert() do the same for a model with a QuantStub and a DeQuantStub at its ends, "
    "fuse_modules() for its conv-bn-relu, and FloatFunctional for its sums"
)
