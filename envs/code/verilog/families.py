"""Families of modules with drawn widths, numbers and codes, each with a solution.

A family is a function of a generator.  The combinational ones come first, then those with a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from .design import Design

Family = Callable[[np.random.Generator], Design]


def _width(rng: np.random.Generator, low: int = 3, high: int = 9) -> int:
    return int(rng.integers(low, high + 1))


def _one_of(rng: np.random.Generator, things: Sequence[str]) -> str:
    return things[int(rng.integers(len(things)))]


def multiplexer(rng: np.random.Generator) -> Design:
    """One of four inputs, in a drawn order."""
    width, order = _width(rng), [int(i) for i in rng.permutation(4)]
    names = [f"d{i}" for i in order]
    chosen = ", ".join(f"{name} when sel is {i}" for i, name in enumerate(names))
    return Design(
        f"A multiplexer: y is {chosen}.",
        {**{f"d{i}": width for i in range(4)}, "sel": 2},
        {"y": width},
        f"assign y = sel[1] ? (sel[0] ? {names[3]} : {names[2]}) : (sel[0] ? {names[1]} : {names[0]});",
    )


def adder(rng: np.random.Generator) -> Design:
    """A sum with carries."""
    width = _width(rng)
    return Design(
        f"An adder of {width} bits: sum is the low {width} bits of a + b + cin, and cout is the carry out of them.",
        {"a": width, "b": width, "cin": 1},
        {"sum": width, "cout": 1},
        "assign {cout, sum} = a + b + cin;",
    )


def saturating(rng: np.random.Generator) -> Design:
    """A sum or a difference that stops at the end of the range."""
    width, adds = _width(rng), bool(rng.integers(2))
    if adds:
        text = f"y is a + b, or the largest number of {width} bits if the sum does not fit."
        body = f"wire [{width}:0] s = a + b;\nassign y = s[{width}] ? {{{width}{{1'b1}}}} : s[{width - 1}:0];"
    else:
        text = "y is a - b, or 0 if b is greater than a."
        body = f"assign y = b > a ? {width}'d0 : a - b;"
    return Design(f"Saturating arithmetic without signs: {text}", {"a": width, "b": width}, {"y": width}, body)


def distance(rng: np.random.Generator) -> Design:
    """The absolute difference."""
    width = _width(rng)
    return Design(
        "y is the absolute difference of the unsigned numbers a and b.",
        {"a": width, "b": width},
        {"y": width},
        "assign y = a > b ? a - b : b - a;",
    )


def comparator(rng: np.random.Generator) -> Design:
    """Three flags of an order."""
    width, signed = _width(rng), bool(rng.integers(2))
    kind, form = ("signed (two's complement)", "$signed({})") if signed else ("unsigned", "{}")
    a, b = form.format("a"), form.format("b")
    return Design(
        f"Compare a and b as {kind} numbers: lt is 1 if a < b, eq if a = b, gt if a > b; otherwise each is 0.",
        {"a": width, "b": width},
        {"lt": 1, "eq": 1, "gt": 1},
        f"assign lt = {a} < {b};\nassign eq = a == b;\nassign gt = {a} > {b};",
    )


def extreme(rng: np.random.Generator) -> Design:
    """The least or greatest of three."""
    width, least = _width(rng), bool(rng.integers(2))
    word, sign = ("smallest", "<") if least else ("largest", ">")
    return Design(
        f"y is the {word} of the unsigned numbers a, b and c.",
        {"a": width, "b": width, "c": width},
        {"y": width},
        f"wire [{width - 1}:0] m = a {sign} b ? a : b;\nassign y = m {sign} c ? m : c;",
    )


def priority(rng: np.random.Generator) -> Design:
    """The number of the first bit that is set."""
    width, low = _width(rng, 4, 8), bool(rng.integers(2))
    bits = max(1, (width - 1).bit_length())
    end = "lowest" if low else "highest"
    loop = f"for (i = {width - 1}; i >= 0; i = i - 1)" if low else f"for (i = 0; i < {width}; i = i + 1)"
    return Design(
        f"A priority encoder: valid is 1 if any bit of x is 1, and index is the number of the {end} bit of x that is 1 "
        "(bit 0 is the least significant), or 0 if none is.",
        {"x": width},
        {"valid": 1, "index": bits},
        f"integer i;\nreg [{bits - 1}:0] found;\nalways @* begin\n  found = 0;\n  {loop}\n"
        "    if (x[i]) found = i;\nend\nassign index = found;\nassign valid = |x;",
    )


def decoder(rng: np.random.Generator) -> Design:
    """One of several lines."""
    bits, low = _width(rng, 2, 3), bool(rng.integers(2))
    lines = 1 << bits
    active, idle = ("0", "1") if low else ("1", "0")
    value = f"en ? {lines}'d1 << sel : {lines}'d0"
    return Design(
        f"A decoder: while en is 1, bit number sel of y is {active} and the others are {idle}; while en is 0, all bits "
        f"are {idle}.",
        {"sel": bits, "en": 1},
        {"y": lines},
        f"assign y = {'~(' + value + ')' if low else value};",
    )


def population(rng: np.random.Generator) -> Design:
    """How many bits are set."""
    width, value = _width(rng, 4, 10), int(rng.integers(2))
    bits = width.bit_length()
    total = " + ".join(f"{'' if value else '~'}x[{i}]" for i in range(width))
    if not value:
        total = " + ".join(f"(x[{i}] == 1'b0)" for i in range(width))
    return Design(f"n is how many of the bits of x are {value}.", {"x": width}, {"n": bits}, f"assign n = {total};")


def parity(rng: np.random.Generator) -> Design:
    """A parity bit."""
    width, even = _width(rng, 4, 12), bool(rng.integers(2))
    word = "even" if even else "odd"
    return Design(
        f"p is the {word} parity bit of x: the number of ones in x and p together is {word}.",
        {"x": width},
        {"p": 1},
        f"assign p = {'' if even else '~'}^x;",
    )


def gray(rng: np.random.Generator) -> Design:
    """Gray code, there or back."""
    width, there = _width(rng, 3, 8), bool(rng.integers(2))
    if there:
        return Design(
            "y is the Gray code of the binary number x.", {"x": width}, {"y": width}, "assign y = x ^ (x >> 1);"
        )
    bits = "\n".join(f"assign y[{i}] = ^(x >> {i});" for i in range(width))
    return Design("y is the binary number whose Gray code is x.", {"x": width}, {"y": width}, bits)


def rotate(rng: np.random.Generator) -> Design:
    """A barrel rotation or shift."""
    width = int(rng.choice([4, 8]))
    bits = width.bit_length() - 1
    kind = _one_of(rng, ["rotated left", "rotated right", "shifted left with zeros", "shifted right arithmetically"])
    value = {
        "rotated left": f"(x << n) | (x >> ({width} - n))",
        "rotated right": f"(x >> n) | (x << ({width} - n))",
        "shifted left with zeros": "x << n",
        "shifted right arithmetically": "$signed(x) >>> n",
    }[kind]
    return Design(
        f"y is x {kind} by n places{', filled with the sign bit' if 'arith' in kind else ''}.",
        {"x": width, "n": bits},
        {"y": width},
        f"assign y = {value};",
    )


def reverse(rng: np.random.Generator) -> Design:
    """Bits in another order."""
    width = int(rng.choice([4, 8, 12]))
    if bool(rng.integers(2)):
        order, text = list(range(width)), "y has the bits of x in reverse order."
    else:
        order = [i ^ 1 for i in range(width - 1, -1, -1)]
        text = "y is x with each two neighbouring bits (1 and 0, 3 and 2, and so on) exchanged."
    return Design(text, {"x": width}, {"y": width}, f"assign y = {{{', '.join(f'x[{i}]' for i in order)}}};")


def alu(rng: np.random.Generator) -> Design:
    """Four operations in a drawn coding."""
    width = _width(rng, 4, 8)
    known = ["a + b", "a - b", "a & b", "a | b", "a ^ b", "~(a | b)", "a << 1", "b >> 1"]
    words = [
        "a plus b", "a minus b", "the bitwise and of a and b", "the bitwise or of a and b",
        "the bitwise exclusive or of a and b", "the bitwise nor of a and b", "a shifted left by one place",
        "b shifted right by one place, zero filled",
    ]  # fmt: skip
    chosen = [int(i) for i in rng.choice(len(known), 4, replace=False)]
    table = "; ".join(f"{code:02b} gives {words[i]}" for code, i in enumerate(chosen))
    cases = "\n".join(f"    2'd{code}: r = {known[i]};" for code, i in enumerate(chosen))
    return Design(
        f"An arithmetic unit of {width} bits. op chooses y: {table}. zero is 1 if and only if y is 0.",
        {"a": width, "b": width, "op": 2},
        {"y": width, "zero": 1},
        f"reg [{width - 1}:0] r;\nalways @* begin\n  case (op)\n{cases}\n  endcase\nend\n"
        "assign y = r;\nassign zero = y == 0;",
        chances={"zero": 0.5},
    )


def truth_table(rng: np.random.Generator) -> Design:
    """A function of four bits, given by where it is 1."""
    ones = sorted(int(i) for i in rng.choice(16, int(rng.integers(4, 10)), replace=False))
    return Design(
        f"f is 1 exactly when the four bits abcd, a being the most significant, make one of the numbers "
        f"{', '.join(map(str, ones))}.",
        {"a": 1, "b": 1, "c": 1, "d": 1},
        {"f": 1},
        f"wire [15:0] t = 16'd{sum(1 << i for i in ones)};\nassign f = t[{{a, b, c, d}}];",
    )


def between(rng: np.random.Generator) -> Design:
    """Inside or outside of a range."""
    width = _width(rng, 4, 8)
    low, high = sorted(int(i) for i in rng.choice((1 << width) - 2, 2, replace=False) + 1)
    inside = bool(rng.integers(2))
    condition = f"x >= {low} && x <= {high}"
    text = f"lies from {low} to {high}, both included" if inside else f"is less than {low} or greater than {high}"
    return Design(
        f"hit is 1 if the unsigned number x {text}, else 0.",
        {"x": width},
        {"hit": 1},
        f"assign hit = {condition if inside else f'!({condition})'};",
    )


def _registered(assignments: str, widths: dict[str, int], reset: dict[str, int]) -> str:
    """Registers ``q_name`` for the outputs, which take ``reset`` while rst is 1 and do ``assignments`` otherwise."""
    declared = "\n".join(f"reg {f'[{w - 1}:0] ' if w > 1 else ''}{name};" for name, w in widths.items())
    resets = "\n".join(f"    {name} <= {value};" for name, value in reset.items())
    return f"{declared}\nalways @(posedge clk)\n  if (rst) begin\n{resets}\n  end else begin\n{assignments}\n  end"


_RESET = "rst is a synchronous reset, active when 1."
_RARELY = {"rst": 0.04}


def counter(rng: np.random.Generator) -> Design:
    """A counter to a drawn number, up or down."""
    width, up = _width(rng, 3, 5), bool(rng.integers(2))
    most = int(rng.integers(3, 1 << width))
    start, end, sign, word = (0, most, "+", "up") if up else (most, 0, "-", "down")
    return Design(
        f"{_RESET} A counter: q becomes {start} on reset; at each rising clock edge with en = 1 it counts {word} by "
        f"one, and "
        f"from {end} it goes to {start}. With en = 0 it keeps its value.",
        {"rst": 1, "en": 1},
        {"q": width},
        _registered(f"    if (en) r <= r == {end} ? {start} : r {sign} 1;", {"r": width}, {"r": start})
        + "\nassign q = r;",
        clocked=True,
        chances={**_RARELY, "en": 0.8},
    )


def register(rng: np.random.Generator) -> Design:
    """A register with enable and a value after reset."""
    width = _width(rng)
    value = int(rng.integers(1 << width))
    return Design(
        f"{_RESET} A register: q becomes {value} on reset; otherwise, at each rising clock edge, q takes d if load "
        f"is 1 and "
        "keeps its value if not.",
        {"rst": 1, "load": 1, "d": width},
        {"q": width},
        _registered("    if (load) r <= d;", {"r": width}, {"r": value}) + "\nassign q = r;",
        clocked=True,
        chances=_RARELY,
    )


def shift_register(rng: np.random.Generator) -> Design:
    """Serial in, parallel out."""
    width, left = _width(rng, 4, 8), bool(rng.integers(2))
    value = f"{{r[{width - 2}:0], si}}" if left else f"{{si, r[{width - 1}:1]}}"
    text = "left: si becomes bit 0" if left else f"right: si becomes bit {width - 1}"
    return Design(
        f"{_RESET} A shift register: q is 0 on reset. At each rising clock edge with en = 1 it shifts one place to the "
        f"{text}. With en = 0 it keeps its value.",
        {"rst": 1, "en": 1, "si": 1},
        {"q": width},
        _registered(f"    if (en) r <= {value};", {"r": width}, {"r": 0}) + "\nassign q = r;",
        clocked=True,
        chances={**_RARELY, "en": 0.75},
    )


def edges(rng: np.random.Generator) -> Design:
    """A pulse where an input changes."""
    kind = _one_of(rng, ["rises from 0 to 1", "falls from 1 to 0", "changes"])
    value = {"rises from 0 to 1": "x & ~last", "falls from 1 to 0": "~x & last", "changes": "x ^ last"}[kind]
    return Design(
        f"{_RESET} An edge detector: at each rising clock edge pulse becomes 1 if x {kind} between the edge before "
        f"and this "
        "one, else 0. On reset pulse becomes 0, and x counts as having been 0.",
        {"rst": 1, "x": 1},
        {"pulse": 1},
        _registered(f"    last <= x;\n    r <= {value};", {"last": 1, "r": 1}, {"last": 0, "r": 0})
        + "\nassign pulse = r;",
        clocked=True,
        chances=_RARELY,
    )


def sequence(rng: np.random.Generator) -> Design:
    """A detector of a pattern of bits."""
    length = int(rng.integers(3, 6))
    pattern = "".join(map(str, rng.integers(2, size=length)))
    # A history of length bits, of which only those since the reset count.
    body = _registered(
        f"    h <= {{h[{length - 2}:0], x}};\n    if (n < {length}) n <= n + 1;\n"
        f"    r <= n >= {length - 1} && {{h[{length - 2}:0], x}} == {length}'b{pattern};",
        {"h": length, "n": 3, "r": 1},
        {"h": 0, "n": 0, "r": 0},
    )
    return Design(
        f"{_RESET} A sequence detector: at each rising clock edge without reset one bit x arrives. found becomes 1 "
        f"if the "
        f"last {length} bits that arrived since the reset are {pattern} (the oldest first), else 0. Patterns may "
        f"overlap. "
        "On reset found becomes 0 and all earlier bits are forgotten.",
        {"rst": 1, "x": 1},
        {"found": 1},
        body + "\nassign found = r;",
        clocked=True,
        chances={"rst": 0.02},
    )


def lfsr(rng: np.random.Generator) -> Design:
    """A linear feedback shift register with drawn taps."""
    width = _width(rng, 4, 8)
    first, second = sorted(int(i) for i in rng.choice(width, 2, replace=False))
    seed = int(rng.integers(1, 1 << width))
    return Design(
        f"{_RESET} A feedback shift register of {width} bits: q is {seed} on reset. At every other rising clock "
        f"edge it shifts "
        f"one place to the left, and its new bit 0 is the exclusive or of its old bits {first} and {second}.",
        {"rst": 1},
        {"q": width},
        _registered(f"    r <= {{r[{width - 2}:0], r[{first}] ^ r[{second}]}};", {"r": width}, {"r": seed})
        + "\nassign q = r;",
        clocked=True,
        chances=_RARELY,
    )


def accumulator(rng: np.random.Generator) -> Design:
    """A running sum."""
    width = _width(rng, 3, 5)
    total, stops = width + 3, bool(rng.integers(2))
    wide = f"wire [{total}:0] s = r + d;\n"
    value = f"s[{total}] ? {{{total}{{1'b1}}}} : s[{total - 1}:0]" if stops else f"s[{total - 1}:0]"
    text = "stays at its largest value" if stops else f"goes on from 0 (it is taken modulo {1 << total})"
    body = _registered(f"    if (clear) r <= 0;\n    else r <= {value};", {"r": total}, {"r": 0})
    return Design(
        f"{_RESET} An accumulator: sum is 0 on reset. At each other rising clock edge it becomes 0 if clear is 1, "
        f"otherwise d "
        f"is added to it; where the sum does not fit {total} bits, it {text}.",
        {"rst": 1, "clear": 1, "d": width},
        {"sum": total},
        body.replace("always", wide + "always", 1) + "\nassign sum = r;",
        clocked=True,
        chances={"rst": 0.02, "clear": 0.03},
    )


def divider(rng: np.random.Generator) -> Design:
    """A pulse every so many clocks."""
    period = int(rng.integers(3, 12))
    body = _registered(
        f"    c <= c == {period - 1} ? 0 : c + 1;\n    r <= c == {period - 1};", {"c": 4, "r": 1}, {"c": 0, "r": 0}
    )
    return Design(
        f"{_RESET} A divider: tick is 0 on reset. Of the rising clock edges after a reset, every {period}th (the "
        f"{period}th, "
        f"the {2 * period}th, ...) makes tick 1, and every other one makes it 0.",
        {"rst": 1},
        {"tick": 1},
        body + "\nassign tick = r;",
        clocked=True,
        chances={"rst": 0.02},
    )


def debouncer(rng: np.random.Generator) -> Design:
    """An output that follows when its input has been stable."""
    count = int(rng.integers(2, 5))
    body = _registered(
        f"    if (x == r) c <= 0;\n    else if (c == {count - 1}) begin\n      r <= x;\n      c <= 0;\n    end else "
        f"c <= c + 1;",
        {"c": 3, "r": 1},
        {"c": 0, "r": 0},
    )
    return Design(
        f"{_RESET} A debouncer: y is 0 on reset. When x has differed from y at {count} rising clock edges in a row, "
        f"y takes "
        f"x's value at the last of these; otherwise y keeps its value.",
        {"rst": 1, "x": 1},
        {"y": 1},
        body + "\nassign y = r;",
        clocked=True,
        chances=_RARELY,
    )


def delay(rng: np.random.Generator) -> Design:
    """What came in some clocks ago."""
    width, depth = _width(rng, 2, 6), int(rng.integers(2, 5))
    names = [f"s{i}" for i in range(depth)]
    moves = "\n".join(f"    {name} <= {source};" for name, source in zip(names, ["d", *names], strict=False))
    return Design(
        f"{_RESET} A delay line: after each rising clock edge q is what d was {depth - 1} edges before that edge. "
        f"On reset "
        "everything in the line becomes 0.",
        {"rst": 1, "d": width},
        {"q": width},
        _registered(moves, dict.fromkeys(names, width), dict.fromkeys(names, 0)) + f"\nassign q = {names[-1]};",
        clocked=True,
        chances=_RARELY,
    )


def pulse_width(rng: np.random.Generator) -> Design:
    """A pulse of a given width."""
    bits = int(rng.integers(2, 5))
    return Design(
        f"{_RESET} A pulse-width modulator: an inner counter of {bits} bits is 0 on reset and otherwise grows by "
        f"one at each "
        f"rising clock edge, going from {(1 << bits) - 1} to 0. At every moment y is 1 if the counter is less than "
        f"duty, "
        "else 0.",
        {"rst": 1, "duty": bits},
        {"y": 1},
        _registered("    c <= c + 1;", {"c": bits}, {"c": 0}) + "\nassign y = c < duty;",
        clocked=True,
        chances={"rst": 0.03},
    )


def phases(rng: np.random.Generator) -> Design:
    """A machine that stays some clocks in each of three states."""
    times = [int(i) for i in rng.integers(1, 6, size=3)]
    body = _registered(
        f"    if (c == (s == 0 ? {times[0] - 1} : s == 1 ? {times[1] - 1} : {times[2] - 1})) begin\n"
        "      s <= s == 2 ? 0 : s + 1;\n      c <= 0;\n    end else c <= c + 1;",
        {"s": 2, "c": 3},
        {"s": 0, "c": 0},
    )
    return Design(
        f"{_RESET} A traffic light: one of red, green and yellow is 1 at any time. On reset it is red. Counted in "
        f"clock "
        f"cycles, red lasts {times[0]}, then green {times[1]}, then yellow {times[2]}, then red again.",
        {"rst": 1},
        {"red": 1, "green": 1, "yellow": 1},
        body + "\nassign red = s == 0;\nassign green = s == 1;\nassign yellow = s == 2;",
        clocked=True,
        chances={"rst": 0.03},
    )


FAMILIES: tuple[Family, ...] = (
    multiplexer, adder, saturating, distance, comparator, extreme, priority, decoder, population, parity, gray, rotate,
    reverse, alu, truth_table, between, counter, register, shift_register, edges, sequence, lfsr, accumulator, divider,
    debouncer, delay, pulse_width, phases,
)  # fmt: skip


def make_design(rng: np.random.Generator) -> Design:
    """A design of a family that is drawn."""
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    return replace(family(rng), family=family.__name__)
