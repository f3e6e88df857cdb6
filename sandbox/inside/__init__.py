"""The programs that run inside a sandbox.

They are sent there as source text (see ``loader.py``), whatever Python is found there runs them, and they import the
standard library and each other only.
"""
