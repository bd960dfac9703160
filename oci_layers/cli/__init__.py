"""The command line, which only calls the public API. `main` runs it; each verb has a module in `commands`."""
