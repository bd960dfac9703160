"""The verbs of the command, one module each: parse arguments, call the public API, print text or JSON."""
