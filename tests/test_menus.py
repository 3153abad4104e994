import os
import re
import time
from pathlib import Path

import pytest

from errors import MenuNotFound
from schemas import Menu
from voice.menus import MenuBook, MenuBroken, read_menu

GOOD = """\
id: quan
name: Quán
currency: VND
languages: [vi]
option_groups:
  size:
    name: Cỡ
    default: s
    choices:
      s: {name: Nhỏ, price: 0}
      l: {name: Lớn, aliases: [no], price: -1000}
items:
  tra: {name: Trà, price: 5000, options: [size]}
"""


def write(directory: Path, text: str, name: str = "quan.yaml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_menu_is_read_as_it_is_written(tmp_path):
    menu = read_menu(write(tmp_path, GOOD))
    assert menu.items["tra"].price == 5000
    assert menu.option_groups["size"].choices["l"].aliases == ("no",)
    assert menu.option_groups["size"].choices["l"].price == -1000


def test_json_is_read_too(tmp_path):
    text = '{"id": "quan", "name": "Qu\\u00e1n", "currency": "VND", "items": {"7": {"name": "Trà", "price": 5000}}}'
    assert list(read_menu(write(tmp_path, text, "quan.json")).items) == ["7"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (GOOD.replace("price: 5000", "price: cheap"), "line 13: items.tra.price"),
        (GOOD.replace("options: [size]", "options: [colour]"), "line 1: menu: Value error, item 'tra' names the option group 'colour'"),
        (GOOD.replace("default: s", "default: m"), "line 7: option_groups.size: Value error, default 'm'"),
        (GOOD + "  tra: {name: Trà đá, price: 1}\n", "line 14: 'tra' stands here twice"),
        (GOOD.replace("name: Quán", "nam: Quán"), "line 1: name: Field required"),
        (GOOD.replace("languages: [vi]", "languages: [vi"), "line 5"),
        (GOOD.replace("[no]", "[7]"), "line 11: option_groups.size.choices.l.aliases.0: Input should be a valid string"),
        (GOOD.replace("id: quan", "id: other"), "line 1: id 'other' is not the file's name"),
        ("", "line 1: the file is empty"),
        ("\x00", "line 1"),
    ],
)
def test_a_broken_menu_is_refused_with_its_place(tmp_path, text, place):
    with pytest.raises(MenuBroken, match="^" + re.escape(place)):
        read_menu(write(tmp_path, text))


def book_of(directory: Path) -> MenuBook[Menu]:
    book: MenuBook[Menu] = MenuBook(directory, lambda menu: menu)
    book.refresh()
    return book


def change(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_a_changed_file_is_taken_up_once_it_stands_still(tmp_path):
    path = write(tmp_path, GOOD)
    book = book_of(tmp_path)
    change(path, GOOD.replace("5000", "6000"))
    book.refresh()
    assert book.get("quan").items["tra"].price == 5000
    book.refresh()
    assert book.get("quan").items["tra"].price == 6000


def test_a_file_that_breaks_leaves_the_old_menu_in_place_and_is_named(tmp_path):
    path = write(tmp_path, GOOD)
    book = book_of(tmp_path)
    change(path, GOOD.replace("price: 5000", "price: cheap"))
    book.refresh()
    book.refresh()
    assert book.get("quan").items["tra"].price == 5000
    assert book.problems == {"quan.yaml": "line 13: items.tra.price: Input should be a valid integer"}
    change(path, GOOD)
    book.refresh()
    book.refresh()
    assert book.problems == {}


def test_a_file_that_is_broken_at_start_is_not_served_but_named(tmp_path):
    write(tmp_path, GOOD.replace("5000", "cheap"))
    book = book_of(tmp_path)
    assert list(book.menus) == []
    assert list(book.problems) == ["quan.yaml"]


def test_a_menu_goes_with_its_file(tmp_path):
    path = write(tmp_path, GOOD)
    book = book_of(tmp_path)
    path.unlink()
    book.refresh()
    with pytest.raises(MenuNotFound):
        book.get("quan")


def test_the_only_menu_needs_no_name_and_one_of_several_does(tmp_path):
    write(tmp_path, GOOD)
    book = book_of(tmp_path)
    assert book.get(None).id == "quan"
    write(tmp_path, GOOD.replace("id: quan", "id: other"), "other.yaml")
    book.refresh()
    book.refresh()
    assert list(book.menus) == ["other", "quan"]
    with pytest.raises(MenuNotFound):
        book.get(None)


def test_other_files_are_left_alone(tmp_path):
    write(tmp_path, "not a menu", "README.md")
    assert book_of(tmp_path).problems == {}


def test_a_large_menu_is_read_in_reasonable_time(tmp_path):
    rows = "".join(f"  i{number}: {{name: Món số {number}, price: {number}}}\n" for number in range(5000))
    started = time.monotonic()
    menu = read_menu(write(tmp_path, "id: quan\nname: Quán\ncurrency: VND\nitems:\n" + rows))
    assert len(menu.items) == 5000
    assert time.monotonic() - started < 30  # a hang, not a benchmark
