"""The compiled order engine: it runs in place of its sources, gives the same orders, and is stale after a change of them."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings import ROOT
from tests.test_container import copied
from voice.orders import compiled

PROGRAM = """
import json, sys
from itertools import groupby
from operator import attrgetter
from voice.orders.corpus import sentences
from voice.orders.parser.model import Model
from voice.orders.parser.parser import Parser

orders = []
for name in ("en1", "vi1"):
    for _, examples in groupby(sentences(name), key=attrgetter("menu.id")):
        examples = list(examples)
        parser = Parser(examples[0].menu, Model.load())
        parses = [parser.parse(example.utterance, example.lines)[0] for example in examples]
        orders += [[sorted(parse.features().items()), parse.cost] for parse in parses]
print(json.dumps([sys.modules["voice.orders.parser.parser"].__file__, orders]))
"""


def run_in(directory: Path, *arguments: str) -> str:
    """Run Python in a directory, from which it imports, and return its output."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, *arguments],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources() -> list[Path]:
    """Return the files that the engine needs to run uncompiled, and the sentences."""
    patterns = ("*.py", "voice/**/*.py", "voice/**/*.yaml", "voice/**/*.json", "corpus/sentences/*/*.yaml")
    return [path for pattern in patterns for path in ROOT.glob(pattern)]


def test_a_compilation_prints_its_beginning_and_its_duration(capsys: pytest.CaptureFixture[str]) -> None:
    with compiled.announced():
        assert capsys.readouterr().out.startswith("Compiling the order engine")
    assert capsys.readouterr().out == "Compiled the order engine in 0 s.\n"


@pytest.mark.parametrize("module", compiled.MODULES)
def test_the_compiled_module_is_imported(module: str) -> None:
    assert importlib.import_module(f"voice.orders.{module}").__file__ == str(compiled.compiled_of(module))


def test_compiled_modules_give_the_same_orders_as_their_sources(tmp_path: Path) -> None:
    interpreted, orders = json.loads(run_in(copied(sources(), tmp_path), "-c", PROGRAM))
    compiled_file, same = json.loads(run_in(ROOT, "-c", PROGRAM))
    assert (interpreted, compiled_file) == (str(tmp_path / "voice/orders/parser/parser.py"), str(compiled.compiled_of("parser.parser")))
    assert len(orders) > 900
    assert orders == same


def test_a_module_whose_source_changed_after_its_compilation_is_stale(tmp_path: Path) -> None:
    directory = copied([*sources(), *map(compiled.compiled_of, compiled.MODULES)], tmp_path)
    program = ("-c", "from voice.orders import compiled; print(*compiled.stale())")
    for module in compiled.MODULES:
        os.utime(directory / compiled.source_of(module).relative_to(ROOT), (0, 0))
    assert run_in(directory, *program).split() == []
    (directory / "voice/orders/spans/rules.py").touch()
    assert run_in(directory, *program).split() == ["spans.rules"]
