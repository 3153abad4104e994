"""Import menus of other systems, one module a format. Each builds a `draft.Draft`, which also has what has no place in a menu file.

`formats` knows them all, `merging` imports again without losing the merchant's edits, `writing` writes the file.
"""
