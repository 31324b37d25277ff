"""The projects that whoever asks may see, and their settings."""
