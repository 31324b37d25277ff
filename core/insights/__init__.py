"""What insights need before they become SQL: formulas over series, patterns of page paths."""
