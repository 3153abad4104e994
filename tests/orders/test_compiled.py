"""The order engine as it was compiled: it is what runs, it answers as its sources do, and a change to them is told."""

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

SAID = """
import json, sys
from itertools import groupby
from operator import attrgetter
from voice.orders.engine import OrderEngine
from voice.orders.parser.corpus import TRAINING, sentences

answers = []
for name in TRAINING:
    for _, examples in groupby(sentences(name), key=attrgetter("menu.id")):
        examples = list(examples)
        engine = OrderEngine(examples[0].menu)
        answers += [engine.understand(example.utterance, example.lines) for example in examples]
print(json.dumps([sys.modules["voice.orders.search"].__file__, answers]))
"""


def run_in(directory: Path, *arguments: str) -> str:
    """Run Python with what lies in a directory."""
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
    """List all the code that the engine needs, uncompiled, and the sentences."""
    return [*ROOT.glob("*.py"), *ROOT.glob("voice/**/*.py"), *ROOT.glob("voice/**/*.yaml"), *ROOT.glob("corpus/sentences/*/*.yaml")]


def test_compiling_announces_itself_and_its_duration(capsys: pytest.CaptureFixture[str]) -> None:
    with compiled.announced():
        assert capsys.readouterr().out.startswith("Compiling the order engine")
    assert capsys.readouterr().out == "Compiled the order engine in 0 s.\n"


@pytest.mark.parametrize("module", compiled.MODULES)
def test_what_runs_is_compiled(module: str) -> None:
    assert importlib.import_module(f"voice.orders.{module}").__file__ == str(compiled.compiled_of(module))


def test_what_is_compiled_answers_as_its_source_does(tmp_path: Path) -> None:
    interpreted, answers = json.loads(run_in(copied(sources(), tmp_path), "-c", SAID))
    compiled_file, same = json.loads(run_in(ROOT, "-c", SAID))
    assert (interpreted, compiled_file) == (str(tmp_path / "voice/orders/search.py"), str(compiled.compiled_of("search")))
    assert len(answers) > 900
    assert answers == same


def test_a_change_since_it_was_compiled_is_told(tmp_path: Path) -> None:
    directory = copied([*sources(), *map(compiled.compiled_of, compiled.MODULES)], tmp_path)
    ask = ("-c", "from voice.orders import compiled; print(*compiled.stale())")
    for module in compiled.MODULES:
        os.utime(directory / f"voice/orders/{module}.py", (0, 0))
    assert run_in(directory, *ask).split() == []
    (directory / "voice/orders/reader.py").touch()
    assert run_in(directory, *ask).split() == ["reader"]
