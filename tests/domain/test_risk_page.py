"""The table of controls in ``docs/risk.md`` is the code's own."""

from __future__ import annotations

from docs import controls


def test_the_page_has_the_table_that_the_code_makes() -> None:
    page = controls.PAGE.read_text(encoding="utf-8")

    assert controls.with_table(page) == page, "run make docs"
