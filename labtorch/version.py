"""Which labtorch this is, and what it was made with."""

__version__ = "0.1.0"
cuda = None
hip = None
debug = False
git_version = None
