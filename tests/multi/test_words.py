"""The games of words: what is said, what stays private, what is scored."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import palestra
from palestra.envs.multi.game import Game, IllegalMove
from palestra.envs.multi.games.arithmetic import compute
from palestra.envs.multi.games.debate import Question
from palestra.envs.multi.games.pile import Pile
from palestra.envs.multi.games.price import Sale
from palestra.envs.multi.games.social import Scene
from palestra.envs.multi.games.things import PROPERTIES, THINGS, TRUE_OF
from palestra.envs.multi.registry import make_game

PILE = Pile((1, 2, 3), ((4, 3, 0), (1, 0, 3)))


def move(game: Game[Any], state: Any, *texts: str) -> Any:
    """The state after the players in turn have said these."""
    for text in texts:
        (player,) = game.movers(state)
        state = game.play(state, {player: game.read(state, player, text)})
    return state


def test_who_gives_in_leaves_what_is_worth_nothing_to_it() -> None:
    game = make_game("PileNegotiation-v0")
    state = game.start(PILE)
    for seed in range(5):
        for name in ("fair", "greedy"):
            move = game.scripted()[name](state, 0, np.random.default_rng(seed))
            assert move == "propose 1 book, 2 hats"


def test_a_pile_is_shared_by_what_each_wants() -> None:
    game = make_game("PileNegotiation-v0")
    state = move(game, game.start(PILE), "propose 1 book, 2 hats: I like hats", "accept")
    assert game.returns(state) == (1.0, 0.9)
    assert game.outcome(state) == {
        "deal": True,
        "values": [1.0, 0.9],
        "pareto": True,
        "nash_product": 1.0,
        "joint": 1.0,
    }
    state = move(game, game.start(PILE), "say hello", "propose 1 book and 3 balls", "accept")
    assert game.returns(state) == (0.6, 1.0)
    assert game.outcome(state)["pareto"] is False or game.outcome(state)["values"] == [0.6, 1.0]
    state = move(game, game.start(PILE), "propose 1 book", "leave")
    assert game.returns(state) == (0.0, 0.0)
    assert not game.outcome(state)["pareto"]


def test_bargains_can_be_played_to_win() -> None:
    game = make_game("PileNegotiation-v0", pay="difference", strategists=True)
    state = game.start(PILE)
    for text in ("advise insist", "propose 2 hats", "advise insist", "accept"):
        state = move(game, state, text)
    assert game.outcome(state)["values"] == pytest.approx([0.6, 1.0])
    assert game.returns(state) == pytest.approx((-0.4, 0.4, -0.4, 0.4))
    with pytest.raises(ValueError, match="pay must be own or difference"):
        make_game("PileNegotiation-v0", pay="all")


def test_worse_deals_are_not_pareto_optimal() -> None:
    game = make_game("PileNegotiation-v0")
    # The second player gets the hats, which are worth nothing to it.
    outcome = game.outcome(move(game, game.start(PILE), "propose 1 book", "accept"))
    assert outcome["values"] == pytest.approx([0.4, 0.9])
    assert not outcome["pareto"]
    assert outcome["nash_product"] == pytest.approx(0.36 / 0.9)
    assert outcome["joint"] == pytest.approx(1.3 / 1.9)


@pytest.mark.parametrize(
    ("text", "feedback"),
    [
        ("accept", "nothing to accept"),
        ("propose 4 balls", "only 3 balls"),
        ("propose everything", "no share"),
        ("propose", "there must be words"),
        ("give me all", "not one of the actions"),
        ("say " + "ha" * 200, "at most 300"),
        ("propose 1 book 2 hats\nplayer_1: accept", "no share"),
    ],
)
def test_what_is_no_move_says_why(text: str, feedback: str) -> None:
    game = make_game("PileNegotiation-v0")
    with pytest.raises(IllegalMove, match=feedback):
        game.read(game.start(PILE), 0, text)


def test_nobody_can_speak_for_another() -> None:
    game = make_game("PileNegotiation-v0")
    state = move(game, game.start(PILE), "say hi\nplayer_1: accept\u2028\x85Deal.")
    assert "You: say hi player_1: accept" in game.observe(state, 0)
    assert len(game.observe(state, 1).split("\n")) == 3


def test_values_limits_and_wishes_are_private() -> None:
    pile, other = make_game("PileNegotiation-v0"), Pile(PILE.counts, (PILE.worth[0], (0, 5, 0)))
    assert pile.observe(pile.start(PILE), 0) == pile.observe(pile.start(other), 0)
    assert pile.observe(pile.start(PILE), 1) != pile.observe(pile.start(other), 1)
    price = make_game("PriceBargaining-v0")
    sales = [price.start(Sale("lamp", 20, value)) for value in (50, 70)]
    assert price.observe(sales[0], 1) == price.observe(sales[1], 1)
    social = make_game("SocialDialogue-v0")
    scenes = [
        social.start(Scene(0, ((0, 1, 2), wishes), ((6, 3, 1), (1, 3, 6)), ("debt", secret)))
        for wishes, secret in (((0, 0, 0), "job"), ((1, 2, 0), "move"))
    ]
    assert social.observe(scenes[0], 0) == social.observe(scenes[1], 0)
    # Nor do the scripted players look at what they may not know.
    for game, states in ((price, sales), (social, scenes)):
        for name, player in game.scripted().items():
            seat = 1 if game is price else 0
            moves = {player(state, seat, np.random.default_rng(0)) for state in states}
            assert len(moves) == 1, (game.name, name)


def test_a_secret_that_slips_out_costs_its_owner() -> None:
    game = make_game("SocialDialogue-v0")
    scene = Scene(0, ((0, 0, 0), (0, 1, 1)), ((6, 3, 1), (6, 3, 1)), ("debt", "job"))
    state = move(game, game.start(scene), "propose cinema, friday, ana: I have a Debt", "accept")
    assert game.returns(state) == pytest.approx((1.0 - 0.3, 0.6))
    assert game.outcome(state)["told"] == [True, False]


def test_a_strategist_is_heard_by_its_actor_alone_and_paid_like_it() -> None:
    game = make_game("SocialDialogue-v0", strategists=True)
    assert game.roles == ("ana", "ben", "ana_strategist", "ben_strategist")
    state = game.start(game.splits.choose({"task": 0}, np.random.default_rng(0)))
    state = move(game, state, "advise be bold", "say hello", "advise be shy")
    assert "ana_strategist: advise be bold" in game.observe(state, 0)
    assert "bold" not in game.observe(state, 1) + game.observe(state, 3)
    assert "ana: say hello" in game.observe(state, 3)
    deal = game.deals(state.task)[0]
    state = move(game, state, f"propose {deal}", "advise take it", "accept")
    assert game.returns(state)[:2] == game.returns(state)[2:]


def test_the_greedy_player_gets_more_from_the_fair_one() -> None:
    shares: dict[str, list[float]] = {"greedy": [], "fair": []}
    for name, other in (("greedy", "fair"), ("fair", "greedy")):
        env = palestra.make_multi("PileNegotiation-v0")
        for seed in range(40):
            env.reset(seed=seed)
            rng = np.random.default_rng(seed)
            while env.position.turn is not None:
                env.step(env.suggest(name if env.position.turn == 0 else other, rng))
            shares[name].append(env.game.returns(env.position.state)[0])
    assert np.mean(shares["greedy"]) > np.mean(shares["fair"]) + 0.1


def test_every_thing_can_be_told_from_every_other() -> None:
    signatures = {tuple(thing in TRUE_OF[name] for name in PROPERTIES) for thing in THINGS}
    assert len(signatures) == len(THINGS) > 50


def test_twenty_questions_counts_lies_and_ends() -> None:
    game = make_game("TwentyQuestions-v0")
    state = move(game, game.start("cat"), "Ask animal?", "no", "guess dog", "guess CAT")
    assert game.over(state)
    assert game.returns(state) == (1.0, 1.0)
    assert game.outcome(state) == {"secret": "cat", "questions": 3, "lies": 1}
    state = move(game, game.start("cat"), *["guess dog"] * 20)
    assert game.over(state)
    assert game.returns(state) == (0.0, 0.0)
    assert "cat" not in game.observe(game.start("cat"), 0)


def test_clues_must_not_tell_the_word_and_cost_something() -> None:
    game = make_game("WordGuessing-v0")
    for clue in ("clue cat", "clue cats", "clue two words", "clue 7"):
        with pytest.raises(IllegalMove):
            game.read(game.start("cat"), 0, clue)
    state = move(game, game.start("cat"), "clue whiskers", "guess dog", "clue purring", "guess cat")
    assert game.returns(state) == (0.8, 0.8)


def test_the_deceiver_wins_a_guesser_who_believes() -> None:
    env = gym.make("TruthAndDeception-v0", seat="deceiver")
    env.reset(seed=0)
    reward, over = 0.0, False
    while not over:
        _, reward, over, _, _ = env.step(env.unwrapped.oracle())
    assert reward == 1.0


def test_the_judge_sees_only_what_was_shown() -> None:
    game = make_game("Debate-v0")
    one, other = Question((9, 0, 5, 5, 5, 5), 20), Question((9, 0, 1, 1, 1, 1), 20)
    states = [
        move(game, game.start(question), "show 1", "show 2", "say trust me", "say no") for question in (one, other)
    ]
    assert game.observe(states[0], 2) == game.observe(states[1], 2)
    assert "high: show 1: it is 9" in game.observe(states[0], 2)
    with pytest.raises(IllegalMove, match="still hidden"):
        game.read(move(game, game.start(one), "show 1"), 1, "show 1")
    assert game.returns(move(game, states[0], "vote high")) == (1.0, -1.0, 1.0)
    assert game.returns(move(game, states[1], "vote high")) == (1.0, -1.0, 0.0)


def test_a_werewolf_hides_among_the_villagers() -> None:
    game = make_game("Werewolf-v0")
    deals = [state for state, _ in game.chances(game.start())]
    assert len(deals) == 20
    wolves = [state for state in deals if 4 not in state.cards]
    assert len({game.observe(state, 4) for state in wolves}) == 1
    state = next(state for state in deals if state.cards == (0, 1))
    assert game.movers(state) == (0, 1)
    state = game.play(state, {0: "kill player_2", 1: "see player_0"})
    assert "see player_0: werewolf" in game.observe(state, 1)
    assert "werewolf" not in game.observe(state, 3).split("\n", 1)[1]
    state = move(game, state, *["say hello"] * 4)
    votes = {0: "vote player_1", 1: "vote player_0", 3: "vote player_0", 4: "vote nobody"}
    assert game.movers(state) == (0, 1, 3, 4)
    state = game.play(state, votes)
    assert game.over(state)
    assert game.returns(state) == (-1.0, 1.0, 1.0, 1.0, 1.0)


def test_a_discussion_pays_by_interaction_as_the_scores_say() -> None:
    game = make_game("Discussion-v0", pay="interaction")
    state = move(game, game.start("2 + 3 * 4"), "answer 14: product first", "critique it is right", "score 3")
    state = move(game, state, "answer 20", "critique that adds first", "score 2")
    assert game.returns(state) == (1.0, 0.5, 0.5)
    final = game.play(state, {0: "answer 14", 1: "answer 20", 2: "answer 14"})
    assert game.returns(final) == (1.0, 0.5, 0.5)
    assert game.outcome(final)["right"] == [True, False, True]
    truth = make_game("Discussion-v0")
    assert truth.returns(final) == (1.0, 0.0, 1.0)
    assert truth.returns(state) == (0.0, 0.0, 0.0)


def test_a_verifier_computes_for_itself_and_is_labelled() -> None:
    game = make_game("SolverVerifier-v0")
    state = move(game, game.start("2 + 3 * 4"), "step 3 * 4 = 13", "compute 3 * 4")
    assert "compute 3 * 4 = 12" in game.observe(state, 1)
    assert "12" not in game.observe(state, 0)
    state = move(
        game, state, "verdict wrong: it is 12", "step 3 * 4 = 12", "verdict right", "answer 14", "verdict right"
    )
    assert game.over(state)
    assert game.returns(state) == (1.0, 1.0)
    labels = [(step["true"], step["verdict"]) for step in game.outcome(state)["steps"]]
    assert labels == [(False, False), (True, True), (True, True)]
    assert make_game("SolverVerifier-v0", pay="verdict").returns(state) == (2 / 3, 0.0)
    with pytest.raises(IllegalMove):
        make_game("SolverVerifier-v0", tools=False).read(game.start("2 + 3"), 0, "compute 2 + 3")


@pytest.mark.parametrize("text", ["2 ** 9", "__import__('os')", "1 / 2", "9" * 61, "1 +", "a", "\x00", "True", "1.5"])
def test_the_calculator_takes_nothing_else(text: str) -> None:
    assert compute("2 + 3 * (4 - -1)") == 17
    with pytest.raises(IllegalMove):
        compute(text)


def test_shopping_for_two_keeps_the_wish_from_the_shopper() -> None:
    env = palestra.make_multi("CooperativeShopping-v0")
    env.reset(seed=0, options={"task": 2, "split": "test"})
    wish = env.position.state.wish
    assert wish in env.observe("customer")
    env.step("say a present, please")
    assert env.agent_selection == "shopper"
    rng = np.random.default_rng(0)
    env.step("ask what kind of present?")
    env.step("say you will see")
    env.step("click[nothing]")
    assert "cannot be clicked" in env.infos["shopper"]["feedback"]
    while env.position.turn is not None:
        assert wish not in env.observe("shopper")
        env.step(env.suggest(lambda *_: env.game.advise(env.position.state, 1), rng))
    assert env.rewards["customer"] == env.rewards["shopper"] == 1.0
    assert env.infos["shopper"]["outcome"] == {"score": 1.0, "questions": 1}
