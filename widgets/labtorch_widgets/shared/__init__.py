"""What every view stands on: time, words, colour, formulas, the line to the browser."""
