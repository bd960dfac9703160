"""The architecture page that cannot go stale: ranks, purity, sizes, and a test file for every module."""

import ast
import functools
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "oci_layers"

RANKS = {
    "_empty": 0,
    "_closing": 0,
    "_lazy": 0,
    "_version": 0,
    "_text": -2,
    "_error": -1.5,
    "_path_error": -1.2,
    "_registry_error": -1.2,
    "errors": -1,
    "limits": 0,
    "report": 1.5,
    "progress": 1.6,
    "system": 1,
    "spec": 1,
    "tar": 1,
    "tree": 1,
    "blob": 2,
    "validation": 2,
    "layer": 2,
    "disk": 2,
    "windows": 2.5,
    "lint": 3,
    "verify": 3,
    "rules": 3,
    "registry": 3,
    "image": 4,
    "store": 5,
    "build": 5.5,
    "snapshot": 6,
    "testing": 6,
    "cli": 7,
    "__init__": 8,
    "__main__": 8,
}
# The oddities of rank: what layers are made of is tree and tar; what disks mirror is tree; neither knows the other.
STRANGERS = {
    ("disk", "layer"),
    ("layer", "disk"),
    ("blob", "layer"),
    ("blob", "disk"),
    ("disk", "blob"),
    ("layer", "blob"),
}
PURE = {"errors", "limits", "report", "spec", "tar", "tree", "layer", "windows"}
IMPURE_MODULES = {
    "asyncio",
    "glob",
    "io",
    "logging",
    "os",
    "pathlib",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
}
BANNED_CALLS = {"open", "print", "input", "exec", "eval"}
BANNED_TEXT = ("extractall(", "os.path.realpath", "shutil.rmtree", ".extract(")
MAX_LINES = 500
MAX_FUNCTION = 80

MODULES = sorted(PACKAGE.rglob("*.py"))


@functools.cache
def parsed(file):
    return ast.parse(file.read_text())


def room_of(file):
    parts = file.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


@functools.cache
def nodes(file):
    return list(ast.walk(parsed(file)))


def imports(file):
    """Yield the module of every import in a file, and what it takes of the package, wherever it stands."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module
            if node.module == "oci_layers":
                yield from (f"oci_layers.{alias.name}" for alias in node.names)


def identify(file):
    return str(file.relative_to(PACKAGE))


@pytest.mark.parametrize("file", MODULES, ids=identify)
def test_a_module_imports_only_lower_ranks_and_its_own_room(file):
    room = room_of(file)
    assert room in RANKS, f"{room} has no rank"
    for module in imports(file):
        if not module.startswith("oci_layers."):
            continue
        other = module.split(".")[1]
        if other == room:
            continue
        assert RANKS[other] < RANKS[room] or (RANKS[other] == RANKS[room] == 2 and (room, other) not in STRANGERS), (
            module
        )


@pytest.mark.parametrize("file", [file for file in MODULES if room_of(file) != "testing"], ids=identify)
def test_only_the_room_for_tests_needs_pytest_and_nothing_needs_that_room(file):
    if file == PACKAGE / "cli" / "commands" / "conformance.py":
        return  # The command for that room, which says so if the modules are missing.
    needed = set(imports(file))
    assert not {module.split(".")[0] for module in needed} & {"pytest", "_pytest", "hypothesis"}
    assert not {module for module in needed if module.split(".")[:2] == ["oci_layers", "testing"]}


def modules_needed(file, names):
    """Yield the modules of `names` that a file imports, or imports something from."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                if inside in names or node.module in names:
                    yield inside if inside in names else node.module


def test_no_module_needs_itself_in_the_end():
    """No circles, within a room either; imports for types alone count."""
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in MODULES}
    needs = {name: set(modules_needed(file, names)) for name, file in names.items()}
    while free := {name for name, others in needs.items() if not others & needs.keys()}:
        for name in free:
            del needs[name]
    assert not needs


@pytest.mark.parametrize("file", [file for file in MODULES if room_of(file) in PURE], ids=identify)
def test_a_pure_room_does_no_input_or_output(file):
    roots = {module.split(".")[0] for module in imports(file)}
    assert not roots & IMPURE_MODULES
    calls = {node.func.id for node in nodes(file) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not calls & BANNED_CALLS


@pytest.mark.parametrize("room", ["spec", "tar", "tree"])
def test_the_rooms_of_values_do_not_know_one_another(room):
    for file in (PACKAGE / room).glob("*.py"):
        for module in imports(file):
            assert module.split(".")[:2] not in [["oci_layers", other] for other in {"spec", "tar", "tree"} - {room}]


@pytest.mark.parametrize("file", [file for file in MODULES if room_of(file) not in {"system", "cli"}], ids=identify)
def test_only_the_system_module_makes_system_calls_on_files(file):
    if "os" not in set(imports(file)):
        return
    harmless = {"PathLike", "fspath", "fsencode", "fsdecode", "path", "sep", "strerror"}
    harmless |= {"stat_result", "major", "minor"}
    used = {
        node.attr
        for node in nodes(file)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    assert used <= harmless


@pytest.mark.parametrize("file", MODULES, ids=identify)
def test_modules_and_functions_fit_in_the_head(file):
    text = file.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    for node in nodes(file):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < MAX_FUNCTION, node.name
    assert not [banned for banned in BANNED_TEXT if banned in text]


@pytest.mark.parametrize("file", MODULES, ids=identify)
def test_a_module_says_what_it_is_for_and_what_it_exports(file):
    tree = parsed(file)
    assert ast.get_docstring(tree)
    assigned = [ast.unparse(target) for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    assert "__all__" in assigned or file.name in {"__main__.py", "_version.py"} or room_of(file) == "cli"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a checkout says what belongs to the repository")
def test_the_top_of_the_repository_holds_only_what_is_meant_to_be_there():
    # What users put beside it, such as an unpacked image, is theirs.
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    folders = {name.partition("/")[0] for name in listed.split("\0") if "/" in name and not name.startswith(".")}
    assert folders == {"oci_layers", "tests", "schemas", "benchmarks"}
