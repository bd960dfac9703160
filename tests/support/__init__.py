"""Tiny languages that tests are written in: `layers` declares layers and images, `trees` what they make."""
