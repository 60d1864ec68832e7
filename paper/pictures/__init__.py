"""The standard figures, drawn from facts."""
