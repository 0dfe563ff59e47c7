"""What demo, tests and bench share: installing, starting the parts on loopback, and looking at what they did.

Standard library only, Python 3.11: this runs before any virtual environment exists.
"""
