"""Families of problems on texts: letters and words, codes, and small languages to be read."""

from __future__ import annotations

import numpy as np

from ..problem import Family, Problem, letters, pick, whole, words


def count_letters(rng: np.random.Generator) -> Problem:
    """How many letters belong to a set."""
    chosen = "".join(sorted(rng.choice(list("abcdeiou"), size=3, replace=False)))
    weight = whole(rng, 1, 4)
    other = whole(rng, 0, 2)
    return Problem(
        f"each letter of text that is one of {chosen} is worth {weight}, any other {other}: the sum",
        f"""
        def worth(text):
            total = 0
            for letter in text:
                if letter in '{chosen}':
                    total += {weight}
                else:
                    total += {other}
            return total
        """,
        lambda g: (letters(g, "abcdeioux", 9),),
    )


def shift(rng: np.random.Generator) -> Problem:
    """Caesar's cipher."""
    places = whole(rng, 1, 12)
    back = whole(rng, 0, 1)
    sign = "-" if back else "+"
    return Problem(
        f"move each letter of text {places} places {'back' if back else 'on'} in the alphabet, round its end; "
        f"what is no small letter stays",
        f"""
        def shift(text):
            out = ''
            for letter in text:
                if 'a' <= letter <= 'z':
                    number = (ord(letter) - 97 {sign} {places}) % 26
                    out += chr(97 + number)
                else:
                    out += letter
            return out
        """,
        lambda g: (letters(g, "abmwxyz -", 8),),
    )


def run_lengths(rng: np.random.Generator) -> Problem:
    """Run-length coding."""
    least = whole(rng, 1, 3)
    number_first = whole(rng, 0, 1)
    pair = "str(n) + text[i]" if number_first else "text[i] + str(n)"
    return Problem(
        f"write each run of equal letters in text as "
        f"{'its length and the letter' if number_first else 'the letter and its length'}"
        f", but leave out runs shorter than {least}",
        f"""
        def pack(text):
            out = ''
            i = 0
            while i < len(text):
                n = 1
                while i + n < len(text) and text[i + n] == text[i]:
                    n += 1
                if n >= {least}:
                    out += {pair}
                i += n
            return out
        """,
        lambda g: (letters(g, "aab", 9),),
    )


def unpack(rng: np.random.Generator) -> Problem:
    """The way back from run-length coding."""
    extra = whole(rng, 0, 2)
    last = pick(rng, ["", ".", "-"])
    return Problem(
        f"text is letters with one digit after each: write each letter digit + {extra} times"
        + (f", with {last!r} after each run" if last else ""),
        f"""
        def unpack(text):
            out = ''
            for i in range(0, len(text), 2):
                times = int(text[i + 1]) + {extra}
                out += text[i] * times{f" + {last!r}" if last else ""}
            return out
        """,
        lambda g: ("".join(pick(g, "abc") + str(whole(g, 0, 4)) for _ in range(whole(g, 0, 4))),),
    )


def palindrome(rng: np.random.Generator) -> Problem:
    """How many pairs of letters from both ends agree."""
    sign, said = pick(rng, [("==", "equal"), ("!=", "different")])
    weight = whole(rng, 1, 5)
    return Problem(
        f"compare the letters of text from both ends inwards: {weight} for each pair that is {said}",
        f"""
        def mirror(text):
            total = 0
            i = 0
            j = len(text) - 1
            while i < j:
                if text[i] {sign} text[j]:
                    total += {weight}
                i += 1
                j -= 1
            return total
        """,
        lambda g: (letters(g, "ab", 9),),
    )


def long_words(rng: np.random.Generator) -> Problem:
    """The words of a length, changed and joined."""
    sign, said = pick(rng, [(">", "more than"), ("<", "fewer than"), (">=", "at least"), ("<=", "at most")])
    size = whole(rng, 3, 5)
    glue = pick(rng, ["-", "_", " ", "/"])
    form, done = pick(
        rng, [("word", ""), ("word[::-1]", " each written backwards"), ("word[0]", " only the first letter")]
    )
    return Problem(
        f"the words of text of {said} {size} letters,{done} joined by {glue!r}",
        f"""
        def choose(text):
            out = []
            for word in text.split():
                if len(word) {sign} {size}:
                    out.append({form})
            return {glue!r}.join(out)
        """,
        lambda g: (" ".join(words(g, 6)),),
    )


def most_common(rng: np.random.Generator) -> Problem:
    """The most or least frequent letter."""
    sign, said = pick(rng, [(">", "most"), ("<", "least")])
    default = pick(rng, "xyz")
    tie, where = pick(rng, [("", "first"), ("=", "last")])
    return Problem(
        f"the letter that occurs {said} often in text, of equals the one that comes {where} in it, or "
        f"{default!r} if text is empty",
        f"""
        def common(text):
            if text == '':
                return '{default}'
            best = text[0]
            for letter in text:
                if text.count(letter) {sign}{tie} text.count(best):
                    best = letter
            return best
        """,
        lambda g: (letters(g, "abcd", 8),),
    )


def every_other(rng: np.random.Generator) -> Problem:
    """Something happens to each n-th letter."""
    step, start = whole(rng, 2, 4), whole(rng, 0, 1)
    change, said = pick(
        rng,
        [
            ("'*'", "becomes a star"),
            ("''", "is left out"),
            ("text[i] * 2", "is doubled"),
            ("'(' + text[i] + ')'", "is put in brackets"),
        ],
    )
    return Problem(
        f"counting from {start}, each letter of text whose number can be divided by {step} {said}",
        f"""
        def change(text):
            out = ''
            for i in range(len(text)):
                if (i + {start}) % {step} == 0:
                    out += {change}
                else:
                    out += text[i]
            return out
        """,
        lambda g: (letters(g, "abcdef", 9),),
    )


def brackets(rng: np.random.Generator) -> Problem:
    """How deeply brackets nest."""
    opening, closing = pick(rng, [("(", ")"), ("[", "]"), ("{", "}"), ("<", ">")])
    bad = whole(rng, -2, -1)
    return Problem(
        f"how deeply the brackets {opening}{closing} in text nest, or {bad} if they do not match",
        f"""
        def depth(text):
            deepest = 0
            level = 0
            for sign in text:
                if sign == '{opening}':
                    level += 1
                    deepest = max(deepest, level)
                elif sign == '{closing}':
                    level -= 1
                    if level < 0:
                        return {bad}
            if level > 0:
                return {bad}
            return deepest
        """,
        lambda g: (_nested(g, opening, closing),),
    )


def _nested(g: np.random.Generator, opening: str, closing: str) -> str:
    text, level = "", 0
    for _ in range(whole(g, 0, 8)):
        sign = pick(g, [opening, opening, closing, "a"])
        if sign != closing or level or whole(g, 0, 7) == 0:
            text, level = text + sign, level + (sign == opening) - (sign == closing)
    return text + closing * (level if whole(g, 0, 3) else 0)


def pairs(rng: np.random.Generator) -> Problem:
    """Settings of the form name=number."""
    between, sign = pick(rng, [(";", "="), (",", ":"), (" ", "="), ("&", "=")])
    default = whole(rng, 0, 9)
    keep, said = pick(rng, [("", "the last"), ("if name not in out", "the first")])
    store = f"{keep}:\n                    out[name] = int(value)" if keep else "out[name] = int(value)"
    return Problem(
        f"read text such as a{sign}1{between}b{sign}2 into a dictionary of whole numbers; a name without a "
        f"value gets {default}, "
        f"of equal names {said} counts",
        f"""
        def read(text):
            out = {{}}
            for part in text.split({between!r}):
                if part == '':
                    continue
                name, _, value = part.partition({sign!r})
                if value == '':
                    value = '{default}'
                {store}
            return out
        """,
        lambda g: (between.join(_setting(g, sign) for _ in range(whole(g, 0, 4))),),
    )


def _setting(g: np.random.Generator, sign: str) -> str:
    name = pick(g, "abc")
    return name if whole(g, 0, 3) == 0 else f"{name}{sign}{whole(g, 0, 30)}"


def calculate(rng: np.random.Generator) -> Problem:
    """A sum with two signs, from left to right."""
    first, second = pick(rng, [("+", "-"), ("-", "+"), ("+", "%"), ("-", "*")])
    start = whole(rng, 0, 3)
    return Problem(
        f"text is steps such as {first}3{second}2: from {start} on, do them from left to right",
        f"""
        def calculate(text):
            value = {start}
            i = 0
            while i < len(text):
                sign = text[i]
                number = int(text[i + 1])
                if sign == '{first}':
                    value = value {first} number
                else:
                    value = value {second} number
                i += 2
            return value
        """,
        lambda g: ("".join(pick(g, [first, second]) + str(whole(g, 1, 9)) for _ in range(whole(g, 0, 5))),),
    )


def duration(rng: np.random.Generator) -> Problem:
    """Times such as 2h30m in a unit."""
    large, small = pick(rng, [(60, 1), (24, 1), (12, 2), (7, 1), (10, 3)])
    big, little = pick(rng, [("h", "m"), ("d", "h"), ("w", "d")])
    return Problem(
        f"text is parts such as 2{big} and 5{little}: one {big} is {large}, one {little} is {small}, the sum of all",
        f"""
        def measure(text):
            total = 0
            digits = ''
            for sign in text:
                if sign.isdigit():
                    digits += sign
                elif sign == '{big}':
                    total += int(digits) * {large}
                    digits = ''
                else:
                    total += int(digits) * {small}
                    digits = ''
            return total
        """,
        lambda g: ("".join(f"{whole(g, 0, 15)}{pick(g, [big, little])}" for _ in range(whole(g, 0, 4))),),
    )


def column(rng: np.random.Generator) -> Problem:
    """A column of a table of lines."""
    place = whole(rng, 0, 2)
    between = pick(rng, [",", ";", "|"])
    least = whole(rng, 0, 5)
    return Problem(
        f"text is lines of three numbers with {between!r} between: add up number {place + 1} of each line "
        f"whose first "
        f"is at least {least}",
        f"""
        def column(text):
            total = 0
            for line in text.splitlines():
                cells = line.split({between!r})
                if int(cells[0]) >= {least}:
                    total += int(cells[{place}])
            return total
        """,
        lambda g: ("\n".join(between.join(str(whole(g, 0, 9)) for _ in range(3)) for _ in range(whole(g, 0, 4))),),
    )


def numerals(rng: np.random.Generator) -> Problem:
    """Numerals in the Roman manner, with signs of one's own."""
    signs = pick(rng, ["ivx", "abc", "xyz", "ptq"])
    values = pick(rng, [(1, 5, 10), (1, 3, 9), (1, 4, 16), (2, 6, 12)])
    numbers = ", ".join(f"'{sign}': {value}" for sign, value in zip(signs, values, strict=True))
    said = ", ".join(f"{sign} is {value}" for sign, value in zip(signs, values, strict=True))
    return Problem(
        f"read a numeral in which {said}: a sign before a greater one is taken off, any other added",
        f"""
        def numeral(text):
            values = {{{numbers}}}
            total = 0
            for i in range(len(text)):
                value = values[text[i]]
                if i + 1 < len(text) and value < values[text[i + 1]]:
                    total -= value
                else:
                    total += value
            return total
        """,
        lambda g: (letters(g, signs, 6),),
    )


FAMILIES: list[Family] = [
    count_letters,
    shift,
    run_lengths,
    unpack,
    palindrome,
    long_words,
    most_common,
    every_other,
    brackets,
    pairs,
    calculate,
    duration,
    column,
    numerals,
]
