"""The results of several datasets in one table, for the README."""

from collections.abc import Mapping
from pathlib import Path

from lean_audio.report import paper
from lean_audio.report.beyond import PLUS, means
from lean_audio.report.chance import chance_of_classes
from lean_audio.report.device import read_device
from lean_audio.report.inputs import CLASSES, PROVENANCE, SET_ASIDE, read_record, read_table
from lean_audio.report.models import Models
from lean_audio.report.render import caveats, count_lost, render_template
from lean_audio.report.trainings import Trainings, read_trainings


def results_table(datasets: Mapping[Path, Models]) -> str:
    """Render the README's table: the paper's mAP and ours on real sounds; synthetic ones below.

    datasets: directory of metrics -> its models.
    """
    runs = []
    for folder, models in datasets.items():
        provenance = read_record(folder / "provenance.json", PROVENANCE)
        trainings = read_trainings(folder, models)
        runs.append(
            {
                **caveats(provenance),
                "dataset": provenance["dataset.name"],
                "lost": count_lost(read_table(folder / "set_aside.csv", SET_ASIDE)),
                "device": read_device(folder),
                "chance": chance_of(trainings),
                "mAP": means(trainings),
            }
        )
    return render_template("results.md.j2", {"runs": runs, "paper": paper, "ours": PLUS})


def chance_of(trainings: Trainings) -> float | None:
    """Return the mAP of random scores on the clips that the trainings were evaluated on."""
    run = next((run for model in trainings.models.values() for run in model.runs), None)
    if run is None or not (run.record / "tables" / "classes.csv").is_file():
        return None
    rows = read_table(run.record / "tables" / "classes.csv", CLASSES)
    return chance_of_classes(rows, run.facts["clips"])
