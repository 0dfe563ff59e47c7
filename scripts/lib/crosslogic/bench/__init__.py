"""One row for each figure the project promises, measured on this machine.

Groups are modules of this package with a function `figures(bench)`; the ones named in GROUPS are run by default.
"""
