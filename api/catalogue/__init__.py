"""The catalogue: which events and properties there are, and what people say they mean."""
