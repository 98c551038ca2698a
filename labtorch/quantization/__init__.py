"""Eight-bit models: observers, scales and zero points, int8 modules, training for them."""
