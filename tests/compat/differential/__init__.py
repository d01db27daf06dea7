"""Run the originals beside the packages in ``compat/``, and compare their names and their behaviour.

- ``surface``: describes every public name of a package; the interpreter of the original runs it, too
- ``project``: a small project of one of the packages; both interpreters run pieces of code in it
- ``pieces``: the pieces of code, as projects write them, each with the reason if it differs
- ``compare``: runs both sides and writes the tables of the migration pages

``python -m tests.compat.differential`` runs everything and writes the pages and the lists of names.
"""
