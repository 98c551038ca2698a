"""Names only: this module is `labtorch.quantization`."""

import sys

# `import labtorch.ao.quantization.observer` finds the one module there is, not a second copy
for _name, _module in list(sys.modules.items()):
    if _name.startswith("labtorch.quantization"):
        sys.modules[_name.replace("labtorch", "labtorch.ao", 1)] = _module
