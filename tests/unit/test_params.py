"""params.yaml and models.yaml: whatever is wrong with them is said in one sentence."""

import shutil
from pathlib import Path

import pytest
from helpers import of_dataset

from lean_audio.config.params import load_params, load_source
from lean_audio.errors import LeanError

ROOT = Path(__file__).parents[2]
PARAMS, MODELS = "params.yaml", "models.yaml"
DEMO, SOUNDS = "datasets/demo/params.yaml", "datasets/sounds/params.yaml"
TEXTS = {name: (ROOT / name).read_text() for name in (PARAMS, MODELS, DEMO, SOUNDS)}


@pytest.fixture
def load(tmp_path):
    """Read the files after a change of one of them, for the dataset that it is of."""

    def load_changed(file: str, old: str, new: str):
        assert old in TEXTS[file]
        for name, text in TEXTS.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text.replace(old, new) if name == file else text)
        if file == SOUNDS:
            path = tmp_path / PARAMS
            path.write_text(path.read_text().replace("dataset: demo", "dataset: sounds"))
        return load_params(tmp_path / PARAMS)

    return load_changed


def check_fault(load, file: str, old: str, new: str, named: list[str]) -> None:
    with pytest.raises(LeanError) as error:
        load(file, old, new)
    message = str(error.value)
    assert "\n" not in message and "  " not in message
    assert [part for part in (file, *named) if part not in message] == []


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("dataset: demo", "dataset: esc50", ["dataset", "'esc50'", "demo, sounds"]),
        ("dataset: demo", "dataset: [demo]", ["dataset", "['demo']", "demo, sounds"]),
        ("attention: bahdanau #", "attention: self #", ["'self'", "'none'", "'affinity'"]),
        ("epochs: 40", "epochs: 0", ["train.epochs", "0", "greater than 0"]),
        ("epochs: 40", "epoch: 40", ["train.epoch: 40", "allowed are epochs, batch_size"]),
        ("  epochs: 40\n", "", ["train.epochs", "required"]),
        ("train: 1.0", "train: 1.5", ["prepare.hop_s.train", "1.5", "less than or equal to 1"]),
        ("hop_s: #", "hop: #", ["prepare.hop: ", "resampler, max_set_aside, max_clip_s, hop_s"]),
        ("max_clip_s: 3600", "max_clip_s: 0", ["prepare.max_clip_s: 0", "greater than 0"]),
        ("seeds: [1]", "seeds: [-1]", ["seeds", "-1", "greater than"]),
        ("seeds: [1]", "seeds: [2, 1, 2]", ["seeds", "[2, 1, 2]", "2 is named twice"]),
        ("seeds: [1]", "seeds: []", ["seeds", "[]", "at least one seed"]),
        ("  - plus\n", "  - plus\n  - plus\n", ["variants", "'plus' is named twice"]),
        ("  - plus\n", "  - lean\n", ["variants", "'lean'", "models.yaml: yamnet, yamnet-proj"]),
        ("costs: []", "costs: [lean]", ["costs", "'lean'", "models.yaml", "joint-none"]),
        ("  - joint-bahdanau\n", "", ["'bahdanau'", "'joint-bahdanau'", "joint-affinity, plus"]),
        ("headline: joint", "headline: recipe", ["headline", "'recipe'", "joint, yamnet, "]),
        ("[float32, float16", "[float16", ["quantize", "schemes", "float32 among them"]),
        ("learning_rate: 0.0001", "learning_rate: .inf", ["train.learning_rate", "inf"]),
        ("tail: repeat", "tail: pad", ["prepare.tail", "'pad'", "'repeat'", "'drop'"]),
        ("curve_classes: 6", "curve_classes: 0", ["evaluate.curve_classes", "0", "positive"]),
        ("curve_classes: 6", "curve_classes: Dog", ["curve_classes", "'Dog'", "list of labels"]),
        ("curve_classes: 6", "curve_classes: [1]", ["curve_classes", "[1]", "list of labels"]),
        ("resamples: 1000", "resamples: 0", ["evaluate.resamples", "greater than 0"]),
        ("max_s: 8.0", "max_s: 0", ["examples.max_s", "0", "greater than 0"]),
        ("strategy: auto", "strategy: all", ["compute.strategy", "'all'", "'mirrored'"]),
        ("scheduler: local", "scheduler: host", ["cluster.scheduler", "'host'", "tcp://host:8786"]),
        ("dataset: demo", "dataset: [", ["not YAML"]),
    ],
)
def test_faults_of_params_are_named_with_value_and_what_is_allowed(load, old, new, named):
    check_fault(load, PARAMS, old, new, named)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('group_pattern: ""', 'group_pattern: "("', ["group_pattern: '('", "regular expression"]),
        ("eval_folds: []", "eval_folds: 5", ["eval_folds: 5", "a list of folds"]),
        ("val: 0.15, eval: 0.25", "val: 0.5, eval: 0.5", ["splits: ", "nothing to train"]),
        ("val: 0.15, eval: 0.25", "val: 0, eval: 0.25", ["splits.val: 0", "greater than"]),
        ("kind: folder", "kind: esc50", ["kind", "'esc50'", "'demo', 'folder', 'fsd50k'"]),
        ("kind: folder\n", "", ["kind"]),
        ("split_seed: 1", "seed: 1", ["seed: 1", "is not a setting; allowed are", "split_seed"]),
        ("root: sounds\n", "", ["root", "required"]),
        ("train: {}", "train: {epoch: 1}", ["train.epoch: 1: is not a setting", "epochs, batch"]),
    ],
)
def test_faults_of_a_dataset_are_named_with_value_and_what_is_allowed(load, old, new, named):
    check_fault(load, SOUNDS, old, new, named)


BAHDANAU = "attention: {kind: bahdanau, units: 128}"
NAMES = "letters, digits, - and _"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  plus:\n", "  my model:\n", ["'my model'", NAMES]),
        ("  plus:\n", '  "a;touch X":\n', ["'a;touch X'", NAMES]),
        ("  plus:\n", '  "-plus":\n', ["'-plus'", NAMES]),
        ("  plus:\n", "  joint:\n", ["'joint'", NAMES]),
        ("after: joint-bahdanau", "after: lean", ["recipe.after", "'lean'", "joint-none"]),
        ("after: maxima\n", "after: plus\n", ["plus.after", "back to plus"]),
        ("  recipe:\n    after: joint-bahdanau", "  recipe:\n    after: plus", ["back to recipe"]),
        ("network: *plus", "network: *minus", ["not YAML", "undefined alias", "line"]),
        ("  plus:\n", "  maxima:\n", ["not YAML", "duplicate key", "maxima"]),
        (BAHDANAU, BAHDANAU.replace("128", "0"), ["joint-bahdanau", "attention", "units: 0"]),
        (BAHDANAU, "attention: {kind: dot}", ["attention", "'dot'", "'affinity', 'bahdanau'"]),
        ("{units: 128}", "{width: 128}", ["encoder.width: 128", "allowed are units, attention"]),
        ("dropout: 0.65", "dropout: 1.0", ["network.dropout: 1.0", "less than 1"]),
        ("dropout: 0.65", "drop: 0.65", ["network.drop: 0.65", "allowed are projection_units"]),
        ("    network: *plus\n", "    net: *plus\n", ["plus.net", "after, network, train"]),
        ("    train: {}\n", "", ["yamnet.train", "required"]),
        (
            "{learning_rate: 0.001}",
            "{rate: 0.001}",
            ["yamnet-scratch.train.rate: 0.001", "allowed are epochs, batch_size, learning_rate"],
        ),
        ("{learning_rate: 0.001}", "{epochs: 0}", ["yamnet-scratch.train.epochs: 0", "greater"]),
        (
            "        - pointwise_12_relu\n",
            "        - stem\n",
            ["plus", "embed.layers does not cache: stem", "has pointwise_5_relu, pointwise_8_relu"],
        ),
        (
            "projection_units: 256",
            "projection_units: 128",
            ["joint-affinity", "projection_units (128)", "twice", "encoder.units (128)"],
        ),
        ("projection_units: 256", "activation: relu", ["'affinity' needs projection_units"]),
    ],
)
def test_faults_of_models_are_named_with_value_and_what_is_allowed(load, old, new, named):
    check_fault(load, MODELS, old, new, named)


def test_a_circle_of_several_models_is_named_by_one_of_them(load):
    with pytest.raises(LeanError, match=r"models\.yaml: \S+\.after leads back to \S+$"):
        load(MODELS, "after: recipe\n    network: *projection", "after: plus\n    network: {}")


def test_a_model_that_is_not_used_may_need_layers_that_are_not_cached(load):
    unused = load(MODELS, "layers: [pointwise_12_relu]", "layers: [pointwise_1_relu]")
    assert unused.model("one-layer").network.layers == ("pointwise_1_relu",)


@pytest.mark.parametrize("setting", ["variants:", "costs: [one-layer] #"])
def test_a_model_that_is_used_must_be_of_cached_layers(load, setting, tmp_path):
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    (tmp_path / MODELS).write_text(
        TEXTS[MODELS].replace("layers: [pointwise_12_relu]", "layers: [pointwise_1_relu_max]")
    )
    old = setting if setting == "variants:" else "costs: []"
    new = "variants:\n  - one-layer" if setting == "variants:" else setting
    (tmp_path / PARAMS).write_text(TEXTS[PARAMS].replace(old, new))
    with pytest.raises(LeanError, match=r"models\.yaml: one-layer uses .*: pointwise_1_relu_max; "):
        load_params(tmp_path / PARAMS)


@pytest.mark.parametrize("name", [PARAMS, MODELS])
def test_a_missing_file_says_where_to_run(tmp_path, name):
    for other in {PARAMS, MODELS} - {name}:
        (tmp_path / other).write_text(TEXTS[other])
    with pytest.raises(LeanError, match=rf"{name} is missing: .*root directory"):
        load_params(tmp_path / PARAMS)


def test_an_unknown_model_names_the_known(params):
    with pytest.raises(LeanError, match=r"'lean'.*yamnet, yamnet-projection, joint-none"):
        params.model("lean")


def test_curves_are_of_a_number_of_classes_or_of_named_ones(params, load):
    assert params.evaluate.curve_classes == 6
    named = load(PARAMS, "curve_classes: 6", "curve_classes: [Dog, Bark]")
    assert named.evaluate.curve_classes == ("Dog", "Bark")


def test_params_cannot_be_changed(params):
    with pytest.raises(ValueError, match="frozen"):
        params.train.epochs = 1


def test_the_papers_settings_are_the_default(params):
    assert (params.train.epochs, params.train.batch_size, params.train.learning_rate) == (
        40,
        64,
        1e-4,
    )
    assert params.prepare.hop_s.model_dump() == {"train": 1.0, "val": 0.5, "eval": 0.5}
    names = ["yamnet", "yamnet-projection", "joint-none", "joint-affinity", "joint-bahdanau"]
    assert list(params.variants)[:5] == names
    for dataset in ("sounds", "fsd50k"):
        other = of_dataset(params, dataset)
        assert all(other.recipe(name) == params.train for name in names)


def test_the_first_seed_is_the_headlines(load):
    params = load(PARAMS, "seeds: [1]", "seeds: [7, 1, 3]")
    assert (params.seed, params.shown) == (7, "joint-bahdanau")
    assert load(PARAMS, "attention: bahdanau", "attention: none").shown == "joint-none"
    assert load(PARAMS, "headline: joint", "headline: plus").shown == "plus"


def test_a_datasets_settings_replace_those_of_every_model(params, load):
    for name in ("joint-bahdanau", "plus"):
        recipe = params.recipe(name)
        assert (recipe.epochs, recipe.learning_rate) == (12, 0.003)
    assert (recipe.schedule, recipe.mixup) == ("cosine", 1.0)  # plus keeps what is not named
    with pytest.raises(
        LeanError, match=r"datasets/demo/params\.yaml: train\.epoch: 12: is not a setting; .*epochs"
    ):
        load(DEMO, "{epochs: 12,", "{epoch: 12,")
    with pytest.raises(LeanError, match=r"params\.yaml: train\.epochs: 0: .*greater than 0"):
        load(DEMO, "{epochs: 12,", "{epochs: 0,")


def test_a_models_own_settings_replace_those_of_train(load):
    params = load(PARAMS, "batch_size: 64", "batch_size: 32")
    params = of_dataset(params, "sounds")
    plus, scratch = params.recipe("plus"), params.recipe("yamnet-scratch")
    assert (plus.epochs, plus.learning_rate, plus.mixup, plus.batch_size) == (40, 0.001, 1.0, 32)
    assert (scratch.epochs, scratch.learning_rate, scratch.batch_size) == (40, 0.001, 32)


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        (PARAMS, "  epochs: 40", "  epochs: 41", False),  # which lean takes from `train`
        (PARAMS, "batch_size: 64", "batch_size: 32", False),
        (PARAMS, "strategy: auto", "strategy: single", True),
        (PARAMS, "seeds: [1]", "seeds: [2]", True),
        (MODELS, "kind: bahdanau, units: 128", "kind: bahdanau, units: 64", False),
        (MODELS, "projection_units: 256", "projection_units: 256, dropout: 0.1", False),
        (MODELS, "projection_units: 256", "projection_units: 256, dropout: 0.0", True),
        (MODELS, "after: maxima", "after: recipe", True),
        (MODELS, "{learning_rate: 0.001}", "{learning_rate: 0.002}", True),  # of another model
    ],
)
def test_settings_are_the_same_when_a_training_is(params, load, file, old, new, same):
    before = of_dataset(params, "sounds").settings_sha256("joint-bahdanau")
    changed = of_dataset(load(file, old, new), "sounds")
    assert (changed.settings_sha256("joint-bahdanau") == before) is same


@pytest.mark.parametrize(
    ("old", "new"),
    [("split_seed: 1", "seed: 1"), ("val: 0.15", "val: 2"), ('pattern: ""', 'pattern: "("')],
)
def test_the_settings_of_a_dataset_alone_are_faulted_in_the_same_words(load, tmp_path, old, new):
    with pytest.raises(LeanError) as of_all:
        load(SOUNDS, old, new)
    with pytest.raises(LeanError) as alone:
        load_source("sounds", tmp_path)
    assert str(alone.value) == str(of_all.value)
