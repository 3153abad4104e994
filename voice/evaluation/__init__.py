"""What a merchant tries before customers do.

`menu_check` says every name of a menu to its engine (`names`). `cases` reads the merchant's own sentences, `scoring` counts what is right,
`aliases` looks for names that would mend the rest, `report` writes it. Nothing of a running service imports this package.
"""
