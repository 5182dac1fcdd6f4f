"""The corridor: opens a project, runs the table of stages, joins what rooms may not know of each other.

`project` opens a directory and writes the ledger; `stages` is the table; `learning` and `releasing` hand each room what
it needs; `opened` is a release opened for use. No stage's logic is here.
"""
