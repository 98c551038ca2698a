"""Engines of quantized models: which is chosen changes nothing here, all integers are exact."""

supported_engines = ["qnnpack", "onednn", "x86", "fbgemm"]
engine = "x86"
