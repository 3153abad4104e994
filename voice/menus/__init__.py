"""Menus: `loading` loads and reloads their files, which `voice.bounded_yaml` parses and `menu.Menu` validates.

`names` tells names by language; `availability` when items are served; `requirements` what a line lacks and which limits it exceeds; `diets`
what the menu says about diets and allergens.
"""
