"""Recipes: small programs that people write with this library; the suite runs them on the image of the repository."""
