"""Real programs `docker-credential-NAME`, which keep what they know in a file."""

import json
import sys

PROGRAM = """#!{python} -ISs
import json, sys
place = {place!r}
with open(place) as file:
    known = json.load(file)
text = sys.stdin.read()
with open(place + ".log", "a") as file:
    file.write(sys.argv[1] + " " + (text if sys.argv[1] != "store" else "") + "\\n")
if sys.argv[1] == "store":
    entry = json.loads(text)
    known[entry["ServerURL"]] = [entry["Username"], entry["Secret"]]
elif text not in known:
    print("credentials not found in native keychain")
    sys.exit(1)
elif sys.argv[1] == "erase":
    del known[text]
else:
    username, secret = known[text]
    print(json.dumps({{"ServerURL": text, "Username": username, "Secret": secret}}))
with open(place, "w") as file:
    json.dump(known, file)
"""


class CredentialHelper:
    """A program in a directory, and what it keeps."""

    def __init__(self, directory, name="test", **known):
        self.name = name
        self.environ = {"PATH": f"{directory}:/usr/bin:/bin", "HOME": str(directory)}
        self._place = directory / f"{name}.json"
        self._place.write_text(json.dumps(known))
        script(directory, name, PROGRAM.format(python=sys.executable, place=str(self._place)))

    @property
    def known(self):
        """What it keeps: servers with user and secret."""
        return json.loads(self._place.read_text())

    @property
    def asked(self):
        """How it was called: a verb and a server each."""
        log = self._place.with_name(f"{self._place.name}.log")
        return log.read_text().splitlines() if log.exists() else []


def script(directory, name, text):
    """Make a program of a text, and return the environment that finds it."""
    program = directory / f"docker-credential-{name}"
    program.write_text(text)
    program.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin", "HOME": str(directory)}
