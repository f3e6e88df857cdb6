from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from palestra.training import recipe
from palestra.training.config import Config
from palestra.training.control.config import Cloning, Demonstrations, Offline, PPOConfig, SACConfig, Skills, check

SHIPPED = [path for path in sorted((recipe.PACKAGE / "recipes").glob("*.toml")) if "algorithm" in path.read_text()]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_algorithm_names_the_configuration() -> None:
    config = recipe.parse(["--env=Pendulum-v1", "--algorithm=sac", "--offline.share=0.5", "--run=here"])
    assert config == SACConfig(env="Pendulum-v1", offline=Offline(share=0.5), run="here")
    assert recipe.parse(["--env=Pendulum-v1", "--algorithm=ppo", "--run=here"]) == PPOConfig("Pendulum-v1", run="here")


def test_a_recipe_is_read_back_as_it_was(tmp_path: Path) -> None:
    config = PPOConfig("X-v0", {"size": 3}, value_clip=0.2, cloning=Cloning(updates=3))
    (tmp_path / "mine.toml").write_text(recipe.dump(config))
    assert recipe.load(tmp_path / "mine.toml") == config


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_can_be_followed_and_is_found_by_its_environment(path: Path) -> None:
    config = recipe.load(path)
    assert isinstance(config, PPOConfig | SACConfig)
    assert check(config) is None
    found = recipe.parse([f"--env={config.env}", f"--algorithm={config.algorithm}", "--run=here"])
    assert isinstance(found, type(config))
    assert found != dataclasses.replace(type(config)(), env=config.env, run="here")


@pytest.mark.parametrize(("env", "algorithm"), [("Reach-v0", "ppo"), ("Reach-v0", "sac"), ("Push-v0", "ppo")])
def test_an_environment_and_an_algorithm_find_the_recipe_of_their_names(env: str, algorithm: str) -> None:
    named = recipe.load(recipe.find(f"{env.partition('-')[0].lower()}-{algorithm}"))
    found = recipe.parse([f"--env={env}", f"--algorithm={algorithm}", "--run=here"])
    assert found == dataclasses.replace(named, run="here")


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--algorithm=ppo", "--clop=1"], "unknown flag --clop; did you mean --clip?"),
        (["--algorithm=ppo", "--taau=1"], "unknown flag --taau"),
        (["--algorithm=dqn"], "algorithm must be one of ppo, sac, not 'dqn'"),
    ],
)
def test_an_unknown_flag_or_algorithm_is_an_error(flags: list[str], complaint: str) -> None:
    with pytest.raises(recipe.RecipeError, match=complaint.replace("?", r"\?")):
        recipe.parse(flags)


def test_an_unknown_key_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('algorithm = "sac"\ntaau = 0.1\n')
    with pytest.raises(recipe.RecipeError, match="unknown key taau; did you mean tau"):
        recipe.load(tmp_path / "mine.toml")


def test_one_kind_of_run_is_not_taken_for_the_other(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(recipe.dump(SACConfig()))
    with pytest.raises(recipe.RecipeError, match="not the recipe of a language-model agent"):
        recipe.load_as(Config, tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (PPOConfig(cloning=Cloning(updates=1)), "cloning.updates needs demonstrations.episodes"),
        (SACConfig(offline=Offline(updates=1)), "offline.updates needs demonstrations.episodes"),
        (SACConfig(residual=0.1, demonstrations=Demonstrations(1)), "residual needs a cloned policy"),
        (SACConfig(critics=1), "critics"),
        (PPOConfig(skills=Skills(1)), "at least 2 to tell apart"),
        (PPOConfig(skills=Skills(4, weight=0.0)), "skills.weight is above 0"),
        (PPOConfig(skills=Skills(4, "4")), "skills.seen: '4' is no slice"),
        (PPOConfig(skills=Skills(4, "hand:")), "skills.seen: invalid literal"),
        (PPOConfig(skills=Skills(4), demonstrations=Demonstrations(1)), "skills.number does not go with"),
        (PPOConfig(num_envs=1, horizon=16), "16 steps are too few for 32"),
    ],
)
def test_what_contradicts_itself_is_said(config: PPOConfig | SACConfig, complaint: str) -> None:
    assert complaint in str(check(config))


def test_every_setting_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for algorithm in ("ppo", "sac"):
        with pytest.raises(SystemExit):
            recipe.parse([f"--algorithm={algorithm}", "--help", "--run=here"])
        shown = capsys.readouterr().out
        assert "--gamma" in shown
        assert ("--offline.share" in shown) == (algorithm == "sac")
