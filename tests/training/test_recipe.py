from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import pytest

from palestra.training import recipe
from palestra.training.config import Config
from palestra.training.learner import Optimizer

SHIPPED = sorted((recipe.PACKAGE / "recipes").glob("*.toml"))


@pytest.fixture(autouse=True)
def directory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are made in an empty working directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("directory"))


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return write


def test_recipes_come_with_the_package() -> None:
    assert {path.stem for path in SHIPPED} >= {"webshop", "small"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_recipe_loads_and_changes_something(path: Path) -> None:
    assert recipe.load(path) != Config()


def test_no_arguments_are_the_main_job() -> None:
    assert recipe.parse([]) == dataclasses.replace(recipe.load(recipe.find("webshop")), run="runs/webshop-0")


def test_another_environment_without_a_model_gets_a_small_one() -> None:
    expected = dataclasses.replace(recipe.load(recipe.find("small")), env="FrozenLake-v1", run="lake")
    assert recipe.parse(["--env", "FrozenLake-v1", "--run", "lake"]) == expected


def test_a_pretrained_model_gets_the_defaults_made_for_one() -> None:
    assert recipe.parse(["--env", "WebShop-v0", "--model", "x", "--run=here"]) == Config(model="x", run="here")
    assert recipe.parse(["--model=x", "--run=here"]) == Config(model="x", run="here")


def test_small_models_learn_faster_than_pretrained_ones() -> None:
    small = recipe.load(recipe.find("small"))
    assert small.optimizer.learning_rate >= 100 * Config().optimizer.learning_rate


def test_flags_override_the_recipe_and_the_recipe_the_defaults(write: Any) -> None:
    path = write('steps = 7\nseed = 3\nmodel = "m"\n[rollout]\ngroups = 5\nmax_turns = 4\n')
    config = recipe.parse(["--recipe", path, "--seed", "9", "--rollout.groups", "6"])
    assert (config.steps, config.seed, config.model) == (7, 9, "m")
    assert (config.rollout.groups, config.rollout.max_turns) == (6, 4)
    assert config.rollout.group_size == Config().rollout.group_size


@pytest.mark.parametrize(
    ("flags", "key", "value"),
    [
        (["--rollout.group-size", "3"], "rollout.group_size", 3),
        (["--rollout.group_size=3"], "rollout.group_size", 3),
        (["--no-resume"], "resume", False),
        (["--rollout.no-lockstep"], "rollout.lockstep", False),
        (["--optimizer.betas", "0.5", "0.75"], "optimizer.betas", (0.5, 0.75)),
        (["--warm-start.optimizer.learning-rate", "1e-4"], "warm_start.optimizer.learning_rate", 1e-4),
        (["--device", "cuda"], "device", "cuda"),
    ],
)
def test_flags_have_the_types_of_their_fields(flags: list[str], key: str, value: Any) -> None:
    assert recipe.flat(recipe.parse(flags))[key] == value


def test_options_of_the_environment(write: Any) -> None:
    path = write("[env_options]\nkept = 1\nchanged = 2\n")
    pairs = ["changed=[1, 2]", "word=text_rich", "quoted='5'", "yes=true", "rate=0.5", "path=/a=b", "empty=''"]
    config = recipe.parse(["--recipe", path, "--env-options", *pairs, "--steps", "3"])
    assert config.env_options == {
        "kept": 1,
        "changed": [1, 2],
        "word": "text_rich",
        "quoted": "5",
        "yes": True,
        "rate": 0.5,
        "path": "/a=b",
        "empty": "",
    }
    assert config.steps == 3


def test_options_of_the_advantage(write: Any) -> None:
    path = write('advantage = "gigpo"\n[advantage_options]\ngamma = 0.9\n[env_options]\nsize = 3\n')
    config = recipe.parse(["--recipe", path, "--advantage-options", "weight=0.5"])
    assert config.advantage_options == {"gamma": 0.9, "weight": 0.5}
    assert config.env_options == {"size": 3}


@pytest.mark.parametrize("pair", ["no_value", "=1", "a=[1", "a='", "a=1\nb = 2", "a={x"])
def test_a_broken_option_of_the_environment(pair: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        recipe.parse(["--env-options", pair])
    assert stopped.value.code == 2
    assert "--env-options" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [
        ("--stepz", "--steps"),
        ("--learning-rate", "--optimizer.learning-rate"),
        ("--rolout.groups", "--rollout.groups"),
        ("--group-sizes=4", "--rollout.group-size"),
        ("--temprature", "--rollout.temperature"),
        ("--recpie", "--recipe"),
        ("--warm-start.demonstration", "--warm-start.demonstrations"),
        ("--self-imitation.learning-rate", "--self-imitation.optimizer.learning-rate"),
    ],
)
def test_an_unknown_flag_names_the_nearest(flag: str, nearest: str) -> None:
    with pytest.raises(recipe.RecipeError, match=f"did you mean {re.escape(nearest)}\\?"):
        recipe.parse([flag, "4"])


def test_a_stray_argument() -> None:
    with pytest.raises(recipe.RecipeError, match="unexpected argument 'stray'"):
        recipe.parse(["stray"])


def test_a_flag_of_the_wrong_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        recipe.parse(["--steps", "many"])
    assert stopped.value.code == 2
    assert "--steps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("stepz = 3", r"unknown key stepz; did you mean steps\?"),
        ("learning_rate = 3", r"unknown key learning_rate; did you mean optimizer\.learning_rate\?"),
        ("[rolout]\ngroups = 3", r"unknown key rolout; did you mean rollout\?"),
        ("[rollout]\ngroup = 3", r"unknown key rollout\.group; did you mean rollout\.groups\?"),
        ("[warm_start.optimiser]\nx = 1", r"did you mean warm_start\.optimizer\?"),
        ("rollout = 3", "rollout must be a table, not 3"),
        ('steps = "3"', "steps must be an integer, not '3'"),
        ("steps = 3.0", "steps must be an integer, not 3.0"),
        ("steps = true", "steps must be an integer, not True"),
        ("resume = 1", "resume must be true or false, not 1"),
        ('[rollout]\ntemperature = "hot"', r"rollout\.temperature must be a number, not 'hot'"),
        ("[optimizer]\nlearning_rate = true", r"optimizer\.learning_rate must be a number, not True"),
        ("[optimizer]\nbetas = [0.9]", r"optimizer\.betas must be an array of 2 values, not \[0\.9\]"),
        ('[optimizer]\nbetas = [0.9, "x"]', r"optimizer\.betas must be a number, not 'x'"),
        ('device = "tpu"', "device must be one of auto, cpu, cuda, not 'tpu'"),
        ("model = 3", "model must be a string, not 3"),
        ('env_options = "x"', "env_options must be a table, not 'x'"),
        ("steps = ", "cannot read the recipe"),
        ("steps = 1\nsteps = 2", "cannot read the recipe"),
    ],
)
def test_a_broken_recipe_names_the_file_and_the_key(text: str, complaint: str, write: Any) -> None:
    path = write(text)
    with pytest.raises(recipe.RecipeError, match=complaint) as raised:
        recipe.load(path)
    assert path in str(raised.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(recipe.RecipeError, match="cannot read the recipe"):
        recipe.load(path)


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(recipe.RecipeError, match=r"no recipe webshp; did you mean webshop\?"):
        recipe.parse(["--recipe", "webshp"])


def test_shipped_recipes_are_found_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert recipe.find("small") == recipe.find("recipes/small.toml")
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "small.toml").write_text("steps = 2\n")
    assert recipe.parse(["--recipe", "recipes/small.toml"]).steps == 2


def test_a_whole_number_does_for_any_number(write: Any) -> None:
    temperature = recipe.load(write("[rollout]\ntemperature = 1\n")).rollout.temperature
    assert isinstance(temperature, float)


EVERYTHING = Config(
    env="module:Env-v0",
    env_options={"a": [1, 2.5], "b": {"c": 'é "\n'}, "d": True},
    model="some/model",
    seed=5,
    device="cpu",
    optimizer=Optimizer(learning_rate=3e-7, betas=(0.1, 0.2)),
)


@pytest.mark.parametrize("config", [Config(), EVERYTHING], ids=["defaults", "everything"])
def test_what_is_dumped_loads_again(config: Config, write: Any) -> None:
    assert recipe.load(write(recipe.dump(config))) == config


def test_a_dump_says_what_was_run_and_not_where(write: Any) -> None:
    config = dataclasses.replace(EVERYTHING, run="elsewhere", resume=True)
    assert recipe.load(write(recipe.dump(config))) == EVERYTHING


def test_a_field_that_may_be_none_is_none_by_default() -> None:
    """A dump leaves out what is None, so another default would come back in its place."""
    optional = [key for key, value in recipe.flat(Config()).items() if value is None]
    assert optional == ["model"]


def test_every_field_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        recipe.parse(["--help"])
    assert stopped.value.code == 0
    text = re.sub(r"[│╭╮╰╯─]+", " ", capsys.readouterr().out)
    flags = re.split(r"\n\s*(?=--[a-z])", text)[1:]
    helped = {}
    for flag in flags:
        name, _, rest = flag.partition("\n")
        helped[name.split()[0].strip(",")] = rest.split("(default:")[0].strip()
    expected = {"--" + key.replace("_", "-") for key in ["recipe", *recipe.flat(Config())]}
    assert set(helped) == expected
    assert [flag for flag, words in helped.items() if not words] == [], "these flags have no help"


def test_the_help_shows_the_defaults_in_force(capsys: pytest.CaptureFixture[str], write: Any) -> None:
    with pytest.raises(SystemExit):
        recipe.parse(["--recipe", write("steps = 4321"), "--help"])
    assert "(default: 4321)" in capsys.readouterr().out


@pytest.fixture
def run(tmp_path: Path) -> str:
    """The folder of a run that began with EVERYTHING."""
    (tmp_path / recipe.FILE).write_text(recipe.dump(EVERYTHING))
    return str(tmp_path)


def test_resuming_takes_the_settings_of_the_run(run: str) -> None:
    assert recipe.parse(["--run", run, "--resume"]) == dataclasses.replace(EVERYTHING, run=run, resume=True)


def test_resuming_may_change_how_long_it_goes(run: str) -> None:
    config = recipe.parse(["--run", run, "--resume", "--steps", "12345", "--checkpoint-every", "3"])
    assert (config.steps, config.checkpoint_every, config.seed) == (12345, 3, EVERYTHING.seed)


def test_resuming_with_other_settings_names_them(run: str) -> None:
    with pytest.raises(recipe.RecipeError) as raised:
        recipe.parse(["--run", run, "--resume", "--seed", "6", "--optimizer.learning-rate", "1", "--steps", "3"])
    text = str(raised.value)
    assert "seed: began with 5, now 6" in text
    assert "optimizer.learning_rate: began with 3e-07, now 1.0" in text
    assert "steps" not in text


def test_resuming_with_another_recipe_names_what_differs(run: str) -> None:
    with pytest.raises(recipe.RecipeError, match="model: began with 'some/model', now None"):
        recipe.parse(["--run", run, "--resume", "--recipe", "webshop"])


def test_resuming_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(recipe.RecipeError, match=r"no run to resume in .*nowhere"):
        recipe.parse(["--resume", "--run", str(tmp_path / "nowhere")])


def test_what_may_change_are_settings() -> None:
    assert set(recipe.flat(Config())) >= recipe.MAY_CHANGE


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ("WebShop-v0", "webshop"),
        ("my_module:Sorting-v12", "sorting"),
        ("ALE/Pong-v5", "ale-pong"),
        ("plain", "plain"),
    ],
)
def test_a_run_is_named_after_its_environment(env: str, name: str) -> None:
    assert recipe.parse(["--env", env]).run == f"runs/{name}-0"


def test_no_two_runs_get_the_same_folder() -> None:
    assert [recipe.parse([]).run for _ in range(3)] == ["runs/webshop-0", "runs/webshop-1", "runs/webshop-2"]


def test_a_folder_in_which_nothing_was_written_is_given_up() -> None:
    config = recipe.parse([])
    recipe.save(recipe.parse([]))
    recipe.forget(config)
    recipe.forget(dataclasses.replace(config, run="runs/webshop-1"))
    recipe.forget(dataclasses.replace(config, run="runs/nowhere"))
    assert [path.name for path in Path("runs").iterdir()] == ["webshop-1"]
    assert recipe.parse([]).run == "runs/webshop-0"


def test_a_command_line_with_a_fault_makes_no_folder() -> None:
    with pytest.raises(recipe.RecipeError):
        recipe.parse(["--stepz", "3"])
    assert not Path("runs").exists()


def test_resume_alone_takes_the_run_that_was_started_last() -> None:
    for number, seed in enumerate((3, 4, 5)):
        config = recipe.parse(["--seed", str(seed)])
        recipe.save(config)
        os.utime(Path(config.run) / recipe.FILE, (1000 + number % 2, 1000 + number % 2))
    resumed = recipe.parse(["--resume"])
    assert (resumed.run, resumed.seed, resumed.resume) == ("runs/webshop-1", 4, True)
    assert recipe.parse(["--resume", "--run", "runs/webshop-2"]).seed == 5
    with pytest.raises(recipe.RecipeError, match="runs/webshop-1 cannot go on with other settings"):
        recipe.parse(["--resume", "--seed", "9"])


def test_resume_where_there_are_no_runs() -> None:
    with pytest.raises(recipe.RecipeError, match="no run to resume in runs; name its folder with --run"):
        recipe.parse(["--resume"])
