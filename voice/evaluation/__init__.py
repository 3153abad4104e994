"""What a merchant tries before customers do, and learns from what they said.

`menu_check` says every name of a menu to its engine (`names`). `cases` reads the merchant's own sentences, `scoring` counts what is right,
`aliases` looks for names that would mend the rest, `report` writes it. `review` looks through kept utterances, `review_report` writes it.
Of a running service only the page for menus imports this package, in debug environments.
"""
