"""Models as ONNX files, which other runtimes run: torch.onnx's names."""
