"""Keys by the names that browsers give them, as the DevTools protocol wants them."""

from __future__ import annotations

from typing import Any

from .actions import ActionError

MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
# name: (code, virtual key code, text)
_NAMED = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Backspace": ("Backspace", 8, ""),
    "Delete": ("Delete", 46, ""),
    "Escape": ("Escape", 27, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "PageUp": ("PageUp", 33, ""),
    "PageDown": ("PageDown", 34, ""),
    "End": ("End", 35, ""),
    "Home": ("Home", 36, ""),
    "Insert": ("Insert", 45, ""),
    "CapsLock": ("CapsLock", 20, ""),
    "ContextMenu": ("ContextMenu", 93, ""),
    "Shift": ("ShiftLeft", 16, ""),
    "Control": ("ControlLeft", 17, ""),
    "Alt": ("AltLeft", 18, ""),
    "Meta": ("MetaLeft", 91, ""),
    " ": ("Space", 32, " "),
    **{f"F{number}": (f"F{number}", 111 + number, "") for number in range(1, 13)},
}
_ALIASES = {"Space": " ", "Spacebar": " ", "Esc": "Escape", "Return": "Enter", "Ctrl": "Control", "Del": "Delete"}
# The keys of a US keyboard that give two signs, by code and virtual key code.
_SIGNS = {
    ";:": ("Semicolon", 186),
    "=+": ("Equal", 187),
    ",<": ("Comma", 188),
    "-_": ("Minus", 189),
    ".>": ("Period", 190),
    "/?": ("Slash", 191),
    "`~": ("Backquote", 192),
    "[{": ("BracketLeft", 219),
    "\\|": ("Backslash", 220),
    "]}": ("BracketRight", 221),
    "'\"": ("Quote", 222),
    **{f"{digit}{sign}": (f"Digit{digit}", 48 + digit) for digit, sign in enumerate(")!@#$%^&*(")},
}
# What a key does to text while Control is held.
_COMMANDS = {"a": "selectAll", "c": "copy", "v": "paste", "x": "cut", "z": "undo"}


def split_combination(combination: str) -> tuple[list[str], str]:
    """``"Control+Shift+a"`` -> (modifiers, key).  Raises :class:`ActionError`."""
    *modifiers, key = [part or "+" for part in combination.split("+")] if combination != "+" else ["+"]
    modifiers = [{"ControlOrMeta": "Control"}.get(name, _ALIASES.get(name, name)) for name in modifiers if name != "+"]
    for name in modifiers:
        if name not in MODIFIERS:
            raise ActionError(f"{name!r} is not a modifier; there are {', '.join(MODIFIERS)}.")
    return modifiers, key


def key_event(key: str, modifiers: int = 0) -> dict[str, Any]:
    """The parameters of ``Input.dispatchKeyEvent`` for a key, without its type.  Raises :class:`ActionError`."""
    key = _ALIASES.get(key, key)
    if key in _NAMED:
        code, number, text = _NAMED[key]
    elif len(key) == 1:
        code, number = next((place for signs, place in _SIGNS.items() if key in signs), ("", 0))
        if key.isascii() and key.isalpha():
            code, number = f"Key{key.upper()}", ord(key.upper())
        text = key
    else:
        raise ActionError(f"There is no key {key!r}; keys are named as in 'Enter', 'ArrowDown', 'a' or 'Control+a'.")
    event: dict[str, Any] = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
    if modifiers & MODIFIERS["Shift"] and len(text) == 1 and text.isalpha():
        text = event["key"] = text.upper()
    if modifiers & (MODIFIERS["Control"] | MODIFIERS["Meta"]):
        if command := _COMMANDS.get(key.lower()):
            event["commands"] = [command]
    elif text:
        event["text"] = text
    return event
