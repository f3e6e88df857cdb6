"""The shop as web pages: what :mod:`.pages` says in words, in HTML, with a picture of each product."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from ..web.apps.html import Html, h, render
from .pages import BACK_TO_SEARCH, BUY, NEXT_PAGE, PREVIOUS_PAGE, SUBPAGES, Kind, Lookup, State
from .product import Product

_STYLE = """
body { margin: 0; font: 14px/1.4 "DejaVu Sans", Arial, sans-serif; color: #222; background: #f4f4f1 }
header { display: flex; gap: 12px; align-items: center; padding: 8px 16px; background: #233142; color: #fff }
header form { display: flex; gap: 6px; flex: 1 }
header input { flex: 1; max-width: 420px; padding: 5px 8px; border: 0; border-radius: 5px }
main { max-width: 860px; margin: 12px auto; padding: 0 14px }
.instruction { background: #fff7dc; border: 1px solid #e5d59a; border-radius: 6px; padding: 8px 12px }
.actions { display: flex; gap: 8px; margin: 10px 0; align-items: center }
button, .button { font: inherit; padding: 4px 12px; border: 1px solid #bbb; border-radius: 5px }
button, .button { background: #fff; color: #222; text-decoration: none }
.buy { background: #e8833a; border-color: #e8833a; color: #fff }
.card { display: flex; gap: 14px; background: #fff; border: 1px solid #ddd; border-radius: 8px }
.card { padding: 10px; margin: 8px 0 }
.card svg { flex: none }
.price { color: #a3320b; font-weight: bold }
.seen a { color: #80639c }
fieldset { border: 1px solid #ddd; border-radius: 8px; margin: 8px 0; background: #fff }
fieldset label { margin-right: 12px; display: inline-block }
"""
_PAINTS = {
    "black": "#2b2b2b", "white": "#f7f7f7", "grey": "#8d8d8d", "gray": "#8d8d8d", "silver": "#c0c4c8", "red": "#c9342e",
    "blue": "#2f63b5", "navy": "#1d2f5e", "green": "#3a8f4c", "yellow": "#e6c32e", "orange": "#e07b28",
    "purple": "#7b4aa0", "pink": "#e08cab", "brown": "#7a5236", "beige": "#d9c9a7", "gold": "#caa23b",
}  # fmt: skip


def page(state: State, number: int, instruction: str, lookup: Lookup) -> str:
    """The page of ``state``, whose links begin with its own ``number``."""
    search = h.form(
        h.input(id="search-words", name="words", aria_label="Search", placeholder="Search", autocomplete="off"),
        h.button("Search", id="search"),
        action=f"/{number}/search",
    )
    parts = [h.p("Instruction: ", instruction, class_="instruction")]
    match state.kind:
        case Kind.SEARCH:
            title = "WebShop"
        case Kind.RESULTS:
            title = "Results"
            parts += _results(state, number, lookup)
        case Kind.ITEM:
            title = lookup(state.product).title
            parts += _item(state, number, lookup(state.product))
        case Kind.SUBPAGE:
            title = state.subpage
            parts += _subpage(state, number, lookup(state.product))
        case Kind.DONE:
            title = "Thank you"
            parts.append(h.p(f"You bought {lookup(state.product).asin}. Your score is {state.score}."))
    head = h.head(h.meta(charset="utf-8"), h.title(title), h.style(Html(_STYLE)))
    bar = h.header(h.strong("WebShop"), search if state.kind is not Kind.DONE else None)
    return f"<!DOCTYPE html>\n{h.html(head, h.body(bar, h.main(parts)), lang='en')}"


def _link(number: int, name: str, text: str | None = None, class_: str = "button") -> Html:
    href = f"/{number}/click?name={quote(name.lower(), safe='')}"
    return h.a(text or name, href=href, class_=class_, data_name=name.lower())


def _results(state: State, number: int, lookup: Lookup) -> list[Html]:
    buttons = [_link(number, BACK_TO_SEARCH), h.span(f"Page {state.page} (Total results: {len(state.results)})")]
    if state.page > 1:
        buttons.append(_link(number, PREVIOUS_PAGE))
    cards = []
    for product in map(lookup, state.shown()):
        words = h.div(
            h.div(_link(number, product.asin, class_="")),
            h.div(product.title),
            h.div(product.price_tag, class_="price"),
        )
        seen = "card seen" if product.index in state.visited else "card"
        cards.append(h.div(picture(product, 72), words, class_=seen))
    return [h.div(buttons, _link(number, NEXT_PAGE), class_="actions"), *cards]


def _item(state: State, number: int, product: Product) -> list[Html]:
    chosen = dict(state.chosen)
    groups = []
    for group, values in product.options.items():
        radios = [
            h.label(
                h.input(
                    type="radio",
                    name="name",
                    value=value,
                    data_name=value,
                    checked=chosen.get(group) == value,
                    onclick="this.form.submit()",
                ),
                value,
            )
            for value in dict.fromkeys(values)
        ]
        groups.append(h.form(h.fieldset(h.legend(group), radios), action=f"/{number}/click"))
    about = h.div(
        h.h2(product.title),
        h.p(f"Price: {product.price_tag}", class_="price"),
        h.p("Rating: N.A."),
        h.div([_link(number, name) for name in SUBPAGES], _link(number, BUY, class_="button buy"), class_="actions"),
    )
    buttons = h.div(_link(number, BACK_TO_SEARCH), _link(number, PREVIOUS_PAGE), class_="actions")
    return [buttons, h.div(picture(product, 150), about, class_="card"), *groups]


def _subpage(state: State, number: int, product: Product) -> list[Html]:
    buttons = h.div(_link(number, BACK_TO_SEARCH), _link(number, PREVIOUS_PAGE), class_="actions")
    if state.subpage == "Description":
        return [buttons, h.p(product.description)]
    return [buttons, h.ul([h.li(bullet) for bullet in product.bullets]) if state.subpage == "Features" else h.p()]


def picture(product: Product, size: int) -> Html:
    """A drawing of a product, always the same one: its shape by its category, in a colour that its words name.

    It is decoration to a screen reader, and so no line of an accessibility tree.
    """
    draws = hashlib.sha256(product.asin.encode()).digest()
    words = re.findall(r"[a-z]+", f"{product.title} {' '.join(product.option_groups)}".lower())
    paint = next((_PAINTS[word] for word in words if word in _PAINTS), f"hsl({draws[0] * 360 // 256} 45% 55%)")
    second = f"hsl({draws[1] * 360 // 256} 40% 75%)"
    shape = int.from_bytes(hashlib.sha256(product.category.encode()).digest()[:2], "big") % 4
    inset, round_ = 14 + draws[2] % 10, 4 + draws[3] % 18
    width = 100 - 2 * inset
    bodies = (
        h.rect(x=inset, y=inset, width=width, height=width, rx=round_, fill=paint),
        h.ellipse(cx=50, cy=54, rx=width / 2, ry=width / 2.6, fill=paint),
        h.path(d=f"M50 {inset} L{100 - inset} 86 L{inset} 86 Z", fill=paint),
        h.path(d=f"M{inset} 30 H{100 - inset} L{92 - inset} 88 H{inset + 8} Z", fill=paint),
    )
    band = h.rect(x=inset + 6, y=44 + draws[4] % 16, width=width - 12, height=6 + draws[5] % 8, fill=second)
    label = h.text(render(product.asin[-4:]), x=50, y=96, font_size=11, text_anchor="middle", fill="#555")
    ground = h.rect(width=100, height=100, rx=8, fill="#efefec")
    return h.svg(ground, bodies[shape], band, label, viewBox="0 0 100 100", width=size, height=size, aria_hidden="true")
