"""The ops, one file per family: each op's forward, its rules and their formulas side by side."""

import importlib as _importlib
import pkgutil as _pkgutil

for _family in _pkgutil.iter_modules(__path__, __name__ + "."):  # so that `@public` hears of all
    _importlib.import_module(_family.name)
