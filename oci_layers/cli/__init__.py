"""The command line: calls of the public API, nothing more. `main` runs it, each verb has its module."""
