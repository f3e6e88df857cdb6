"""A map to pan and zoom, with places to find, keep and rate, and ways between them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from .app import App, NotFound, Redirect, Request, get, post
from .content import LAST, STREETS, TOWNS, draw
from .html import Html, choice, form, h, line, link, press, radios, slug
from .task import Assignment, Step, Template, View, complete, listing, one, some

SPAN = 1000
"""The map's width and height."""
ZOOMS = (1, 2, 3, 4)
"""At zoom z the window shows a part of the map that is ``SPAN / 2**(z - 1)`` wide."""
KINDS = ("Cafe", "Museum", "Park", "Bakery", "Station", "School")
MODES = ("on foot", "by bicycle", "by bus")
STARS = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
# Colours of the kinds on the map, in the order of KINDS.
_COLOURS = ("#8d5524", "#6a4c93", "#2a9d4a", "#c9771e", "#33658a", "#b23a48")


class Place(NamedTuple):
    """Somewhere on the map; small places are only shown from zoom 3 on."""

    number: int
    name: str
    kind: str
    x: int
    y: int
    street: str
    opens: str
    small: bool


class Window(NamedTuple):
    """The part of the map that is shown: its middle and the zoom."""

    x: int
    y: int
    zoom: int

    @property
    def width(self) -> int:
        """How much of the map it shows."""
        return int(SPAN >> (self.zoom - 1))

    def shows(self, place: Place) -> bool:
        """Whether a place is to be seen."""
        half = self.width // 2
        inside = abs(place.x - self.x) <= half and abs(place.y - self.y) <= half
        return inside and (not place.small or self.zoom >= 3)


@dataclass
class Map:
    """The places, and what the user made of them."""

    town: str
    places: tuple[Place, ...]
    saved: set[int] = field(default_factory=set)
    ratings: dict[int, str] = field(default_factory=dict)
    route: tuple[int, int, str] | None = None
    home: Window | None = None

    def facts(self) -> Any:
        """What counts; the window kept as home is for the change that asks for it to judge."""
        return sorted(self.saved), sorted(self.ratings.items()), self.route

    def nearest(self, place: Place) -> list[tuple[int, Place]]:
        """The four nearest places, with their distance in metres."""
        others = [(round(10 * math.dist(place[3:5], other[3:5])), other) for other in self.places if other != place]
        return sorted(others)[:4]


class PlacesApp(App[Map]):
    """The pages."""

    name, title, accent = "map", "Map", "#3f6f8f"
    menu = (("map", "Map", "/"), ("saved", "Saved places", "/saved"), ("directions", "Directions", "/directions"))

    @get("/")
    def map(self, request: Request) -> Html:
        """A window of the map, to be moved by buttons or by dragging."""
        window = window_of(request.query)
        step = window.width // 4
        buttons = [
            self._button("north", "North", window, 0, -step),
            self._button("south", "South", window, 0, step),
            self._button("west", "West", window, -step, 0),
            self._button("east", "East", window, step, 0),
            link("zoom-in", "Zoom in", _address(window._replace(zoom=window.zoom + 1)), "button"),
            link("zoom-out", "Zoom out", _address(window._replace(zoom=window.zoom - 1)), "button"),
            press("keep", "Keep as home view", "/home", **window._asdict()),
        ]
        return self.page(
            self.state.town,
            form("/search", line("words", "Search places"), submit="Search", id_="search", method="get"),
            h.div(buttons, h.span(f"Zoom {window.zoom} of {ZOOMS[-1]}", class_="muted"), class_="actions"),
            self._drawing(window),
            h.script(Html(_DRAG)),
        )

    def _button(self, id_: str, text: str, window: Window, x: int, y: int) -> Html:
        return link(id_, text, _address(window._replace(x=window.x + x, y=window.y + y)), "button")

    def _drawing(self, window: Window) -> Html:
        half, size = window.width // 2, window.width / 60
        streets = [
            h.path(d=f"M0 {y} L{SPAN} {y + 60}", stroke="#fff", stroke_width=9) for y in range(90, SPAN, 170)
        ] + [h.path(d=f"M{x} 0 L{x - 50} {SPAN}", stroke="#fff", stroke_width=9) for x in range(120, SPAN, 190)]
        river = h.path(d=f"M0 700 C300 500 600 900 {SPAN} 640", fill="none", stroke="#9cc7e4", stroke_width=34)
        marks = [
            h.a(
                h.circle(cx=place.x, cy=place.y, r=size, fill=_COLOURS[KINDS.index(place.kind)]),
                h.text(place.name, x=place.x + 1.4 * size, y=place.y + size / 2, font_size=1.6 * size),
                id=f"place-{place.number}",
                href=f"/place/{place.number}",
            )
            for place in self.state.places
            if window.shows(place)
        ]
        return h.svg(
            h.rect(width=SPAN, height=SPAN, fill="#e9ead9"),
            river,
            streets,
            marks,
            viewBox=f"{window.x - half} {window.y - half} {2 * half} {2 * half}",
            style="width:100%;height:430px;border:1px solid #c3ccd8;border-radius:8px;cursor:grab",
            id="window",
            data_x=window.x,
            data_y=window.y,
            data_zoom=window.zoom,
            role="group",
            aria_label="Map window",
        )

    @post("/home")
    def home(self, request: Request) -> Redirect:
        """Keep the window."""
        self.state.home = window_of(request.form)
        self.note = "Kept as home view."
        return Redirect(_address(self.state.home))

    @get("/search")
    def search(self, request: Request) -> Html:
        """Places by name or kind."""
        words = request.query.get("words", "").casefold().split()
        found = [p for p in self.state.places if all(word in f"{p.name} {p.kind}".casefold() for word in words)]
        return self.page(
            "Places found",
            form(
                "/search", line("words", "Search places", " ".join(words)), submit="Search", id_="search", method="get"
            ),
            self._list(found[:12]),
        )

    @get("/saved")
    def saved(self, request: Request) -> Html:
        """The places that the user saved."""
        return self.page("Saved places", self._list([p for p in self.state.places if p.number in self.state.saved]))

    def _list(self, places: list[Place]) -> Html:
        if not places:
            return h.p("None.", class_="muted")
        return h.ul([h.li(link(f"place-{p.number}", p.name, f"/place/{p.number}"), f" {p.kind}") for p in places])

    @get("/place/{number}")
    def place(self, request: Request, number: int) -> Html:
        """One place."""
        place = self._find(number)
        near = [
            h.li(link(f"near-{other.number}", other.name, f"/place/{other.number}"), f" {other.kind}, {metres} m")
            for metres, other in self.state.nearest(place)
        ]
        save = ("Saved", "on") if number in self.state.saved else ("Save", None)
        return self.page(
            place.name,
            h.dl(
                *(h.dt("Kind"), h.dd(place.kind), h.dt("Street"), h.dd(place.street)),
                *(h.dt("Opens"), h.dd(place.opens), h.dt("Your rating"), h.dd(self.state.ratings.get(number, "none"))),
            ),
            h.div(
                press("save", save[0], f"/save/{number}", save[1]),
                link("show", "Show on map", _address(Window(place.x, place.y, 3)), "button"),
                link("route", "Directions from here", f"/directions?start={number}", "button"),
                class_="actions",
            ),
            form(
                f"/rate/{number}",
                radios("stars", "Your rating", STARS, self.state.ratings.get(number, "")),
                submit="Rate",
                id_="rate",
            ),
            h.h2("Nearby"),
            h.ul(near),
        )

    @post("/save/{number}")
    def save(self, request: Request, number: int) -> Redirect:
        """Save a place, or no longer."""
        self.state.saved ^= {self._find(number).number}
        return Redirect(f"/place/{number}")

    @post("/rate/{number}")
    def rate(self, request: Request, number: int) -> Redirect:
        """Rate a place."""
        place, stars = self._find(number), request.form.get("stars", "")
        if stars in STARS:
            self.state.ratings[place.number] = stars
        self.note = "Thank you." if stars in STARS else "Choose how many stars."
        return Redirect(f"/place/{number}")

    @get("/directions")
    def directions(self, request: Request) -> Html:
        """The way from one place to another."""
        names = {str(place.number): place.name for place in self.state.places}
        start, end, mode = names.get(request.query.get("start", ""), ""), "", MODES[0]
        shown = None
        if self.state.route is not None:
            first, last, mode = self.state.route
            here, there = self._find(first), self._find(last)
            start, end = start or here.name, there.name
            metres = round(10 * math.dist(here[3:5], there[3:5]))
            shown = h.p(f"From {here.name} to {there.name} {mode}: {metres} m.", class_="card")
        listed = ["", *sorted(names.values())]
        return self.page(
            "Directions",
            form(
                "/directions",
                choice("start", "From", listed, start),
                choice("end", "To", listed, end),
                radios("mode", "How", MODES, mode),
                submit="Go",
                id_="go",
            ),
            shown,
        )

    @post("/directions")
    def route(self, request: Request) -> Redirect:
        """Keep a way."""
        numbers = {place.name: place.number for place in self.state.places}
        start, end = (numbers.get(request.form.get(name, "")) for name in ("start", "end"))
        mode = request.form.get("mode", "")
        if start is None or end is None or start == end or mode not in MODES:
            self.note = "Choose two different places."
        else:
            self.state.route = start, end, mode
        return Redirect("/directions")

    def _find(self, number: int) -> Place:
        if not 1 <= number <= len(self.state.places):
            raise NotFound
        return self.state.places[number - 1]


# Dragging the drawing moves the window: an address with another middle is opened when the button is released.
_DRAG = """(() => {
  const box = document.getElementById('window'), {x, y, zoom} = box.dataset;
  let from = null;
  box.addEventListener('mousedown', e => { from = e; e.preventDefault(); });
  addEventListener('mouseup', e => {
    if (!from) return;
    const unit = box.viewBox.baseVal.width / box.clientHeight;
    const right = Math.round((from.clientX - e.clientX) * unit), down = Math.round((from.clientY - e.clientY) * unit);
    from = null;
    if (Math.abs(right) + Math.abs(down) > 4 * unit) location.href = `/?x=${+x + right}&y=${+y + down}&zoom=${zoom}`;
  });
})();"""


def window_of(values: Any) -> Window:
    """The window that ``x``, ``y`` and ``zoom`` describe, kept on the map."""

    def number(name: str, default: int) -> int:
        text = values.get(name, "")
        digits = text.removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 7 else default

    zoom = min(max(number("zoom", 1), ZOOMS[0]), ZOOMS[-1])
    half = (SPAN >> (zoom - 1)) // 2
    x, y = (min(max(number(name, SPAN // 2), half), SPAN - half) for name in ("x", "y"))
    return Window(x, y, zoom)


def _address(window: Window) -> str:
    return f"/?x={window.x}&y={window.y}&zoom={window.zoom}"


def populate(rng: np.random.Generator, size: int, now: datetime) -> Map:
    """A map with 8, 16 or 28 places, half of them small."""
    count = {1: 8, 2: 16, 3: 28}[size]
    spots = rng.permutation(36)[:count]
    names = [f"{LAST[i]} {kind}" for i in range(len(LAST)) for kind in KINDS]
    places = []
    for number, (spot, index) in enumerate(zip(spots.tolist(), rng.permutation(len(names))[:count], strict=True), 1):
        x, y = (85 + 165 * cell + int(rng.integers(-45, 46)) for cell in (spot % 6, spot // 6))
        name = names[int(index)]
        street = f"{draw(rng, STREETS)} {int(rng.integers(1, 90))}"
        kind, opens = name.split()[1], f"{int(rng.integers(6, 12)):02}:{draw(rng, ('00', '30'))}"
        places.append(Place(number, name, kind, x, y, street, opens, number % 2 == 0))
    return Map(draw(rng, TOWNS), tuple(places))


@dataclass(frozen=True)
class Save:
    """Save a place."""

    place: Place

    def apply(self, state: Map) -> None:
        """Save it."""
        state.saved.add(self.place.number)

    def done(self, state: Map) -> bool:
        """Whether it is saved."""
        return self.place.number in state.saved

    def step(self, view: View, state: Map) -> Step:
        """Find it and press the button."""
        return _find(view, self.place) or Step("click", "save")


@dataclass(frozen=True)
class Rate:
    """Rate a place."""

    place: Place
    stars: str

    def apply(self, state: Map) -> None:
        """Rate it."""
        state.ratings[self.place.number] = self.stars

    def done(self, state: Map) -> bool:
        """Whether it is rated so."""
        return state.ratings.get(self.place.number) == self.stars

    def step(self, view: View, state: Map) -> Step:
        """Find it, choose the stars, press the button."""
        return _find(view, self.place) or complete(view, {slug("stars", self.stars): "on"}, "rate")


@dataclass(frozen=True)
class Route:
    """Ask for the way."""

    start: Place
    end: Place
    mode: str

    def apply(self, state: Map) -> None:
        """Ask."""
        state.route = self.start.number, self.end.number, self.mode

    def done(self, state: Map) -> bool:
        """Whether it is shown."""
        return state.route == (self.start.number, self.end.number, self.mode)

    def step(self, view: View, state: Map) -> Step:
        """Fill in the form."""
        if view.path != "/directions":
            return Step("click", "directions")
        values = {"start": f"option:{self.start.name}", "end": f"option:{self.end.name}"}
        return complete(view, values | {slug("mode", self.mode): "on"}, "go")


@dataclass(frozen=True)
class Frame:
    """Keep a window as home that shows a place at a zoom."""

    place: Place
    zoom: int

    def apply(self, state: Map) -> None:
        """Keep it."""
        state.home = Window(self.place.x, self.place.y, self.zoom)

    def done(self, state: Map) -> bool:
        """Whether the window that was kept shows the place at this zoom."""
        return state.home is not None and state.home.zoom == self.zoom and state.home.shows(self.place)

    def step(self, view: View, state: Map) -> Step:
        """Pan until the place is near the middle, zoom, keep."""
        if view.path != "/":
            return Step("click", "map")
        window = window_of(view.query)
        if window.zoom > self.zoom:
            return Step("click", "zoom-out")
        reach = (SPAN >> (self.zoom - 1)) // 2
        right, down = self.place.x - window.x, self.place.y - window.y
        # A step is a quarter of the window: far away it is quicker to pan before zooming in.
        step, half = window.width // 4, window.width // 2
        for distance, low, high, place in ((right, "west", "east", window.x), (down, "north", "south", window.y)):
            if abs(distance) > reach and abs(distance) > step // 2 and half < (place if distance < 0 else SPAN - place):
                return Step("click", low if distance < 0 else high)
        return Step("click", "zoom-in" if window.zoom < self.zoom else "keep")


def _find(view: View, place: Place) -> Step | None:
    """The next action towards a place's page, None on it: by its mark or by searching."""
    if view.path == f"/place/{place.number}":
        return None
    if f"place-{place.number}" in view.ids:
        return Step("click", f"place-{place.number}")
    return complete(view, {"words": place.name}, "search") if "search" in view.ids else Step("click", "map")


def _save(state: Map, rng: np.random.Generator, level: int) -> Assignment:
    chosen = some(rng, state.places, level)
    goal = f"Save the place{'s' * (level > 1)} {listing(place.name for place in chosen)}."
    return Assignment(goal, tuple(Save(place) for place in chosen))


def _rate(state: Map, rng: np.random.Generator, level: int) -> Assignment:
    rates = [Rate(place, draw(rng, STARS)) for place in some(rng, state.places, level)]
    wishes = [f"{rate.place.name} {rate.stars}" for rate in rates]
    return Assignment(f"Give {listing(wishes)}.", tuple(rates))


def _route(state: Map, rng: np.random.Generator, level: int) -> Assignment:
    start, end, *saved = some(rng, state.places, 1 + level) if level > 1 else some(rng, state.places, 2)
    changes: list[Any] = [Route(start, end, draw(rng, MODES))]
    goal = f"Get directions from {start.name} to {end.name} {changes[0].mode}"
    if saved:
        goal += f", and save {listing(place.name for place in saved)}"
    return Assignment(f"{goal}.", (*changes, *(Save(place) for place in saved)))


def _frame(state: Map, rng: np.random.Generator, level: int) -> Assignment:
    place = one(rng, (place for place in state.places if level >= 3 or not place.small))
    goal = f"Bring {place.name} into the map window at zoom {level}, and keep it as home view."
    return Assignment(goal, (Frame(place, level),))


def _opens(state: Map, rng: np.random.Generator, level: int) -> Assignment:
    chosen = some(rng, state.places, level)
    first = min(chosen, key=lambda place: (place.opens, place.number))
    last = chosen[-1]
    if level == 1:
        goal, answer = f"When does {last.name} open? Answer as in 09:30.", last.opens
    else:
        goal = f"When does the first of {listing(p.name for p in chosen)} open? Answer as in 09:30."
        answer = first.opens
    return Assignment(goal, answer=answer, look=lambda view: _find(view, first if level > 1 else last))


def _near(state: Map, rng: np.random.Generator, level: int) -> Assignment:
    place = one(rng, state.places)
    rank = ("nearest", "second-nearest", "third-nearest", "fourth-nearest")[level - 1]
    goal = f"What is the {rank} place to {place.name}? Answer with its name."
    return Assignment(goal, answer=state.nearest(place)[level - 1][1].name, look=lambda view: _find(view, place))


TEMPLATES = (
    Template("map-save", PlacesApp, populate, _save),
    Template("map-rate", PlacesApp, populate, _rate),
    Template("map-route", PlacesApp, populate, _route),
    Template("map-frame", PlacesApp, populate, _frame),
    Template("map-opens", PlacesApp, populate, _opens),
    Template("map-near", PlacesApp, populate, _near),
)
