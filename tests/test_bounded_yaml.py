import re

import pytest

from voice.bounded_yaml import YamlError, parse

DOCUMENT = "id: quan\nitems:\n  tra: {name: Trà, price: 5000}\n"


def test_unquoted_integers_booleans_and_null_are_typed_and_keys_are_strings():
    text = "7: 5000\nno: no\na: [true, ~, null, -1, +2, 1.5, '5', 0x1]\n"
    assert parse(text.encode()).content == {"7": 5000, "no": "no", "a": [True, None, None, -1, 2, "1.5", "5", "0x1"]}


def test_the_position_of_a_path_is_that_of_its_longest_prefix_in_the_document():
    document = parse(DOCUMENT.encode())
    assert str(document.position(["items", "tra", "price"])) == "line 3, column 27"
    assert str(document.position(["items", "tra", "options", 0])) == "line 3, column 8"
    assert str(document.position([])) == "line 1, column 1"


def test_an_alias_has_the_value_of_its_anchor():
    assert parse(b"a: &a {x: [1]}\nb: *a\n").content == {"a": {"x": [1]}, "b": {"x": [1]}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DOCUMENT + "  tra: 1\n", "line 4, column 3: the key 'tra' occurs twice"),
        ("a: [b\n", "line 2, column 1: did not find"),
        ("? [a, b]\n: 1\n", "line 1, column 3: a key must be a string"),
        ("a: {x: 1, y: " + "9" * 5000 + "}\n", "line 1, column 14: a number of more than 20 digits"),
        ("a: &a {x: 1, y: *a}\n", "line 1, column 17: the alias 'a' refers to itself"),
        ("a: *b\n", "line 1, column 4: the alias 'b' has no anchor"),
        ("[" * 200_000, "line 1, column 51: nested more than 50 levels deep"),
        ("{a: " * 200_000, "line 1, column 201: nested more than 50 levels deep"),
        ("- " * 200_000, "line 1, column 101: nested more than 50 levels deep"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 20 + "*a", "line 2, column 24: nested more than 50 levels deep"),
        ("a: &a [" + "x," * 999 + "]\nb: [" + "*a ," * 999, "line 2, column 797: more than 200000 values"),
        ("[" + "1," * 200_000, "line 1, column 400000: more than 200000 values"),
        (DOCUMENT + "#" * 2_000_000, "line 1, column 1: larger than 2000000 bytes"),
        ("%TAG !a! b\n---\n" + DOCUMENT, "line 1, column 1: a line may not begin with '%'"),
        (DOCUMENT + "---\n" + DOCUMENT, "line 4, column 1: a second document begins"),
        (DOCUMENT.replace("Trà", "Trà\x07"), "line 3, column 18: a character that YAML does not allow"),
        ("", "line 1, column 1: the file is empty"),
        ("\x00", "line 1, column 1"),
    ],
    ids=lambda value: value[:40],
)
def test_an_invalid_or_too_large_document_is_rejected_with_line_and_column(text, problem):
    with pytest.raises(YamlError, match="^" + re.escape(problem)):
        parse(text.encode())


def test_bytes_that_are_not_utf_8_are_rejected_with_line_and_column():
    with pytest.raises(YamlError, match=r"^line 3, column 16: not UTF-8"):
        parse(DOCUMENT.replace("Trà", "é\0").encode().replace(b"\0", b"\xe9"))


def test_a_byte_order_mark_is_ignored():
    assert parse(b"\xef\xbb\xbfid: quan\n").content == {"id": "quan"}
