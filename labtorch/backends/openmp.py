"""openmp is not asked for: NumPy brings the libraries that it computes with."""


def is_available() -> bool:
    return False
