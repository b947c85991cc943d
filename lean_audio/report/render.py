"""Renders `metrics/<dataset>/` as Markdown and HTML, beside the LEAN paper's numbers."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from lean_audio.files import write_text
from lean_audio.report import charts, charts_extra, paper
from lean_audio.report.beyond import beyond
from lean_audio.report.chance import chance_of_classes
from lean_audio.report.chart_style import COLOURS, key
from lean_audio.report.classes import (
    LIMIT,
    TOLERANCE,
    changes,
    class_rows,
    class_wise_rows,
    scored,
    worst_classes,
)
from lean_audio.report.device import read_device
from lean_audio.report.examples import read_examples
from lean_audio.report.inputs import (
    VARIANTS,
    Record,
    number,
    numeric,
)
from lean_audio.report.measured import Measured, read_measured
from lean_audio.report.models import Models
from lean_audio.report.review import read_checks, read_review
from lean_audio.report.text import breakable, fixed, markdown_text, signed
from lean_audio.report.trainings import read_trainings

TEMPLATES = Path(__file__).parent / "templates"
PAGES, CARD = ("report.md", "index.html"), "model_card.md"
LEAD = 0.03  # in mAP: more than rounding or another seed brings the demo
BASELINE = "yamnet-projection"  # the headline is compared with it class by class


def caveats(provenance: Record) -> dict[str, bool]:
    """Return what forbids a comparison with published numbers."""
    synthetic = provenance["dataset.synthetic"]
    return {
        "synthetic": synthetic,
        "untrained": not provenance["yamnet.trained"],
        "is_fsd50k": provenance["dataset.name"] == "fsd50k"
        and not synthetic
        and not provenance.get("dataset.licence_filter"),
    }


def count_lost(set_aside: Sequence[Record]) -> int:
    """Count the evaluation clips that were set aside."""
    return sum(row["split"] == "eval" for row in set_aside)


def licences(provenance: Record) -> Record:
    """Count clips by licence and list the licences asked for; empty if nothing is known."""
    prefix = "dataset.licences."
    counts = {k.removeprefix(prefix): n for k, n in provenance.items() if k.startswith(prefix)}
    stated = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    chosen = ", ".join(provenance.get("dataset.licence_filter") or ["all"])
    return {"clips by licence": stated, "licences chosen": chosen} if stated else {}


def learning_row(variant: str, facts: Record, history: Sequence[Record]) -> Record:
    """Summarize how one variant learned, and by which recipe.

    The best epoch is the first one with the highest validation mAP.
    """
    curve = [(ap, row["epoch"]) for row in history if (ap := number(row["val_mAP"])) is not None]
    best, best_epoch = max(curve, key=lambda point: point[0], default=(None, None))
    return {
        "variant": variant,
        "recipe": {key: facts[key] for key in ("learning_rate", "schedule", "batch_size")},
        "epochs": len(history),
        "best_epoch": best_epoch,
        "first_val_mAP": number(history[0]["val_mAP"]) if history else None,
        "best_val_mAP": best,
        "last_loss": number(history[-1]["loss"]) if history else None,
    }


def ablation_row(variant: str, ours: Record) -> Record:
    """Return one variant's metrics, the paper's if any, and ours minus the paper's."""
    stated = paper.stated(variant)
    difference: Record = dict.fromkeys(("mAP", "mAUC", "d_prime"))
    if stated:
        pairs = {"mAP": stated.mean_ap, "mAUC": stated.mean_auc, "d_prime": stated.d_prime}
        difference = {
            name: None if ours[name] is None else ours[name] - float(value)
            for name, value in pairs.items()
        }
    return {"variant": variant, "ours": ours, "paper": stated, "difference": difference}


@cache  # compiling the templates takes longer than rendering them
def _environment(markdown: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html.j2"]),
        finalize=markdown_text if markdown else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"fixed": fixed, "signed": signed, "breakable": breakable}
    return environment


def render_template(name: str, content: Record) -> str:
    return _environment(name.endswith(".md.j2")).get_template(name).render(content)


def summarize(measured: Measured, headline: str) -> Record:
    """Collect everything that the templates show of the metrics, as plain data."""
    aps = {name: scored(rows) for name, rows in measured.classes.items()}
    rows = class_rows(measured, aps, headline)
    bins = numeric(measured.reliability)
    others = [name for name in (BASELINE, *aps) if name in aps and name != headline]
    baseline = next(iter(others), headline)
    papers = [name for name in VARIANTS if name in measured.metrics]
    defined = [name for name in papers if measured.metrics[name]["mAP"] is not None]
    return {
        **caveats(measured.provenance),
        "measured": measured,
        "licences": licences(measured.provenance),
        "paper": paper,
        "variants": tuple(measured.metrics),
        "headline": headline,
        "baseline": baseline,
        "papers": papers,
        "chance": chance_of_classes(
            measured.classes[headline], measured.metrics[headline]["clips"]
        ),
        "lost": count_lost(measured.set_aside),
        "leads": BASELINE in defined
        and headline in defined
        and measured.metrics[headline]["mAP"] - measured.metrics[BASELINE]["mAP"] > LEAD,
        "best": max(defined, key=lambda name: measured.metrics[name]["mAP"], default=None),
        "ablation": [
            ablation_row(name, measured.metrics[name])
            for name in dict.fromkeys((*papers, headline))
        ],
        "classes": rows,
        "class_wise": class_wise_rows(aps, headline),
        "changes": changes(aps[headline], aps[baseline]),
        "calibration": {name: charts.calibration_error(bins[name]) for name in bins},
        "learning": [
            learning_row(name, measured.metrics[name], history)
            for name, history in measured.histories.items()
        ],
    }


def for_script(content: Record) -> Record:
    """Return what the page's script needs to compare any two variants."""
    rows = content["classes"]
    return {
        "labels": [row["label"] for row in rows],
        "APs": {name: [row["APs"][name] for row in rows] for name in content["variants"]},
        "limit": LIMIT,
        "tolerance": TOLERANCE,
    }


def draw(content: Record) -> Record:
    """Draw the charts of the page as SVG, with their keys."""
    measured, device = content["measured"], content["device"]
    files = device["charted"] if device else []
    scored_files = bool(device) and device["mAP_keras"] is not None
    return {
        "learning": charts.learning_panels(numeric(measured.histories)),
        "recall": charts.recall_panels(numeric(measured.recall)),
        "reliability": charts.reliability_panels(numeric(measured.reliability)),
        "clips": charts_extra.ap_by_clips(
            content["classes"], content["variants"], content["headline"]
        ),
        "device": charts_extra.device_panels(files, device["mAP_keras"], device["threads"][0])
        if scored_files
        else [],
        "variants": key(content["variants"]),
        "files": key([row["name"] for row in files]),
    }


def render(
    metrics_dir: Path,
    examples_dir: Path,
    sounds_dir: Path,
    out_dir: Path,
    headline: str,
    models: Models,
    seed: int,
    draws: int | None = None,
) -> None:
    """Write the pages.

    Parameters
    ----------
    metrics_dir, examples_dir, sounds_dir, out_dir
        Of one dataset; sounds_dir holds the sounds of doubted clips, which the page refers to.
    headline
        Name of the model that is shown in full.
    models
        The models of this params file: only these are shown.
    seed
        Of the trainings that are shown in full.
    draws
        Of the bootstrap; trainings with another number are left out. None: the most frequent one.
    """
    trainings = read_trainings(metrics_dir, models, draws)
    measured = read_measured(metrics_dir, trainings, models, seed, headline, limit=len(COLOURS))
    content = {**summarize(measured, headline), "device": read_device(metrics_dir), "seed": seed}
    content |= {"beyond": beyond(trainings, metrics_dir), "left_out": trainings.left_out}
    content["examples"] = read_examples(examples_dir)
    content["checks"] = read_checks(metrics_dir)
    content["review"] = read_review(metrics_dir, sounds_dir, out_dir)
    content |= {"drawn": draw(content), "script_data": for_script(content)}
    pages = {name: render_template(f"{name}.j2", content) for name in PAGES}
    pages[CARD] = render_template(f"{CARD}.j2", {**content, **_card(content)})
    for name, page in pages.items():
        write_text(out_dir / name, page)


def _card(content: Record) -> Record:
    """Choose what the model card describes: the shipped model if it is shown, else the headline."""
    shipped = content["device"]["variant"] if content["device"] else content["headline"]
    subject = shipped if shipped in content["variants"] else content["headline"]
    return {"subject": subject, "worst": worst_classes(content["classes"], subject)}
