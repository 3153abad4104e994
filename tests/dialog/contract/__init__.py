import pytest

pytest.register_assert_rewrite("tests.dialog.contract.rows")
