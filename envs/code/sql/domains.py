"""What the databases are about: eleven domains, of which the last three are only for testing."""

from __future__ import annotations

from .schema import Column, Schema, Table


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CITIES = _words("Oslo Lyon Porto Gdansk Turin Ghent Malmo Graz Split Cork")
COUNTRIES = _words("Norway France Portugal Poland Italy Belgium Sweden Austria Croatia Ireland")
PEOPLE = (
    _words("Ada Bruno Carla Dmitri Elena Farid Greta Hugo Ines Jonas Kira Luca Mara Nils Olga Pavel"),
    _words("Alder Berg Costa Duarte Ek Ferri Gruber Horvat Ivanov Jansen Kovac Lind Moreau Novak Olsen Petit"),
)
"""First and last names."""
THINGS = (
    _words("Amber Broken Crimson Distant Early Frozen Golden Hidden Iron Jade Kind Last Modern Northern Open Quiet"),
    _words(
        "Anchor Bridge Candle Door Engine Forest Garden Harbour Island Journey Kettle Lantern Mirror River Stone Tower"
    ),
)


def _id() -> Column:
    return Column("id", "identifier", "id")


def _person() -> Column:
    return Column("name", "name", "label", PEOPLE[0] + PEOPLE[1])


def _label(name: str = "name", phrase: str = "") -> Column:
    return Column(name, phrase or name, "label", THINGS[0] + THINGS[1])


def _category(name: str, values: str, phrase: str = "", optional: bool = False) -> Column:
    return Column(name, phrase or name.replace("_", " "), "category", _words(values), optional=optional)


def _city() -> Column:
    return Column("city", "city", "category", CITIES)


def _country() -> Column:
    return Column("country", "country", "category", COUNTRIES)


def _integer(name: str, low: int, high: int, phrase: str = "", optional: bool = False) -> Column:
    return Column(name, phrase or name.replace("_", " "), "integer", low=low, high=high, optional=optional)


def _real(name: str, low: int, high: int, phrase: str = "", optional: bool = False) -> Column:
    return Column(name, phrase or name.replace("_", " "), "real", low=low, high=high, optional=optional)


def _date(name: str, phrase: str, low: int = 2018, high: int = 2023) -> Column:
    return Column(name, phrase, "date", low=low, high=high)


def _key(target: str) -> Column:
    return Column(f"{target}_id", target, "key", target=target)


def _many(noun: str, *columns: Column, plural: str = "") -> Table:
    """A table of things that others refer to."""
    return Table(noun, noun, plural or f"{noun}s", (_id(), *columns), 12, 22)


def _events(noun: str, *columns: Column, plural: str = "") -> Table:
    """A table of what happens to them, which has more rows."""
    return Table(noun, noun, plural or f"{noun}s", (_id(), *columns), 45, 90)


DOMAINS = (
    Schema(
        "library",
        (
            _many("author", _person(), _country(), _integer("birth_year", 1900, 1995)),
            _many(
                "book",
                _label("title"),
                _key("author"),
                _category("genre", "fantasy crime history poetry science"),
                _integer("pages", 80, 900, "number of pages"),
                _real("price", 5, 60, optional=True),
                _date("published", "publication date", 1990, 2023),
            ),
            _many("member", _person(), _city(), _date("joined", "joining date")),
            _events(
                "loan",
                _key("book"),
                _key("member"),
                _date("loan_date", "date"),
                _integer("days", 1, 40, "length in days"),
            ),
        ),
    ),
    Schema(
        "shop",
        (
            _many(
                "customer",
                _person(),
                _city(),
                _category("segment", "private business public"),
                _date("joined", "joining date"),
            ),
            _many(
                "product",
                _label(),
                _category("category", "kitchen garden office sport toys"),
                _real("price", 2, 400),
                _integer("stock", 0, 500, "stock", optional=True),
            ),
            _events(
                "order",
                _key("customer"),
                _date("order_date", "date"),
                _category("status", "open paid shipped returned"),
            ),
            _events("line", _key("order"), _key("product"), _integer("quantity", 1, 60)),
        ),
    ),
    Schema(
        "clinic",
        (
            _many(
                "doctor",
                _person(),
                _category("specialty", "surgery cardiology pediatrics radiology"),
                _integer("salary", 40000, 160000),
                _date("hired", "hiring date", 2005, 2023),
            ),
            _many(
                "patient",
                _person(),
                _city(),
                _date("birth_date", "date of birth", 1940, 2015),
                _integer("weight", 30, 130, optional=True),
            ),
            _events(
                "visit",
                _key("doctor"),
                _key("patient"),
                _date("visit_date", "date"),
                _category("reason", "checkup injury fever allergy"),
                _real("cost", 20, 900),
            ),
        ),
    ),
    Schema(
        "airline",
        (
            _many("airport", _label(), _country(), _integer("elevation", 1, 2500)),
            _many(
                "aircraft",
                _label(),
                _category("maker", "Airbus Boeing Embraer"),
                _integer("seats", 40, 420, "number of seats"),
                _integer("flight_range", 900, 16000, "range", optional=True),
                plural="aircraft",
            ),
            _events(
                "flight",
                _key("airport"),
                _key("aircraft"),
                _date("flight_date", "date"),
                _integer("distance", 150, 9000),
                _integer("passengers", 10, 400, "number of passengers", optional=True),
            ),
        ),
    ),
    Schema(
        "music",
        (
            _many("artist", _label(), _country(), _integer("founded", 1950, 2015, "founding year")),
            _many(
                "album",
                _label("title"),
                _key("artist"),
                _category("style", "jazz rock folk electronic"),
                _date("released", "release date", 1990, 2023),
                _real("price", 4, 50, optional=True),
            ),
            _events(
                "track",
                _label("title"),
                _key("album"),
                _integer("seconds", 60, 900, "length in seconds"),
                _integer("plays", 0, 90000, "number of plays"),
            ),
        ),
    ),
    Schema(
        "university",
        (
            _many(
                "department",
                _label(),
                _category("faculty", "arts science law medicine"),
                _integer("budget", 100000, 9000000),
            ),
            _many(
                "student",
                _person(),
                _key("department"),
                _integer("credits", 0, 300, "number of credits"),
                _date("enrolled", "enrolment date", 2015, 2023),
            ),
            _many(
                "course",
                _label("title"),
                _key("department"),
                _category("level", "basic advanced graduate"),
                _integer("hours", 10, 120, "number of hours", optional=True),
            ),
            _events("exam", _key("student"), _key("course"), _integer("grade", 1, 100), _date("exam_date", "date")),
        ),
    ),
    Schema(
        "company",
        (
            _many("office", _label(), _country(), _date("opened", "opening date", 1980, 2020)),
            _many(
                "employee",
                _person(),
                _key("office"),
                _category("role", "engineer analyst designer manager"),
                _integer("salary", 25000, 150000),
                _date("hired", "hiring date", 2005, 2023),
            ),
            _many(
                "project",
                _label("title"),
                _key("office"),
                _category("status", "planned active finished"),
                _integer("budget", 10000, 900000, optional=True),
            ),
            _events(
                "assignment",
                _key("employee"),
                _key("project"),
                _integer("hours", 2, 400, "number of hours"),
                _date("start_date", "starting date"),
            ),
        ),
    ),
    Schema(
        "football",
        (
            _many(
                "club",
                _label(),
                _city(),
                _integer("founded", 1870, 1990, "founding year"),
                _integer("capacity", 3000, 80000, "stadium capacity", optional=True),
            ),
            _many(
                "player",
                _person(),
                _key("club"),
                _category("position", "keeper defender midfielder striker"),
                _date("birth_date", "date of birth", 1985, 2006),
                _integer("height", 160, 205),
            ),
            _events(
                "goal",
                _key("player"),
                _date("goal_date", "date"),
                _integer("minute", 1, 95),
                _category("manner", "header penalty freekick volley"),
            ),
        ),
    ),
    Schema(
        "restaurants",
        (
            _many(
                "restaurant",
                _label(),
                _category("cuisine", "thai greek mexican french"),
                _city(),
                _integer("seats", 12, 220, "number of seats"),
            ),
            _many(
                "dish",
                _label(),
                _key("restaurant"),
                _category("course", "starter main dessert"),
                _real("price", 4, 60),
                _integer("calories", 80, 1500, optional=True),
                plural="dishes",
            ),
            _events(
                "review",
                _key("restaurant"),
                _date("review_date", "date"),
                _integer("stars", 1, 50, "rating"),
                _category("source", "web paper guide"),
            ),
        ),
    ),
    Schema(
        "zoo",
        (
            _many(
                "keeper",
                _person(),
                _category("shift", "morning evening night"),
                _integer("salary", 20000, 60000),
                _date("hired", "hiring date", 2005, 2023),
            ),
            _many(
                "animal",
                _label(),
                _key("keeper"),
                _category("species", "lion otter heron tapir lemur"),
                _real("weight", 1, 400),
                _date("born", "date of birth", 2000, 2023),
            ),
            _events(
                "feeding",
                _key("animal"),
                _date("feeding_date", "date"),
                _category("food", "fish fruit meat hay"),
                _integer("grams", 50, 9000, "weight in grams"),
            ),
        ),
    ),
    Schema(
        "shipping",
        (
            _many("port", _label(), _country(), _integer("depth", 5, 30, optional=True)),
            _many(
                "ship",
                _label(),
                _key("port"),
                _category("cargo", "grain oil cars containers"),
                _integer("tonnage", 900, 200000),
                _date("launched", "launch date", 1985, 2023),
            ),
            _events(
                "voyage",
                _key("ship"),
                _date("departure", "departure date"),
                _integer("distance", 100, 12000),
                _real("cost", 1000, 90000),
            ),
        ),
    ),
)
"""In this order; :data:`HELD_OUT` of them at the end are shown by no task but those of the test split."""
HELD_OUT = 3
