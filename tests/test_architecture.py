"""Imports run one way and without circles, only the HTTP layer knows Starlette, and an import has no effect.

Imports inside functions and under `if TYPE_CHECKING` make no circle at run time: the circle tests leave them out, the others do not.
"""

import ast
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from settings import ROOT

# A module imports from its own layer or a lower one. Commands are on top: every __main__, and former spellings of commands.
LAYERS = {"errors": 0, "schemas": 1, "settings": 2, "voice": 3, "web": 4, "adapters": 5, "app": 6}
COMMANDS = {"auth", "voice.compiled", "voice.explain", "voice.models"}
HTTP = {"app", "web", "adapters"}


class Import(NamedTuple):
    """An imported module; `is_deferred`: not at run time of the module's own import."""

    module: str
    is_deferred: bool


def name_of(path: Path) -> str:
    """Return the dotted name of a module of the repository."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {
    name_of(path): path
    for pattern in ("*.py", "web/**/*.py", "adapters/**/*.py", "voice/**/*.py")
    for path in sorted(ROOT.glob(pattern))
    if path.is_file()
}


def imports_of(node: ast.AST, *, is_deferred: bool = False) -> Iterator[Import]:
    """Find the imports of a syntax tree; those of names from a package are resolved to modules where they are some."""
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, is_deferred) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.module
        assert node.level == 0, "relative imports are not resolved here"
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            yield Import(module if module in PATHS else node.module, is_deferred)
    is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in ast.iter_child_nodes(node):
        yield from imports_of(child, is_deferred=is_deferred or is_function or is_for_types)


IMPORTS = {name: set(imports_of(ast.parse(path.read_text(encoding="utf-8")))) for name, path in PATHS.items()}
GRAPH = {name: {found.module for found in imports if found.module in PATHS and not found.is_deferred} for name, imports in IMPORTS.items()}


def layer_of(module: str) -> int:
    """Return the layer of a module of the repository."""
    is_command = module in COMMANDS or module.endswith("__main__")
    return max(LAYERS.values()) if is_command else LAYERS[module.partition(".")[0]]


def package_of(module: str) -> str:
    """Return the package of a module: the subject, below voice."""
    return ".".join(module.split(".")[: 2 if module.startswith("voice.") else 1])


def reachable_from(module: str) -> set[str]:
    """Return the modules that the import of a module imports, directly or not."""
    found: set[str] = set()
    ahead = {module}
    while ahead:
        found |= ahead
        ahead = set().union(*(GRAPH[each] for each in ahead)) - found
    return found


def circle_of(graph: Mapping[str, set[str]]) -> list[str]:
    """Return a circle of a graph, or none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_every_module_has_a_layer() -> None:
    assert {module.partition(".")[0] for module in PATHS.keys() - COMMANDS} <= LAYERS.keys()


def test_the_imports_of_a_module_are_found() -> None:
    tree = ast.parse("import errors\nfrom web import server\nif TYPE_CHECKING:\n    import app\ndef f():\n    from schemas import Menu\n")
    assert list(imports_of(tree)) == [
        Import("errors", is_deferred=False),
        Import("web.server", is_deferred=False),
        Import("app", is_deferred=True),
        Import("schemas", is_deferred=True),
    ]


def test_a_circle_is_found() -> None:
    assert circle_of({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert sorted(set(circle_of({"a": {"b"}, "b": {"c"}, "c": {"b"}}))) == ["b", "c"]


@pytest.mark.parametrize("module", PATHS)
def test_a_module_imports_no_higher_layer(module: str) -> None:
    ours = {found.module for found in IMPORTS[module] if found.module in PATHS}
    assert {imported for imported in ours if layer_of(imported) > layer_of(module)} == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert " -> ".join(circle_of(GRAPH)) == ""


def test_no_packages_import_each_other_in_a_circle() -> None:
    packages: dict[str, set[str]] = defaultdict(set)
    for module, imported in GRAPH.items():
        packages[package_of(module)] |= {package_of(other) for other in imported} - {package_of(module)}
    assert " -> ".join(circle_of(packages)) == ""


@pytest.mark.parametrize("module", [module for module in PATHS if module.partition(".")[0] not in HTTP])
def test_only_the_http_layer_imports_starlette(module: str) -> None:
    assert {found.module for found in IMPORTS[module] if found.module.partition(".")[0] == "starlette"} == set()


# --- Effects of an import -----------------------------------------------------------------------------------------------------------

# Imports the modules that are named, one after another, and prints what each did: {module: [effect, ...]}.
PROBE = """
import importlib, json, logging, os, signal, sys, threading

found, ready = [], False

def on_event(event, arguments):
    if not ready:
        return
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        found.append(f"opens {arguments[0]} for writing")
    elif event in {"os.mkdir", "os.rename", "os.remove", "subprocess.Popen", "os.fork", "socket.connect", "socket.bind"}:
        found.append(f"{event} {arguments}")

def on_call(frame, event, argument):
    if frame.f_code is settings.read_settings.__code__:
        found.append("reads the settings")

def process_state():
    loggers = {"root": logging.root} | {n: each for n, each in logging.root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    handlers = {name: len(each.handlers) for name, each in loggers.items() if set(each.handlers) - {logging.lastResort}}
    return {
        "handlers": {name: count for name, count in handlers.items() if name == "root" or name.partition(".")[0] in ours},
        "level": logging.root.level,
        "threads": threading.active_count(),
        "signals": [repr(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "excepthook": repr(sys.excepthook),
    }

modules = json.loads(sys.argv[1])
ours = {module.partition(".")[0] for module in modules}
import settings
sys.addaudithook(on_event)
effects = {}
for module in modules:
    found, before = [], process_state()
    ready = True
    sys.setprofile(on_call)
    importlib.import_module(module)
    sys.setprofile(None)
    ready = False
    after = process_state()
    effects[module] = found + [f"changes {key}: {after[key]}" for key in before if after[key] != before[key]]
print(json.dumps(effects))
"""


@pytest.fixture(scope="module")
def effects() -> dict[str, list[str]]:
    """Import every module but app in a process with an empty environment; a module follows those that it imports."""
    order = sorted(GRAPH.keys() - {"app"}, key=lambda module: len(reachable_from(module)))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-B", "-c", PROBE, json.dumps(order)], cwd=ROOT, env={}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("module", [module for module in PATHS if module != "app"])
def test_importing_a_module_has_no_effect(effects: dict[str, list[str]], module: str) -> None:
    assert effects[module] == []
