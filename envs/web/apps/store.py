"""A shop with a basket, and a checkout form that checks what is written into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from .app import App, NotFound, Redirect, Request, get, post
from .content import QUALITIES, STREETS, TOWNS, address, draw, people
from .html import Html, area, choice, form, h, line, link, press, radios, slug, table, tick
from .task import Assignment, Change, Step, Template, View, complete, listing, one, seen, some

GOODS = ("lamp", "kettle", "blanket", "basket", "clock", "stool", "mirror", "vase", "teapot", "cushion", "shelf", "rug")
DELIVERIES = {"Standard": 4, "Express": 9, "Collect": 0}
COUPONS = {"SPRING10": 10, "WELCOME5": 5}
QUANTITIES = tuple(map(str, range(1, 7)))


class Product(NamedTuple):
    """Something to buy; the price is in whole euros."""

    number: int
    name: str
    price: int


@dataclass
class Order:
    """What was bought, and where it goes; ``card`` holds the last four digits."""

    items: tuple[tuple[int, int], ...]
    address: tuple[str, ...]
    delivery: str
    gift: str
    card: str
    coupon: str


@dataclass
class Store:
    """The products, the basket (product to quantity) and the orders."""

    products: tuple[Product, ...]
    basket: dict[int, int] = field(default_factory=dict)
    coupon: str = ""
    orders: list[Order] = field(default_factory=list)

    def facts(self) -> Any:
        """What counts."""
        return sorted(self.basket.items()), self.coupon, [tuple(vars(order).values()) for order in self.orders]

    def total(self) -> int:
        """What the basket costs, in euros, without delivery."""
        total = sum(self.products[number - 1].price * quantity for number, quantity in self.basket.items())
        return max(0, total - COUPONS.get(self.coupon, 0))

    def order(self, address_: tuple[str, ...], delivery: str, gift: str, card: str) -> None:
        """Buy what is in the basket."""
        items = tuple(sorted(self.basket.items()))
        self.orders.append(Order(items, address_, delivery, gift, card, self.coupon))
        self.basket, self.coupon = {}, ""


ADDRESS = {"name": "Full name", "street": "Street and number", "postcode": "Postcode", "town": "Town", "email": "Email"}
CHECKS: dict[str, tuple[Callable[[str], bool], str]] = {
    "name": (lambda text: len(text.split()) > 1, "Write first and last name."),
    "street": (lambda text: re.fullmatch(r"\D+ \d+\w?", text) is not None, "Write the street and the house number."),
    "postcode": (lambda text: re.fullmatch(r"[0-9]{5}", text) is not None, "A postcode has five digits."),
    "town": (bool, "Write the town."),
    "email": (lambda text: re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", text) is not None, "That is no email address."),
    "card": (lambda text: luhn(text.replace(" ", "")), "That is no card number."),
    "expires": (lambda text: re.fullmatch(r"(0[1-9]|1[0-2])/[0-9]{2}", text) is not None, "Write it as in 04/33."),
}
"""Whether what stands in a field will do, and what is wrong with it where it does not."""


def luhn(digits: str) -> bool:
    """Whether 16 digits pass the check of card numbers (ISO/IEC 7812-1)."""
    if not re.fullmatch(r"[0-9]{16}", digits):
        return False
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(digits)]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


class StoreApp(App[Store]):
    """The pages."""

    name, title, accent = "store", "Store", "#8a3d62"
    menu = (("products", "Products", "/"), ("basket", "Basket", "/basket"), ("orders", "Orders", "/orders"))

    @get("/")
    def products(self, request: Request) -> Html:
        """What there is to buy."""
        cards = [
            h.div(
                h.h2(product.name),
                h.p(f"{product.price} euros"),
                form(
                    f"/add/{product.number}",
                    choice(f"quantity-{product.number}", "Quantity", QUANTITIES, "1"),
                    submit="Add to basket",
                    id_=f"add-{product.number}",
                ),
                class_="card",
            )
            for product in self.state.products
        ]
        return self.page("Products", h.div(cards, class_="cards"))

    @post("/add/{number}")
    def add(self, request: Request, number: int) -> Redirect:
        """Put some of a product into the basket."""
        quantity = request.form.get(f"quantity-{number}", "1")
        if not 1 <= number <= len(self.state.products) or quantity not in QUANTITIES:
            raise NotFound
        self.state.basket[number] = min(self.state.basket.get(number, 0) + int(quantity), len(QUANTITIES))
        self.note = f"{self.state.products[number - 1].name} is in the basket."
        return Redirect("/")

    @get("/basket")
    def basket(self, request: Request) -> Html:
        """What is in the basket."""
        rows = [
            (
                self.state.products[number - 1].name,
                form(
                    f"/quantity/{number}",
                    choice(f"quantity-{number}", "Quantity", QUANTITIES, str(quantity)),
                    submit="Update",
                    id_=f"update-{number}",
                ),
                f"{self.state.products[number - 1].price * quantity} euros",
                press(f"remove-{number}", "Remove", f"/remove/{number}"),
            )
            for number, quantity in sorted(self.state.basket.items())
        ]
        if not rows:
            return self.page("Basket", h.p("The basket is empty.", class_="muted"))
        coupon = (
            f"Coupon {self.state.coupon} takes {COUPONS[self.state.coupon]} euros off." if self.state.coupon else None
        )
        return self.page(
            "Basket",
            table(("Product", "Quantity", "Price", ""), rows, "Basket"),
            h.p(coupon, class_="note") if coupon else None,
            h.p(f"Total: {self.state.total()} euros", id="total"),
            form("/coupon", line("coupon", "Coupon code"), submit="Use coupon", id_="use-coupon"),
            link("checkout", "Go to checkout", "/checkout", "button"),
        )

    @post("/quantity/{number}")
    def quantity(self, request: Request, number: int) -> Redirect:
        """Take more or fewer."""
        quantity = request.form.get(f"quantity-{number}", "")
        if number not in self.state.basket or quantity not in QUANTITIES:
            raise NotFound
        self.state.basket[number] = int(quantity)
        return Redirect("/basket")

    @post("/remove/{number}")
    def remove(self, request: Request, number: int) -> Redirect:
        """Take a product out of the basket."""
        self.state.basket.pop(number, None)
        return Redirect("/basket")

    @post("/coupon")
    def use(self, request: Request) -> Redirect:
        """Use a coupon."""
        code = request.form.get("coupon", "").strip().upper()
        if code in COUPONS:
            self.state.coupon = code
        self.note = "Coupon accepted." if code in COUPONS else "There is no such coupon."
        return Redirect("/basket")

    @get("/checkout")
    def checkout(self, request: Request) -> Html | Redirect:
        """The form."""
        if not self.state.basket:
            self.note = "Put something into the basket first."
            return Redirect("/")
        return self._form({}, {})

    def _form(self, values: Mapping[str, str], errors: Mapping[str, str]) -> Html:
        deliveries = [_priced(name) for name in DELIVERIES]
        return self.page(
            "Checkout",
            h.p(f"{len(errors)} fields need another look.", role="alert", class_="error") if errors else None,
            form(
                "/checkout",
                [line(name, label, values.get(name, ""), errors.get(name)) for name, label in ADDRESS.items()],
                radios("delivery", "Delivery", deliveries, values.get("delivery", deliveries[0])),
                tick("gift", "Wrap it as a gift", "gift" in values),
                area("greeting", "Words on the gift card", values.get("greeting", ""), errors.get("greeting"), rows=2),
                line("card", "Card number", values.get("card", ""), errors.get("card")),
                line("expires", "Expires (month/year)", values.get("expires", ""), errors.get("expires")),
                tick("terms", "I accept the terms of sale", "terms" in values),
                h.p(errors["terms"], class_="error") if "terms" in errors else None,
                submit="Place order",
                id_="place-order",
            ),
        )

    @post("/checkout")
    def buy(self, request: Request) -> Html | Redirect:
        """Buy, unless something in the form is wrong."""
        if not self.state.basket:
            return Redirect("/")
        values = {name: value.strip() for name, value in request.form.items()}
        errors = {name: wrong for name, (fits, wrong) in CHECKS.items() if not fits(values.get(name, ""))}
        if "terms" not in values:
            errors["terms"] = "Accept the terms to order."
        if values.get("greeting") and "gift" not in values:
            errors["greeting"] = "Only gifts have a card."
        delivery = next((name for name in DELIVERIES if _priced(name) == values.get("delivery")), None)
        if errors or delivery is None:
            return self._form(values, errors)
        gift = (values.get("greeting") or "yes") if "gift" in values else ""
        card = values["card"].replace(" ", "")[-4:]
        self.state.order(tuple(values[name] for name in ADDRESS), delivery, gift, card)
        self.note = "Thank you for your order."
        return Redirect("/orders")

    @get("/orders")
    def orders(self, request: Request) -> Html:
        """What has been bought."""
        cards = [
            h.article(
                h.ul([h.li(f"{count} x {self.state.products[number - 1].name}") for number, count in order.items]),
                h.p(f"{order.delivery} delivery to {', '.join(order.address)}", class_="muted"),
            )
            for order in self.state.orders
        ]
        return self.page("Orders", cards or h.p("Nothing has been ordered.", class_="muted"))


def _priced(delivery: str) -> str:
    return f"{delivery} ({DELIVERIES[delivery]} euros)"


def populate(rng: np.random.Generator, size: int, now: datetime) -> Store:
    """A shop with 5, 8 or 12 products."""
    goods = some(rng, GOODS, {1: 5, 2: 8, 3: 12}[size])
    names = [f"{draw(rng, QUALITIES)} {good}".capitalize() for good in goods]
    return Store(tuple(Product(number, name, int(rng.integers(8, 90))) for number, name in enumerate(names, 1)))


@dataclass(frozen=True)
class Put:
    """Have so many of a product in the basket, or none."""

    product: Product
    quantity: int

    def apply(self, state: Store) -> None:
        """Put it in, or take it out."""
        state.basket.pop(self.product.number, None)
        if self.quantity:
            state.basket[self.product.number] = self.quantity

    def done(self, state: Store) -> bool:
        """Whether it is so."""
        return state.basket.get(self.product.number, 0) == self.quantity

    def step(self, view: View, state: Store) -> Step:
        """Add it among the products, or change what is in the basket."""
        number, inside = self.product.number, self.product.number in state.basket
        if view.path != ("/basket" if inside else "/"):
            return Step("click", "basket" if inside else "products")
        if not self.quantity:
            return Step("click", f"remove-{number}")
        wanted = {f"quantity-{number}": f"option:{self.quantity}"}
        return complete(view, wanted, f"{'update' if inside else 'add'}-{number}")


@dataclass(frozen=True)
class Use:
    """Use a coupon."""

    code: str

    def apply(self, state: Store) -> None:
        """Use it."""
        state.coupon = self.code

    def done(self, state: Store) -> bool:
        """Whether it is used."""
        return state.coupon == self.code

    def step(self, view: View, state: Store) -> Step:
        """Write it below the basket."""
        if view.path != "/basket":
            return Step("click", "basket")
        return complete(view, {"coupon": self.code}, "use-coupon")


@dataclass(frozen=True)
class Buy:
    """Order products: put them into the basket, use the coupon, and fill in the form."""

    items: tuple[Put, ...]
    address: tuple[str, ...]
    delivery: str
    greeting: str
    card: str
    coupon: str = ""

    def apply(self, state: Store) -> None:
        """Order."""
        for item in self.items:
            item.apply(state)
        state.coupon = self.coupon
        state.order(self.address, self.delivery, self.greeting, self.card[-4:])

    def done(self, state: Store) -> bool:
        """Whether something was ordered."""
        return bool(state.orders)

    def step(self, view: View, state: Store) -> Step:
        """What is missing in the basket, then the form."""
        before: list[Change] = [*self.items, *([Use(self.coupon)] if self.coupon else [])]
        for change in before:
            if not change.done(state):
                return change.step(view, state)
        if view.path != "/checkout":
            return Step("click", "checkout" if view.path == "/basket" else "basket")
        values = dict(zip(ADDRESS, self.address, strict=True))
        values[slug("delivery", _priced(self.delivery))] = "on"
        values["gift"] = "on" if self.greeting else ""
        if self.greeting:
            values["greeting"] = self.greeting
        return complete(view, values | {"card": self.card, "expires": "04/39", "terms": "on"}, "place-order")


def _items(state: Store, rng: np.random.Generator, count: int) -> tuple[Put, ...]:
    return tuple(Put(product, int(rng.integers(1, 5))) for product in some(rng, state.products, count))


def _named(items: tuple[Put, ...]) -> str:
    return listing(f"{item.quantity} x {item.product.name}" for item in items)


def _put(state: Store, rng: np.random.Generator, level: int) -> Assignment:
    items = _items(state, rng, level)
    return Assignment(f"Put {_named(items)} into the basket.", items)


def _fill(state: Store, rng: np.random.Generator, count: int) -> tuple[Put, ...]:
    """Some products that are in the basket already, in other quantities than those named."""
    items = _items(state, rng, count)
    for item in items:
        state.basket[item.product.number] = item.quantity % 4 + 1
    return items


def _change(state: Store, rng: np.random.Generator, level: int) -> Assignment:
    items = _fill(state, rng, level)
    return Assignment(f"Change what is in the basket to {_named(items)}.", items)


def _remove(state: Store, rng: np.random.Generator, level: int) -> Assignment:
    items = _fill(state, rng, level + 1)
    gone = tuple(Put(item.product, 0) for item in items[:level])
    return Assignment(f"Take the {listing(item.product.name for item in gone)} out of the basket.", gone)


def _coupon(state: Store, rng: np.random.Generator, level: int) -> Assignment:
    _fill(state, rng, 1)
    inside = next(iter(state.basket))
    free = [product for product in state.products if product.number != inside]
    items = tuple(Put(product, int(rng.integers(1, 5))) for product in some(rng, free, level - 1))
    use = Use(one(rng, COUPONS))
    first = f"Put {_named(items)} into the basket, and use" if items else "Use"
    return Assignment(f"{first} the coupon {use.code} for what is in the basket.", (*items, use))


def _buyer(form_filling: bool) -> Any:
    # With `form_filling` the form has the more in it the higher the level, otherwise the basket has.
    def ask(state: Store, rng: np.random.Generator, level: int) -> Assignment:
        name = people(rng, 1)[0]
        street, postcode = f"{draw(rng, STREETS)} {int(rng.integers(1, 99))}", f"{int(rng.integers(10000, 99999))}"
        items = _items(state, rng, 1 if form_filling else level)
        extras = level if form_filling else 1
        buy = Buy(
            items,
            (name, street, postcode, draw(rng, TOWNS), address(name)),
            one(rng, ("Express", "Collect")) if extras > 1 else "Standard",
            f"For you, {name.split()[0]}" if extras > 2 else "",
            _card(rng),
            one(rng, COUPONS) if extras > 3 else "",
        )
        to = ", ".join(buy.address)
        goal = (
            f"Order {_named(items)} for {to}, by {buy.delivery} delivery, with the card {buy.card}, which expires 04/39"
        )
        if buy.greeting:
            goal += f', wrapped as a gift with the words "{buy.greeting}"'
        if buy.coupon:
            goal += f", using the coupon {buy.coupon}"
        return Assignment(f"{goal}.", (buy,))

    return ask


def _card(rng: np.random.Generator) -> str:
    start = "4" + "".join(str(int(digit)) for digit in rng.integers(0, 10, 14))
    return next(f"{start}{digit}" for digit in range(10) if luhn(f"{start}{digit}"))


def _total(state: Store, rng: np.random.Generator, level: int) -> Assignment:
    _fill(state, rng, level)
    goal = "What does everything in the basket cost together? Answer with the number of euros."
    return Assignment(goal, answer=str(state.total()), look=seen("total", "basket"))


def _price(state: Store, rng: np.random.Generator, level: int) -> Assignment:
    items = _items(state, rng, level)
    total = sum(item.product.price * item.quantity for item in items)
    goal = f"What would {_named(items)} cost{' together' * (level > 1)}? Answer with the number of euros."
    return Assignment(goal, answer=str(total), look=seen(f"add-{items[0].product.number}", "products"))


TEMPLATES = (
    Template("store-put", StoreApp, populate, _put),
    Template("store-change", StoreApp, populate, _change),
    Template("store-remove", StoreApp, populate, _remove),
    Template("store-coupon", StoreApp, populate, _coupon),
    Template("store-order", StoreApp, populate, _buyer(form_filling=False)),
    Template("store-checkout", StoreApp, populate, _buyer(form_filling=True)),
    Template("store-total", StoreApp, populate, _total),
    Template("store-price", StoreApp, populate, _price),
)
