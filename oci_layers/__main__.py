"""`python -m oci_layers`."""

from oci_layers.cli.main import run

if __name__ == "__main__":
    run()
