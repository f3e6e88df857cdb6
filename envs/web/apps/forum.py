"""A forum: boards, threads and posts; write, vote, follow, edit and delete."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from .app import App, NotFound, Redirect, Request, get, positive, post
from .content import ANSWERS, SENTENCES, draw, paragraph, people, titles
from .html import Html, area, form, h, line, link, pager, press, table
from .task import Assignment, Step, Template, View, complete, listing, one, page_of, quoted, seen, some, towards

BOARDS = ("Gardening", "Cycling", "Cooking", "Repairs")
PER_PAGE = 6


@dataclass
class Post:
    """One post; ``voted`` says whether the user voted for it, beside ``votes`` others."""

    number: int
    author: str
    text: str
    votes: int = 0
    voted: bool = False


@dataclass
class Thread:
    """Posts below a title; the first one opens it."""

    number: int
    board: int
    title: str
    posts: list[Post] = field(default_factory=list)
    followed: bool = False


@dataclass
class Forum:
    """All threads, and who is using it."""

    user: str
    threads: list[Thread] = field(default_factory=list)
    last: int = 0

    def facts(self) -> Any:
        """What counts of the threads."""
        return sorted(
            (t.board, t.title, t.followed, [(p.author, p.text, p.votes, p.voted) for p in t.posts])
            for t in self.threads
        )

    def start(self, board: int, title: str, author: str, text: str) -> Thread:
        """Open a thread."""
        thread = Thread(len(self.threads) + 1, board, title)
        self.threads.append(thread)
        self.write(thread, author, text)
        return thread

    def write(self, thread: Thread, author: str, text: str) -> Post:
        """Add a post."""
        self.last += 1
        thread.posts.append(Post(self.last, author, text))
        return thread.posts[-1]

    def listed(self, board: int) -> list[Thread]:
        """The threads of a board, the newest first."""
        return [thread for thread in reversed(self.threads) if thread.board == board]

    def find(self, number: int) -> tuple[Thread, Post] | None:
        """The post of that number and its thread."""
        return next(((t, p) for t in self.threads for p in t.posts if p.number == number), None)


class ForumApp(App[Forum]):
    """The pages."""

    name, title, accent = "forum", "Forum", "#a5492b"
    menu = (
        ("boards", "Boards", "/"),
        *((f"board-{number}", name, f"/board/{number}") for number, name in enumerate(BOARDS, 1)),
    )

    @get("/")
    def boards(self, request: Request) -> Html:
        """The boards and how much is on them."""
        cards = [
            h.div(
                h.h2(link(f"visit-{number}", name, f"/board/{number}")),
                h.p(f"{len(self.state.listed(number))} threads", class_="muted"),
                class_="card",
            )
            for number, name in enumerate(BOARDS, 1)
        ]
        return self.page("Boards", h.p(f"Signed in as {self.state.user}."), h.div(cards, class_="cards"))

    @get("/board/{number}")
    def board(self, request: Request, number: int) -> Html:
        """The threads of a board."""
        if not 1 <= number <= len(BOARDS):
            raise NotFound
        threads, page = self.state.listed(number), positive(request.query.get("page", "1"))
        rows = [
            (
                link(f"thread-{thread.number}", thread.title, f"/thread/{thread.number}"),
                thread.posts[0].author,
                len(thread.posts) - 1,
                "followed" if thread.followed else "",
            )
            for thread in threads[(page - 1) * PER_PAGE : page * PER_PAGE]
        ]
        return self.page(
            BOARDS[number - 1],
            h.div(link("new-thread", "New thread", f"/new/{number}", "button"), class_="actions"),
            table(("Thread", "Started by", "Replies", ""), rows, "Threads") if rows else h.p("No threads yet."),
            pager(len(threads), PER_PAGE, page, lambda place: f"/board/{number}?page={place}"),
        )

    @get("/thread/{number}")
    def thread(self, request: Request, number: int) -> Html:
        """One thread."""
        thread = self._thread(number)
        follow = ("Stop following", "on") if thread.followed else ("Follow", None)
        return self.page(
            thread.title,
            h.div(
                h.span(BOARDS[thread.board - 1], class_="tag"),
                press("follow", follow[0], f"/follow/{number}", follow[1]),
                class_="actions",
            ),
            [self._post(post_) for post_ in thread.posts],
            form(f"/reply/{number}", area("reply", "Your reply"), submit="Reply", id_="send-reply"),
        )

    def _post(self, post_: Post) -> Html:
        number, own = post_.number, post_.author == self.state.user
        vote = ("Take vote back", "on") if post_.voted else ("Vote up", None)
        return h.article(
            h.p(post_.author, f" ({post_.votes + post_.voted} votes)", class_="muted"),
            h.p(post_.text),
            None if own else press(f"vote-{number}", vote[0], f"/vote/{number}", vote[1]),
            [
                link(f"edit-{number}", "Edit", f"/edit/{number}", "button"),
                " ",
                press(f"delete-{number}", "Delete", f"/delete/{number}"),
            ]
            if own
            else None,
        )

    @post("/follow/{number}")
    def follow(self, request: Request, number: int) -> Redirect:
        """Follow a thread, or stop."""
        thread = self._thread(number)
        thread.followed = not thread.followed
        return Redirect(f"/thread/{number}")

    @post("/vote/{number}")
    def vote(self, request: Request, number: int) -> Redirect:
        """Vote for a post of somebody else, or take it back."""
        thread, post_ = self._post_of(number)
        if post_.author != self.state.user:
            post_.voted = not post_.voted
        return Redirect(f"/thread/{thread.number}")

    @post("/reply/{number}")
    def reply(self, request: Request, number: int) -> Redirect:
        """Add a post."""
        thread, text = self._thread(number), request.form.get("reply", "").strip()
        if text:
            self.state.write(thread, self.state.user, text)
        self.note = "Your reply was added." if text else "Write something first."
        return Redirect(f"/thread/{number}")

    @get("/edit/{number}")
    def edit(self, request: Request, number: int) -> Html:
        """One's own post, as a form."""
        _, post_ = self._own(number)
        return self.page(
            "Edit post", form(f"/edit/{number}", area("text", "Text", post_.text), submit="Save", id_="save")
        )

    @post("/edit/{number}")
    def save(self, request: Request, number: int) -> Redirect:
        """Change one's own post."""
        thread, post_ = self._own(number)
        post_.text = request.form.get("text", "").strip() or post_.text
        return Redirect(f"/thread/{thread.number}")

    @post("/delete/{number}")
    def delete(self, request: Request, number: int) -> Redirect:
        """Remove one's own post, but not the one that opens a thread."""
        thread, post_ = self._own(number)
        if post_ is thread.posts[0]:
            self.note = "The first post of a thread cannot be deleted."
        else:
            thread.posts.remove(post_)
            self.note = "The post was deleted."
        return Redirect(f"/thread/{thread.number}")

    @get("/new/{number}")
    def new(self, request: Request, number: int) -> Html:
        """The form for a new thread."""
        if not 1 <= number <= len(BOARDS):
            raise NotFound
        return self._form(number, "", "", None)

    def _form(self, number: int, title: str, text: str, error: str | None) -> Html:
        return self.page(
            f"New thread in {BOARDS[number - 1]}",
            form(
                f"/new/{number}",
                line("title", "Title", title, error),
                area("text", "Text", text),
                submit="Post",
                id_="post",
            ),
        )

    @post("/new/{number}")
    def create(self, request: Request, number: int) -> Html | Redirect:
        """Open a thread."""
        if not 1 <= number <= len(BOARDS):
            raise NotFound
        title, text = request.form.get("title", "").strip(), request.form.get("text", "").strip()
        if not title or not text:
            return self._form(number, title, text, "A thread needs a title and a text.")
        thread = self.state.start(number, title, self.state.user, text)
        return Redirect(f"/thread/{thread.number}")

    def _thread(self, number: int) -> Thread:
        if not 1 <= number <= len(self.state.threads):
            raise NotFound
        return self.state.threads[number - 1]

    def _post_of(self, number: int) -> tuple[Thread, Post]:
        found = self.state.find(number)
        if found is None:
            raise NotFound
        return found

    def _own(self, number: int) -> tuple[Thread, Post]:
        thread, post_ = self._post_of(number)
        if post_.author != self.state.user:
            raise NotFound
        return thread, post_


def populate(rng: np.random.Generator, size: int, now: datetime) -> Forum:
    """A forum with 6, 16 or 32 threads on four boards."""
    user, *others = people(rng, 8)
    forum = Forum(user)
    for title in titles(rng, {1: 6, 2: 16, 3: 32}[size]):
        starter, *repliers = some(rng, others, 2 + int(rng.integers(4)))
        thread = forum.start(1 + int(rng.integers(len(BOARDS))), title, starter, paragraph(rng))
        for author in repliers:
            forum.write(thread, author, paragraph(rng, 1))
        for place, votes in enumerate(rng.permutation(20)[: len(thread.posts)].tolist()):
            thread.posts[place].votes = votes
    return forum


@dataclass(frozen=True)
class Follow:
    """Follow a thread."""

    thread: int

    def apply(self, state: Forum) -> None:
        """Follow it."""
        state.threads[self.thread - 1].followed = True

    def done(self, state: Forum) -> bool:
        """Whether it is followed."""
        return state.threads[self.thread - 1].followed

    def step(self, view: View, state: Forum) -> Step:
        """Open it and press the button."""
        return _open(view, state, self.thread) or Step("click", "follow")


@dataclass(frozen=True)
class Vote:
    """Vote for a post."""

    thread: int
    post: int

    def apply(self, state: Forum) -> None:
        """Vote."""
        self._post(state).voted = True

    def done(self, state: Forum) -> bool:
        """Whether the user voted for it."""
        return self._post(state).voted

    def step(self, view: View, state: Forum) -> Step:
        """Open the thread and press the post's button."""
        return _open(view, state, self.thread) or Step("click", f"vote-{self.post}")

    def _post(self, state: Forum) -> Post:
        return next(post_ for post_ in state.threads[self.thread - 1].posts if post_.number == self.post)


@dataclass(frozen=True)
class Reply:
    """Write into a thread."""

    thread: int
    text: str

    def apply(self, state: Forum) -> None:
        """Write."""
        state.write(state.threads[self.thread - 1], state.user, self.text)

    def done(self, state: Forum) -> bool:
        """Whether the user wrote it."""
        posts = state.threads[self.thread - 1].posts
        return any((post_.author, post_.text) == (state.user, self.text) for post_ in posts)

    def step(self, view: View, state: Forum) -> Step:
        """Open the thread, write, press the button."""
        return _open(view, state, self.thread) or complete(view, {"reply": self.text}, "send-reply")


@dataclass(frozen=True)
class Start:
    """Open a thread."""

    board: int
    title: str
    text: str

    def apply(self, state: Forum) -> None:
        """Open it."""
        state.start(self.board, self.title, state.user, self.text)

    def done(self, state: Forum) -> bool:
        """Whether there is one like it."""
        wanted = self.title, self.text
        return any((thread.title, thread.posts[0].text) == wanted for thread in state.listed(self.board))

    def step(self, view: View, state: Forum) -> Step:
        """Fill in the form of its board."""
        if view.path == f"/new/{self.board}":
            return complete(view, {"title": self.title, "text": self.text}, "post")
        return Step("click", "new-thread" if view.path == f"/board/{self.board}" else f"board-{self.board}")


@dataclass(frozen=True)
class Edit:
    """Change one's own post; no text removes it."""

    thread: int
    post: int
    text: str

    def apply(self, state: Forum) -> None:
        """Change it."""
        posts = state.threads[self.thread - 1].posts
        for post_ in [post_ for post_ in posts if post_.number == self.post]:
            if self.text:
                post_.text = self.text
            else:
                posts.remove(post_)

    def done(self, state: Forum) -> bool:
        """Whether it says so, or is gone."""
        found = state.find(self.post)
        return (found is None) if not self.text else (found is not None and found[1].text == self.text)

    def step(self, view: View, state: Forum) -> Step:
        """Open the thread, then the post's form, or press its button."""
        if view.path == f"/edit/{self.post}" and self.text:
            return complete(view, {"text": self.text}, "save")
        return _open(view, state, self.thread) or towards(
            view, f"edit-{self.post}" if self.text else f"delete-{self.post}", "boards"
        )


def _open(view: View, state: Forum, number: int) -> Step | None:
    """The next click towards a thread, None in it."""
    if view.path == f"/thread/{number}":
        return None
    board = state.threads[number - 1].board
    place = [thread.number for thread in state.listed(board)].index(number)
    here = view.path == f"/board/{board}"
    return towards(view, f"thread-{number}", page_of(place, PER_PAGE) if here else f"board-{board}", f"board-{board}")


def _threads(state: Forum, rng: np.random.Generator, level: int) -> list[Thread]:
    return some(rng, state.threads, level)


def _named(threads: list[Thread]) -> str:
    noun = "thread" if len(threads) == 1 else "threads"
    return f"{noun} {listing(_place(thread) for thread in threads)}"


def _place(thread: Thread) -> str:
    return f"{quoted(thread.title)} ({BOARDS[thread.board - 1]})"


def _follow(state: Forum, rng: np.random.Generator, level: int) -> Assignment:
    chosen = _threads(state, rng, level)
    return Assignment(f"Follow the {_named(chosen)}.", tuple(Follow(thread.number) for thread in chosen))


def _vote(state: Forum, rng: np.random.Generator, level: int) -> Assignment:
    votes = [(thread, one(rng, thread.posts)) for thread in _threads(state, rng, level)]
    wishes = [f"the post by {post_.author} in {_place(thread)}" for thread, post_ in votes]
    return Assignment(
        f"Vote up {listing(wishes)}.", tuple(Vote(thread.number, post_.number) for thread, post_ in votes)
    )


def _reply(state: Forum, rng: np.random.Generator, level: int) -> Assignment:
    replies = [(thread, draw(rng, ANSWERS)) for thread in _threads(state, rng, level)]
    wishes = [f"in {_place(thread)} with {quoted(text)}" for thread, text in replies]
    return Assignment(f"Reply {listing(wishes)}.", tuple(Reply(thread.number, text) for thread, text in replies))


def _start(state: Forum, rng: np.random.Generator, level: int) -> Assignment:
    started = [Start(1 + int(rng.integers(len(BOARDS))), title, paragraph(rng, 1)) for title in titles(rng, level)]
    wishes = [f'"{s.title}" in {BOARDS[s.board - 1]} with the text "{s.text}"' for s in started]
    return Assignment(f"Start the thread {listing(wishes, 'and the thread')}.", tuple(started))


def _own(state: Forum, rng: np.random.Generator, level: int) -> list[tuple[Thread, Post]]:
    """Posts of the user, written into some threads for the occasion."""
    threads = _threads(state, rng, level)
    return [(thread, state.write(thread, state.user, paragraph(rng, 1))) for thread in threads]


def _edit(state: Forum, rng: np.random.Generator, level: int) -> Assignment:
    edits = []
    for thread, post_ in _own(state, rng, level):
        edits.append((thread, Edit(thread.number, post_.number, one(rng, (s for s in SENTENCES if s != post_.text)))))
    wishes = [f"the one in {_place(thread)} to {quoted(edit.text)}" for thread, edit in edits]
    return Assignment(f"Change your posts: {listing(wishes)}.", tuple(edit for _, edit in edits))


def _delete(state: Forum, rng: np.random.Generator, level: int) -> Assignment:
    own = _own(state, rng, level)
    goal = f"Delete your post{'s' * (level > 1)} in the {_named([thread for thread, _ in own])}."
    return Assignment(goal, tuple(Edit(thread.number, post_.number, "") for thread, post_ in own))


def _asker(words: str, answer: Any) -> Any:
    # The higher the level, the older the thread, which newer ones push down the list.
    def ask(state: Forum, rng: np.random.Generator, level: int) -> Assignment:
        low, high = (4 - level) * len(state.threads) // 4, (5 - level) * len(state.threads) // 4
        thread = state.threads[int(rng.integers(low, max(high, low + 1)))]
        place = state.listed(thread.board).index(thread)
        by = (f"thread-{thread.number}", page_of(place, PER_PAGE), f"board-{thread.board}")

        def look(view: View) -> Step | None:
            return seen(f"/thread/{thread.number}", *by)(view._replace(ids=view.ids | {view.path}))

        return Assignment(words.format(_place(thread)), answer=str(answer(thread)), look=look)

    return ask


def _favourite(thread: Thread) -> str:
    return max(thread.posts, key=lambda post_: post_.votes).author


TEMPLATES = (
    Template("forum-follow", ForumApp, populate, _follow),
    Template("forum-vote", ForumApp, populate, _vote),
    Template("forum-reply", ForumApp, populate, _reply),
    Template("forum-start", ForumApp, populate, _start),
    Template("forum-edit", ForumApp, populate, _edit),
    Template("forum-delete", ForumApp, populate, _delete),
    Template(
        "forum-replies",
        ForumApp,
        populate,
        _asker("How many replies has the thread {}? Answer with the number.", lambda thread: len(thread.posts) - 1),
    ),
    Template(
        "forum-favourite",
        ForumApp,
        populate,
        _asker("Whose post has the most votes in the thread {}? Answer with the name.", _favourite),
    ),
)
