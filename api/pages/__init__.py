"""The page, its files and the API's documentation, with the headers that keep them safe."""
