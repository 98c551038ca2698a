"""The checks of the chapters' exercises: properties of an answer, and what to say if one fails."""
