"""One device, several, several hosts: the same training; only the chief writes."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import run, run_here, run_workers

from lean_audio.errors import LeanError
from lean_audio.training.strategy import fit, is_chief, open_strategy, split_rows

# Of 42 chunks. Each shape of a batch is compiled for itself, the loop of the LSTM for 15 s.
LOOP = {"model": "joint-bahdanau", "batch_size": 14}
LIGHT = {"model": "yamnet-projection", "batch_size": 10}  # the last: 2, one for each device
HOSTS = ["one:2222", "two:2222"]


def task(kind: str, index: int, **cluster: list[str]) -> str:
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize("replicas", [1, 2, 3, 8])
@pytest.mark.parametrize("chunks", [1, 5, 8, 64])
def test_a_batch_is_shared_out_whole_and_filled_with_what_weighs_nothing(chunks, replicas):
    rows = np.random.default_rng(0).permutation(1000)[:chunks]
    shares = split_rows(rows, replicas)
    assert len(shares) == replicas
    assert len({len(part) for part, _ in shares}) == 1
    weights = np.concatenate([weights for _, weights in shares])
    given = np.concatenate([part for part, _ in shares])
    assert given[weights > 0].tolist() == rows.tolist()
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-6)
    assert len(given) - chunks < replicas


FEW_GPUS = pytest.mark.skipif(
    len(tf.config.list_physical_devices("GPU")) > 1, reason="this machine has several GPUs"
)


def test_one_device_is_left_to_the_backend():
    assert open_strategy("single") is None


@FEW_GPUS
def test_auto_is_one_device_where_there_are_not_two_gpus():
    assert open_strategy("auto") is None


@FEW_GPUS
def test_mirrored_says_how_many_gpus_it_lacks():
    with pytest.raises(LeanError, match=r"compute\.strategy: 'mirrored' needs two GPUs.* has \d"):
        open_strategy("mirrored")


def test_several_devices_are_refused_under_jax(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(LeanError, match=r"'mirrored' needs the TensorFlow backend.*'jax'; it"):
        open_strategy("mirrored")
    assert open_strategy("auto") is open_strategy("single") is None


@pytest.mark.parametrize(
    "config",
    [
        None,
        "",
        "{",
        "[]",
        '{"cluster": {}}',
        task("worker", 2, worker=HOSTS),
        task("worker", -1, worker=HOSTS),
        task("ps", 0, worker=HOSTS, ps=["three:1"]),
    ],
)
def test_several_hosts_need_a_tf_config_that_names_this_one(config, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    for opening in (open_strategy, is_chief):
        with pytest.raises(LeanError, match=r"'multiworker' reads TF_CONFIG.*set it on every host"):
            opening("multiworker")


def test_the_chief_is_the_first_worker_unless_another_is_named(monkeypatch):
    for config, chief in (
        (task("worker", 0, worker=HOSTS), True),
        (task("worker", 1, worker=HOSTS), False),
        (task("chief", 0, worker=HOSTS, chief=["zero:1"]), True),
        (task("worker", 0, worker=HOSTS, chief=["zero:1"]), False),
    ):
        monkeypatch.setenv("TF_CONFIG", config)
        assert is_chief("multiworker") is chief
        assert is_chief("mirrored")  # whatever TF_CONFIG says to others


def test_auto_does_not_train_every_host_for_itself(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", task("worker", 1, worker=HOSTS))
    with pytest.raises(
        LeanError, match=r"'auto' .* TF_CONFIG names 2 tasks; set compute\.strategy"
    ):
        open_strategy("auto")
    for alone in (task("worker", 0, worker=HOSTS[:1]), "{", "[]"):
        monkeypatch.setenv("TF_CONFIG", alone)
        assert open_strategy("auto") is None


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    return run(tmp_path_factory.mktemp("two") / "out.npz", strategy="mirrored", cpus=2, **LIGHT)


def assert_alike(two, one) -> None:
    """Sums in another order: 1e-5 of the loss, and of what Adam makes of it in a few steps."""
    np.testing.assert_allclose(two.losses, one.losses, rtol=1e-5)
    np.testing.assert_allclose(two.scores, one.scores, atol=1e-3)
    assert two.best_epoch == one.best_epoch


@pytest.mark.specialist
def test_two_devices_train_as_one(tmp_path):
    single = run_here(tmp_path / "single.npz", strategy="single", **LOOP)
    assert_alike(run(tmp_path / "two.npz", strategy="mirrored", cpus=2, **LOOP), single)


@pytest.mark.specialist
def test_two_devices_train_as_one_on_uneven_batches(mirrored, tmp_path):
    assert_alike(mirrored, run_here(tmp_path / "single.npz", strategy="single", **LIGHT))


@pytest.mark.specialist
def test_two_workers_leave_the_bytes_of_two_devices(mirrored, tmp_path):
    workers = run_workers(tmp_path, 2, strategy="multiworker", **LIGHT)
    for worker in workers:
        assert worker.losses.tolist() == mirrored.losses.tolist()
        assert worker.best_epoch == mirrored.best_epoch
        assert worker.weights.read_bytes() == mirrored.weights.read_bytes()


@pytest.mark.specialist
def test_16_bits_on_two_devices(mirrored, tmp_path):
    mixed = run(tmp_path / "mixed.npz", strategy="mirrored", cpus=2, mixed_precision=True, **LIGHT)
    assert mixed.facts["dtypes"] == ["float32"]
    assert mixed.losses.tolist() != mirrored.losses.tolist()
    np.testing.assert_allclose(mixed.losses, mirrored.losses, rtol=0.01)


def test_fit_without_a_strategy_is_keras_own():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    class Ones(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return np.ones((3, 2)), np.ones((3, 1))

    logs = fit(None, model, Ones(), 2, [])
    assert len(logs["loss"]) == 2
    assert logs["loss"][1] < logs["loss"][0]
