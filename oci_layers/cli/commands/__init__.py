"""The verbs of the command, a module each: arguments in, calls of the public API, text or JSON out."""
