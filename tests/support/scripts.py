"""Programs of a few lines that run in a process of their own, to be interrupted at any moment."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def unmeasured():
    """The environment of a process that will be interrupted: measuring coverage takes locks of its own for good."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def run_script(text, *arguments):
    """Run Python text and return its exit code, what it printed, and its errors; two minutes are enough."""
    command = [sys.executable, "-c", text, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=unmeasured())
    return ran.returncode, ran.stdout, ran.stderr
