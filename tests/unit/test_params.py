"""params.yaml: whatever is wrong with it is said in one sentence."""

from pathlib import Path

import pytest

from lean_audio.config.params import load_params
from lean_audio.errors import LeanError

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text()


def load(tmp_path: Path, text: str):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return load_params(path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("dataset: demo", "dataset: esc50", ["dataset", "'esc50'", "'demo'", "'folder'"]),
        ("attention: bahdanau #", "attention: self #", ["'self'", "'none'", "'affinity'"]),
        ("epochs: 40", "epochs: 0", ["train.epochs", "0", "greater than 0"]),
        ("epochs: 40", "epoch: 40", ["train.epoch"]),
        ("  epochs: 40\n", "", ["train.epochs", "required"]),
        ("train: 1.0", "train: 1.5", ["prepare.hop_s.train", "1.5", "less than or equal to 1"]),
        ("seed: 1 # of training", "seed: -1 # of training", ["seed", "-1", "greater than"]),
        ("learning_rate: 0.0001", "learning_rate: .inf", ["train.learning_rate", "inf"]),
        ("tail: repeat", "tail: pad", ["prepare.tail", "'pad'", "'repeat'", "'drop'"]),
        ("  joint-bahdanau:", "  joint-other:", ["joint-bahdanau", "variants", "joint-other"]),
        ("attention_units: 128", "attention_units: 0", ["joint-bahdanau", "attention_units"]),
        ("curve_classes: 6", "curve_classes: 0", ["evaluate.curve_classes", "0", "above 0"]),
        ("curve_classes: 6", "curve_classes: Dog", ["curve_classes", "'Dog'", "list of labels"]),
        ("curve_classes: 6", "curve_classes: [1]", ["curve_classes", "[1]", "list of labels"]),
        ("reliability_bins: 10", "reliability_bins: 0", ["reliability_bins", "greater than 0"]),
        ("audio: [demo]", "audio: [esc50]", ["examples.audio", "'esc50'", "'demo'", "'folder'"]),
        ("max_s: 8.0", "max_s: 0", ["examples.max_s", "0", "greater than 0"]),
        ("dataset: demo", "dataset: [", ["not YAML"]),
        ("{learning_rate: 0.001}", "{rate: 0.001}", ["yamnet-scratch", "train.rate", "0.001"]),
        (
            "{learning_rate: 0.001}",
            "{epochs: 0}",
            ["yamnet-scratch", "train.epochs", "greater"],
        ),
        ("layers: [pointwise_12_relu]", "layers: [stem]", ["one-layer", "stem", "embed.layers"]),
        ("after: joint-bahdanau", "after: lean", ["ingredients.recipe", "'lean'", "joint-none"]),
        ("after: maxima\n", "after: minima\n", ["variants.plus.after", "'minima'", "maxima"]),
        ("seeds: [] # beside", "seeds: [1] # beside", ["ablation.seeds", "1", "`seed`"]),
        ("costs: []", "costs: [lean]", ["ablation.costs", "lean", "joint-none"]),
        ("dropout: 0.65", "dropout: 1.0", ["dropout", "less than 1"]),
    ],
)
def test_faults_are_named_with_value_and_what_is_allowed(tmp_path, old, new, named):
    assert old in TEXT
    with pytest.raises(LeanError) as error:
        load(tmp_path, TEXT.replace(old, new))
    message = str(error.value)
    assert "\n" not in message
    assert all(part in message for part in [*named, "params.yaml"])


def test_affinity_refuses_widths_that_have_no_dot_product(tmp_path):
    head, affinity = TEXT.split("  joint-affinity:")
    with pytest.raises(LeanError, match=r"affinity needs projection_units \(128\)"):
        load(
            tmp_path,
            f"{head}  joint-affinity:"
            + affinity.replace("projection_units: 256", "projection_units: 128", 1),
        )


def test_a_missing_file_says_where_to_run(tmp_path):
    with pytest.raises(LeanError, match="root directory"):
        load_params(tmp_path / "params.yaml")


def test_an_unknown_variant_names_the_known(params):
    with pytest.raises(LeanError, match=r"'lean'.*yamnet, yamnet-projection, joint-none"):
        params.variant("lean")


def test_curves_are_of_so_many_classes_or_of_named_ones(params, tmp_path):
    assert params.evaluate.curve_classes == 6
    named = load(tmp_path, TEXT.replace("curve_classes: 6", "curve_classes: [Dog, Bark]"))
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
    assert all(params.recipe(name) == params.train for name in names)
