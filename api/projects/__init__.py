"""The projects that an API key may see."""
