"""Menus: `loading` loads and reloads their files, which `voice.bounded_yaml` parses and `menu.Menu` validates.

`names` tells names by language; `availability` when items are served; `requirements` what a line lacks and which limits it exceeds; `diets`
what the menu says about diets and allergens. `served` has the menus that are served: those of the files, and clients' own, which a store
keeps (`stored_menus`); `parts` what is sold out. `validation` finds all faults of a menu, `checking` those of a file with their lines and
what to write instead (`advice`), and what may be meant otherwise (`doubts`).
"""
