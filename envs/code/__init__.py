"""Environments where agents write code and call tools.

Each is registered by name and imported when it is made; :mod:`.base` holds what they share.
"""
