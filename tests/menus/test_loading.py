import os
import random
import re
import socket
import time
from pathlib import Path

import orjson
import pytest

from errors import MenuNotFound
from schemas import LineRequest, OptionRequest
from voice.dialog.turn import DialogEngine
from voice.menus.loading import TIME_STEP_NS, MenuBook, MenuBroken, Stamp, read_menu
from voice.menus.menu import MAX_PRICE, Menu

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


def test_a_menu_file_in_yaml_is_read(tmp_path):
    menu = read_menu(write(tmp_path, GOOD))
    assert menu.items["tra"].price == 5000
    assert menu.option_groups["size"].choices["l"].aliases == ("no",)
    assert menu.option_groups["size"].choices["l"].price == -1000


def test_a_menu_file_in_json_is_read(tmp_path):
    text = '{"id": "quan", "name": "Qu\\u00e1n", "currency": "VND", "items": {"7": {"name": "Trà", "price": 5000}}}'
    assert list(read_menu(write(tmp_path, text, "quan.json")).items) == ["7"]


ITEM = "id: quan\nname: Quán\ncurrency: VND\nitems:\n  "


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (GOOD.replace("price: 5000", "price: cheap"), "line 13, column 27: items.tra.price"),
        (
            GOOD.replace("options: [size]", "options: [size, colour]"),
            "line 13, column 49: items.tra.options.1: item 'tra' names the unknown option group 'colour'",
        ),
        (
            GOOD.replace("default: s", "default: m"),
            "line 8, column 14: option_groups.size.default: default 'm' is not a choice of the group",
        ),
        (GOOD + "  tra: {name: Trà đá, price: 1}\n", "line 14, column 3: the key 'tra' occurs twice"),
        (
            GOOD.replace("[no], price", "[no], options: [size], price"),
            "line 11, column 46: option_groups.size.choices.l.options: option groups are nested in a circle: 'size' > 'size'",
        ),
        (
            GOOD.replace("{name: Nhỏ", "{item: bia"),
            "line 10, column 17: option_groups.size.choices.s.item: choice 's' names the unknown item",
        ),
        (GOOD.replace("{name: Trà", "{name: {vi: Trà, en: 7}"), "line 13, column 29: items.tra.name.en: Input should be a valid string"),
        (GOOD.replace("name: Quán", "nam: Quán"), "line 1, column 1: name: Field required"),
        (GOOD.replace("languages: [vi]", "languages: [vi"), "line 5, column 14: did not find"),
        (GOOD.replace("[no]", "[7]"), "line 11, column 32: option_groups.size.choices.l.aliases.0: Input should be a valid string"),
        (GOOD.replace("id: quan", "id: other"), "line 1, column 5: id 'other' differs from the file name"),
        (GOOD.replace("price: 5000", "price: 1" + "0" * 10), "line 13, column 27: items.tra.price: Input should be less"),
        (
            GOOD.replace("price: -1000", "price: -1" + "0" * 10),
            "line 11, column 44: option_groups.size.choices.l.price: Input should",
        ),
        (ITEM + "a: *b\n", "line 5, column 6: the alias 'b' has no anchor"),
    ],
    ids=lambda value: value[:40],
)
def test_an_invalid_menu_is_rejected_with_line_and_column(tmp_path, text, place):
    with pytest.raises(MenuBroken, match="^" + re.escape(place)):
        read_menu(write(tmp_path, text))


def test_a_menu_with_too_many_words_is_rejected(tmp_path):
    aliases = ", ".join(["a b c d e f g h i j"] * 5_001)
    with pytest.raises(MenuBroken, match=r"^line 1, column 1: 500.. words in names and aliases"):
        read_menu(write(tmp_path, ITEM + f"a: {{name: A, price: 1, aliases: [{aliases}]}}\n"))


def test_random_content_is_loaded_or_rejected_with_a_position(tmp_path):
    dice = random.Random(13)  # noqa: S311 - a test's dice
    pieces = [*b"[]{}:,-?&*!|>%@\"'#\n\t \x00\xff", *(b"&a ", b"*a", b"<<: ", b"---\n", b"!!map ", b"\n  ", b"[" * 99, b"9" * 99)]
    for _ in range(500):
        content = bytearray(GOOD.encode())
        for _ in range(dice.randint(1, 6)):
            piece = dice.choice(pieces)
            start = dice.randrange(len(content))
            content[start : start + dice.randint(0, 8)] = bytes([piece]) if isinstance(piece, int) else piece
        path = tmp_path / "quan.yaml"
        path.write_bytes(content)
        book = book_of(tmp_path)
        problem = book.problems.get("quan.yaml", "line 0, column 0: ")
        assert re.match(r"line \d+, column \d+: ", problem)
        assert "cannot be compiled" not in problem


def test_the_most_expensive_order_fits_into_64_bits():
    choices = {f"c{number}": {"name": f"Món {number}", "price": MAX_PRICE} for number in range(100)}
    groups = {f"g{number}": {"name": f"Nhóm {number}", "select": "many", "default": "c0", "choices": choices} for number in range(100)}
    item = {"name": "Trà", "price": MAX_PRICE, "options": list(groups)}
    menu = Menu.model_validate({"id": "quan", "name": "Quán", "currency": "VND", "option_groups": groups, "items": {"tra": item}})
    options = [OptionRequest(group="g0", choice=choice, quantity=99) for choice in choices]
    priced = DialogEngine(menu).price([LineRequest(item="tra", quantity=999, options=options)])
    assert priced[0]["unit_price"] == MAX_PRICE * (1 + 99 + 100 * 99)
    assert orjson.dumps(200 * priced[0]["total"])


def book_of(directory: Path) -> MenuBook[Menu]:
    book: MenuBook[Menu] = MenuBook(directory, lambda menu: menu)
    book.refresh()
    return book


def change(path: Path, text: str) -> None:
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_a_changed_file_is_loaded_once_it_is_unchanged_between_two_refreshes(tmp_path):
    path = write(tmp_path, GOOD)
    book = book_of(tmp_path)
    change(path, GOOD.replace("5000", "6000"))
    book.refresh()
    assert book.get("quan").items["tra"].price == 5000
    book.refresh()
    assert book.get("quan").items["tra"].price == 6000


def test_a_file_that_becomes_invalid_is_reported_and_its_old_menu_stays(tmp_path):
    path = write(tmp_path, GOOD)
    book = book_of(tmp_path)
    change(path, GOOD.replace("price: 5000", "price: cheap"))
    book.refresh()
    book.refresh()
    assert book.get("quan").items["tra"].price == 5000
    assert book.problems == {"quan.yaml": "line 13, column 27: items.tra.price: Input should be a valid integer"}
    change(path, GOOD)
    book.refresh()
    book.refresh()
    assert book.problems == {}


def test_a_file_that_is_invalid_at_start_is_reported_and_not_served(tmp_path):
    write(tmp_path, GOOD.replace("5000", "cheap"))
    book = book_of(tmp_path)
    assert list(book.menus) == []
    assert list(book.problems) == ["quan.yaml"]


def test_an_invalid_file_affects_no_other(tmp_path):
    write(tmp_path, GOOD)
    for number, text in enumerate(("[" * 200_000, "a: &a [*a]", ITEM + "? [a]\n  : {}\n")):
        write(tmp_path, text, f"broken-{number}.yaml")
    (tmp_path / os.fsdecode(b"caf\xe9.yaml")).write_text(GOOD)
    book = book_of(tmp_path)
    assert list(book.menus) == ["quan"]
    assert len(book.problems) == 4
    assert all(re.match(r"line \d+, column \d+: ", problem) for problem in book.problems.values())
    assert orjson.dumps(book.problems)


def test_a_menu_that_cannot_be_compiled_affects_no_other(tmp_path):
    write(tmp_path, GOOD)
    write(tmp_path, GOOD.replace("id: quan", "id: other"), "other.yaml")

    def compile_menu(menu: Menu) -> Menu:
        if menu.id == "other":
            raise RecursionError
        return menu

    book = MenuBook(tmp_path, compile_menu)
    book.refresh()
    assert list(book.menus) == ["quan"]
    assert book.problems == {"other.yaml": "line 1, column 1: cannot be compiled: RecursionError"}


def test_only_regular_files_are_read_without_hidden_and_lock_files(tmp_path):
    write(tmp_path, GOOD, ".quan.yaml")
    write(tmp_path, GOOD, "~$quan.yaml")
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "directory.yaml").mkdir()
    (tmp_path / ".#cafe.yaml").symlink_to("somebody@somewhere.1234")
    (tmp_path / "dangling.yaml").symlink_to("nothing")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket.yaml"))
        book = book_of(tmp_path)
    assert (book.menus, book.problems) == ({}, {})


def test_a_fifo_in_place_of_a_file_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "quan.yaml")
    with pytest.raises(MenuBroken, match="not a regular file"):
        read_menu(tmp_path / "quan.yaml")


def test_a_symbolic_link_to_a_menu_is_read(tmp_path):
    """As in a mounted ConfigMap."""
    (tmp_path / "..data").mkdir()
    write(tmp_path / "..data", GOOD)
    (tmp_path / "quan.yaml").symlink_to("..data/quan.yaml")
    assert list(book_of(tmp_path).menus) == ["quan"]


def test_a_change_with_the_same_modification_time_and_size_is_loaded(tmp_path):
    path = write(tmp_path, GOOD)
    book, before = book_of(tmp_path), path.stat()
    path.write_text(GOOD.replace("5000", "6000"), encoding="utf-8")
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    book.refresh()
    book.refresh()
    assert book.get("quan").items["tra"].price == 6000


def test_a_stamp_is_settled_once_it_is_older_than_the_resolution_of_file_times():
    now_ns = time.time_ns()
    assert not Stamp(0, now_ns, 1, 1).is_settled()
    assert Stamp(0, now_ns - TIME_STEP_NS, 1, 1).is_settled()


def test_a_menu_is_removed_with_its_file(tmp_path):
    path = write(tmp_path, GOOD)
    book = book_of(tmp_path)
    path.unlink()
    book.refresh()
    with pytest.raises(MenuNotFound):
        book.get("quan")


def test_a_menu_id_may_be_left_out_only_if_there_is_one_menu(tmp_path):
    write(tmp_path, GOOD)
    book = book_of(tmp_path)
    assert book.get(None).id == "quan"
    write(tmp_path, GOOD.replace("id: quan", "id: other"), "other.yaml")
    book.refresh()
    book.refresh()
    assert list(book.menus) == ["other", "quan"]
    with pytest.raises(MenuNotFound):
        book.get(None)


def test_files_with_other_suffixes_are_ignored(tmp_path):
    write(tmp_path, "not a menu", "README.md")
    assert book_of(tmp_path).problems == {}


def test_a_large_menu_is_read_in_reasonable_time(tmp_path):
    rows = "".join(f"  i{number}: {{name: Món số {number}, price: {number}}}\n" for number in range(5000))
    started = time.monotonic()
    menu = read_menu(write(tmp_path, "id: quan\nname: Quán\ncurrency: VND\nitems:\n" + rows))
    assert len(menu.items) == 5000
    assert time.monotonic() - started < 30  # a hang, not a benchmark
