"""An administrator's panel behind a login: accounts, roles and settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from .app import App, NotFound, Redirect, Request, get, positive, post
from .content import THINGS, address, draw, people
from .html import Html, choice, form, h, line, link, pager, press, table, tick
from .task import Assignment, Step, Template, View, complete, listing, one, page_of, quoted, seen, some, towards

ROLES = ("reader", "writer", "editor", "manager")
SETTINGS = {
    "registration": "Anyone may register",
    "comments": "Comments are allowed",
    "approval": "Comments wait for approval",
    "newsletter": "Send a newsletter",
    "maintenance": "Maintenance mode",
    "statistics": "Count visits",
}
PER_PAGE = 8


@dataclass
class Account:
    """One account."""

    number: int
    login: str
    name: str
    email: str
    role: str
    seen: str
    active: bool = True
    temporary: str = ""
    """A password that was set for it."""


@dataclass
class Panel:
    """The accounts, the settings, and who is signed in."""

    password: str
    settings: dict[str, bool]
    accounts: list[Account] = field(default_factory=list)
    signed_in: bool = False
    last: int = 0

    def facts(self) -> Any:
        """What counts; being signed in does not."""
        accounts = [(a.login, a.name, a.email, a.role, a.active, a.temporary) for a in self.accounts]
        return sorted(accounts), sorted(self.settings.items())

    def add(self, login: str, name: str, email: str, role: str, seen_: str = "never") -> Account:
        """Make an account."""
        self.last += 1
        self.accounts.append(Account(self.last, login, name, email, role, seen_))
        return self.accounts[-1]

    def find(self, login: str) -> Account | None:
        """The account with this login."""
        return next((account for account in self.accounts if account.login == login), None)


class AdminApp(App[Panel]):
    """The pages; without a login every one of them leads to the form for it."""

    name, title, accent = "admin", "Control panel", "#37474f"
    menu = (("users", "Users", "/"), ("create", "New user", "/create"), ("settings", "Settings", "/settings"))

    def bar(self) -> Iterable[Any]:
        """Nothing before the login."""
        return [*super().bar(), press("sign-out", "Sign out", "/sign-out")] if self.state.signed_in else []

    def _handle(self, handler: Any, request: Request, numbers: dict[str, int]) -> Any:
        if not self.state.signed_in and request.path != "/sign-in":
            handler, numbers = self.login, {}
        return super()._handle(handler, request, numbers)

    @get("/sign-in")
    def login(self, request: Request) -> Html:
        """The form for the login."""
        return self._login(None)

    def _login(self, error: str | None) -> Html:
        return self.page(
            "Sign in",
            form(
                "/sign-in",
                line("user", "User"),
                line("password", "Password", "", error, type="password"),
                submit="Sign in",
                id_="sign-in",
            ),
        )

    @post("/sign-in")
    def sign_in(self, request: Request) -> Html | Redirect:
        """Sign in."""
        if (request.form.get("user", "").strip(), request.form.get("password")) != ("admin", self.state.password):
            return self._login("User or password are wrong.")
        self.state.signed_in = True
        return Redirect("/")

    @post("/sign-out")
    def sign_out(self, request: Request) -> Redirect:
        """Sign out."""
        self.state.signed_in = False
        return Redirect("/sign-in")

    @get("/")
    def users(self, request: Request) -> Html:
        """All accounts."""
        accounts, page = sorted(self.state.accounts, key=lambda a: a.login), positive(request.query.get("page", "1"))
        rows = [
            (
                link(f"user-{account.number}", account.login, f"/user/{account.number}"),
                account.name,
                account.role,
                "active" if account.active else "locked",
            )
            for account in accounts[(page - 1) * PER_PAGE : page * PER_PAGE]
        ]
        return self.page(
            "Users",
            table(("Login", "Name", "Role", "State"), rows, "Users"),
            pager(len(accounts), PER_PAGE, page, lambda number: f"/?page={number}"),
        )

    @get("/user/{number}")
    def user(self, request: Request, number: int) -> Html:
        """One account."""
        account = self._find(number)
        return self.page(
            account.login,
            h.dl(
                *(h.dt("Name"), h.dd(account.name), h.dt("Email"), h.dd(account.email)),
                *(h.dt("Last seen"), h.dd(account.seen), h.dt("State"), h.dd("active" if account.active else "locked")),
            ),
            form(
                f"/role/{number}", choice("role", "Role", ROLES, account.role), submit="Change role", id_="change-role"
            ),
            form(f"/reset/{number}", line("temporary", "New password"), submit="Set password", id_="set-password"),
            h.div(
                press("lock", "Lock account" if account.active else "Unlock account", f"/lock/{number}"),
                press("delete", "Delete account", f"/delete/{number}"),
                class_="actions",
            ),
        )

    @post("/role/{number}")
    def role(self, request: Request, number: int) -> Redirect:
        """Give an account another role."""
        account, role = self._find(number), request.form.get("role", "")
        if role not in ROLES:
            raise NotFound
        account.role = role
        self.note = f"{account.login} is a {role}."
        return Redirect(f"/user/{number}")

    @post("/reset/{number}")
    def reset(self, request: Request, number: int) -> Redirect:
        """Set a password."""
        account, password = self._find(number), request.form.get("temporary", "").strip()
        if len(password) < 6:
            self.note = "A password has at least six characters."
        else:
            account.temporary = password
            self.note = "The password is set."
        return Redirect(f"/user/{number}")

    @post("/lock/{number}")
    def lock(self, request: Request, number: int) -> Redirect:
        """Lock an account, or unlock it."""
        account = self._find(number)
        account.active = not account.active
        return Redirect(f"/user/{number}")

    @post("/delete/{number}")
    def delete(self, request: Request, number: int) -> Redirect:
        """Remove an account."""
        account = self._find(number)
        self.state.accounts.remove(account)
        self.note = f"Deleted {account.login}."
        return Redirect("/")

    @get("/create")
    def create(self, request: Request) -> Html:
        """An empty form."""
        return self._form({}, {})

    def _form(self, values: dict[str, str], errors: dict[str, str]) -> Html:
        return self.page(
            "New user",
            form(
                "/create",
                line("login", "Login", values.get("login", ""), errors.get("login")),
                line("name", "Name", values.get("name", ""), errors.get("name")),
                line("email", "Email", values.get("email", ""), errors.get("email")),
                choice("role", "Role", ROLES, values.get("role", ROLES[0])),
                submit="Create user",
                id_="create-user",
            ),
        )

    @post("/create")
    def make(self, request: Request) -> Html | Redirect:
        """Make the account of the form."""
        values = {name: request.form.get(name, "").strip() for name in ("login", "name", "email", "role")}
        errors = {}
        if not re.fullmatch(r"[a-z0-9]{3,12}", values["login"]):
            errors["login"] = "A login has 3 to 12 small letters or digits."
        elif self.state.find(values["login"]):
            errors["login"] = "This login is taken."
        if not values["name"]:
            errors["name"] = "Write the name."
        if not re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", values["email"]):
            errors["email"] = "That is no email address."
        if errors or values["role"] not in ROLES:
            return self._form(values, errors)
        self.state.add(**values)
        self.note = f"Created {values['login']}."
        return Redirect("/")

    @get("/settings")
    def settings(self, request: Request) -> Html:
        """The switches."""
        boxes = [tick(name, label, self.state.settings[name]) for name, label in SETTINGS.items()]
        return self.page("Settings", form("/settings", boxes, submit="Save settings", id_="save-settings"))

    @post("/settings")
    def save(self, request: Request) -> Redirect:
        """Set the switches."""
        self.state.settings = {name: request.form.get(name) == "on" for name in SETTINGS}
        self.note = "Settings saved."
        return Redirect("/settings")

    def _find(self, number: int) -> Account:
        for account in self.state.accounts:
            if account.number == number:
                return account
        raise NotFound


def populate(rng: np.random.Generator, size: int, now: datetime) -> Panel:
    """A panel with 5, 11 or 20 accounts."""
    password = f"{draw(rng, THINGS)}-{int(rng.integers(100, 999))}"
    panel = Panel(password, {name: bool(rng.integers(2)) for name in SETTINGS})
    for name in people(rng, {1: 5, 2: 11, 3: 20}[size]):
        last_seen = now - timedelta(days=int(rng.integers(1, 300)))
        account = panel.add(_login(name), name, address(name), draw(rng, ROLES), f"{last_seen:%Y-%m-%d}")
        account.active = bool(rng.random() < 0.8)
    return panel


def _login(name: str) -> str:
    first, last = name.lower().split()
    return f"{first[0]}{last}"[:12]


class _Change:
    """What every change here begins with: the login."""

    def step(self, view: View, state: Panel) -> Step:
        """Sign in if need be, then go on."""
        if not state.signed_in:
            return complete(view, {"user": "admin", "password": state.password}, "sign-in")
        return self.then(view, state)

    def then(self, view: View, state: Panel) -> Step:
        """The next action once signed in."""
        raise NotImplementedError


@dataclass(frozen=True)
class Set(_Change):
    """Give an account another role, password, or state (``active``)."""

    login: str
    name: str
    value: Any

    def apply(self, state: Panel) -> None:
        """Set it."""
        setattr(state.find(self.login), self.name, self.value)

    def done(self, state: Panel) -> bool:
        """Whether it is so."""
        account = state.find(self.login)
        return account is not None and getattr(account, self.name) == self.value

    def then(self, view: View, state: Panel) -> Step:
        """Open the account, then press the button or fill in the form."""
        if (step := _open(view, state, self.login)) is not None:
            return step
        if self.name == "active":
            return Step("click", "lock")
        if self.name == "role":
            return complete(view, {"role": f"option:{self.value}"}, "change-role")
        return complete(view, {"temporary": self.value}, "set-password")


@dataclass(frozen=True)
class Delete(_Change):
    """Remove an account."""

    login: str

    def apply(self, state: Panel) -> None:
        """Remove it."""
        state.accounts = [account for account in state.accounts if account.login != self.login]

    def done(self, state: Panel) -> bool:
        """Whether it is gone."""
        return state.find(self.login) is None

    def then(self, view: View, state: Panel) -> Step:
        """Open it and press the button."""
        return _open(view, state, self.login) or Step("click", "delete")


@dataclass(frozen=True)
class Create(_Change):
    """Make an account."""

    login: str
    name: str
    email: str
    role: str

    def apply(self, state: Panel) -> None:
        """Make it."""
        state.add(**vars(self))

    def done(self, state: Panel) -> bool:
        """Whether there is one."""
        return state.find(self.login) is not None

    def then(self, view: View, state: Panel) -> Step:
        """Fill in the form."""
        if view.path != "/create":
            return Step("click", "create")
        return complete(view, {**vars(self), "role": f"option:{self.role}"}, "create-user")


@dataclass(frozen=True)
class Switch(_Change):
    """Turn settings on or off."""

    values: tuple[tuple[str, bool], ...]

    def apply(self, state: Panel) -> None:
        """Turn them."""
        state.settings |= dict(self.values)

    def done(self, state: Panel) -> bool:
        """Whether they are so."""
        return all(state.settings[name] == value for name, value in self.values)

    def then(self, view: View, state: Panel) -> Step:
        """Tick the boxes, press the button."""
        if view.path != "/settings":
            return Step("click", "settings")
        return complete(view, {name: "on" if value else "" for name, value in self.values}, "save-settings")


def _open(view: View, state: Panel, login: str) -> Step | None:
    """The next click towards an account, None on its page."""
    account = state.find(login)
    if account is None:
        return Step("click", "users")
    if view.path == f"/user/{account.number}":
        return None
    place = sorted(other.login for other in state.accounts).index(login)
    return towards(view, f"user-{account.number}", page_of(place, PER_PAGE) if view.path == "/" else "users", "users")


def _goal(state: Panel, words: str) -> str:
    return f'{words} Sign in as "admin" with the password "{state.password}".'


def _chosen(state: Panel, rng: np.random.Generator, level: int) -> list[Account]:
    return some(rng, state.accounts, level)


def _role(state: Panel, rng: np.random.Generator, level: int) -> Assignment:
    changes = tuple(
        Set(account.login, "role", one(rng, (role for role in ROLES if role != account.role)))
        for account in _chosen(state, rng, level)
    )
    wishes = [f"{change.login} a {change.value}" for change in changes]
    return Assignment(_goal(state, f"Make {listing(wishes)}."), changes)


def _password(state: Panel, rng: np.random.Generator, level: int) -> Assignment:
    changes = tuple(
        Set(account.login, "temporary", f"{draw(rng, THINGS)}{int(rng.integers(100, 999))}")
        for account in _chosen(state, rng, level)
    )
    wishes = [f"{change.login} to {quoted(change.value)}" for change in changes]
    return Assignment(_goal(state, f"Set the password of {listing(wishes)}."), changes)


def _lock(state: Panel, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _chosen(state, rng, level)
    for account in chosen:
        account.active = True
    goal = f"Lock the account{'s' * (level > 1)} {listing(account.login for account in chosen)}."
    return Assignment(_goal(state, goal), tuple(Set(account.login, "active", False) for account in chosen))


def _delete(state: Panel, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _chosen(state, rng, level)
    goal = f"Delete the account{'s' * (level > 1)} {listing(account.login for account in chosen)}."
    return Assignment(_goal(state, goal), tuple(Delete(account.login) for account in chosen))


def _create(state: Panel, rng: np.random.Generator, level: int) -> Assignment:
    known = {account.login for account in state.accounts}
    names = some(rng, (name for name in people(rng, 25) if _login(name) not in known), level)
    changes = tuple(Create(_login(name), name, address(name), draw(rng, ROLES)) for name in names)
    wishes = [f"{c.login} (name {c.name}, email {c.email}, role {c.role})" for c in changes]
    return Assignment(_goal(state, f"Create the user{'s' * (level > 1)} {listing(wishes)}."), changes)


def _switch(state: Panel, rng: np.random.Generator, level: int) -> Assignment:
    values = tuple((name, not state.settings[name]) for name in some(rng, SETTINGS, level))
    wishes = [f'{"on" if value else "off"} "{SETTINGS[name]}"' for name, value in values]
    return Assignment(_goal(state, f"Switch {listing(wishes)} in the settings."), (Switch(values),))


def _seen(state: Panel, rng: np.random.Generator, level: int) -> Assignment:
    # The higher the level, the further down the list.
    ordered = sorted(state.accounts, key=lambda account: account.login)
    place = int(rng.integers((level - 1) * len(ordered) // 4, level * len(ordered) // 4))
    account = ordered[place]
    goal = _goal(state, f"When was {account.login} last seen? Answer as in 2031-05-24.")
    way = seen("lock", f"user-{account.number}", page_of(place, PER_PAGE), "users")

    def look(view: View) -> Step | None:
        if "sign-in" in view.ids:
            return complete(view, {"user": "admin", "password": state.password}, "sign-in")
        return way(view) if view.path in ("/", f"/user/{account.number}") else Step("click", "users")

    return Assignment(goal, answer=account.seen, look=look)


TEMPLATES = (
    Template("admin-role", AdminApp, populate, _role),
    Template("admin-password", AdminApp, populate, _password),
    Template("admin-lock", AdminApp, populate, _lock),
    Template("admin-delete", AdminApp, populate, _delete),
    Template("admin-create", AdminApp, populate, _create),
    Template("admin-settings", AdminApp, populate, _switch),
    Template("admin-seen", AdminApp, populate, _seen),
)
