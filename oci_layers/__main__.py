"""`python -m oci_layers`, and the command `oci-layers`.

Imports nothing at the top, so that Ctrl-C is caught while the modules of the command are imported.
"""

import sys

__all__ = ["run"]


def run() -> None:
    """Run the command line of this process, and exit."""
    try:
        from oci_layers.cli.main import run as run_command

        run_command()
    except KeyboardInterrupt:  # Before or after the work, which handles its own.
        sys.exit(130)


if __name__ == "__main__":
    run()
