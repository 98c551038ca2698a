"""One file per family; each op: forward, rule and formulas, side by side."""
