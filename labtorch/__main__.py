"""`python -m labtorch` is the command line."""

from labtorch.cli import main

if __name__ == "__main__":
    main()
