"""Renders `metrics/<dataset>/` as Markdown and HTML, beside the LEAN paper's numbers."""

import html
import math
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from lean_audio.config.schema import Attention
from lean_audio.files import write_text
from lean_audio.report import charts, paper
from lean_audio.report import charts_extra as charts_report
from lean_audio.report.beyond import PLUS, beyond, means
from lean_audio.report.chart_style import key
from lean_audio.report.classes import (
    MOST,
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
    TRAINING,
    VARIANTS,
    Measured,
    Record,
    Settings,
    Summary,
    number,
    numeric,
    read_measured,
    read_record,
    read_summary,
)
from lean_audio.report.study import read_study

TEMPLATES = Path(__file__).parent / "templates"
PAGES, CARD = ("report.md", "index.html"), "model_card.md"
BASELINE = "yamnet-projection"  # what the headline is compared with at first


def caveats(measured: Summary) -> dict[str, bool]:
    """What forbids a comparison; one file that says so is enough."""
    provenance, metrics = measured.provenance, measured.metrics.values()
    synthetic = provenance["dataset.synthetic"] or any(m["synthetic"] for m in metrics)
    trained = provenance["yamnet.trained"] and all(m["yamnet_trained"] for m in metrics)
    return {
        "synthetic": synthetic,
        "untrained": not trained,
        "is_fsd50k": provenance["dataset.name"] == "fsd50k"
        and not synthetic
        and not provenance.get("dataset.licence_filter"),
    }


def licences(provenance: Record) -> Record:
    """Clips by licence, and which licences were asked for; empty where nothing is known."""
    prefix = "dataset.licences."
    counts = {k.removeprefix(prefix): n for k, n in provenance.items() if k.startswith(prefix)}
    stated = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    chosen = ", ".join(provenance.get("dataset.licence_filter") or ["all"])
    return {"clips by licence": stated, "licences chosen": chosen} if stated else {}


def learning_row(variant: str, history: Sequence[Record]) -> Record:
    """How one variant learned; the best epoch is the first with the highest validation mAP."""
    curve = [(ap, row["epoch"]) for row in history if (ap := number(row["val_mAP"])) is not None]
    best, best_epoch = max(curve, key=lambda point: point[0], default=(None, None))
    return {
        "variant": variant,
        "epochs": len(history),
        "best_epoch": best_epoch,
        "first_val_mAP": number(history[0]["val_mAP"]) if history else None,
        "best_val_mAP": best,
        "last_loss": number(history[-1]["loss"]) if history else None,
    }


def ablation_row(stated: paper.AblationResult, ours: Record) -> Record:
    """One variant's metrics, the paper's, and ours less the paper's."""
    pairs = {"mAP": stated.mean_ap, "mAUC": stated.mean_auc, "d_prime": stated.d_prime}
    less = {
        name: None if ours[name] is None else ours[name] - float(value)
        for name, value in pairs.items()
    }
    return {"variant": stated.variant, "ours": ours, "paper": stated, "less": less}


def fixed(value: float | None, digits: int) -> str:
    """A number with fixed decimals and commas, or n/a where there is none to state."""
    if value is None or not math.isfinite(value):
        return "n/a"
    return f"{value:z,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, digits: int) -> str:
    """A difference: like `fixed`, with a plus where it is more than nothing."""
    text = fixed(value, digits)
    positive = value is not None and math.isfinite(value) and round(value, digits) > 0
    return f"+{text}" if positive else text


def breakable(label: str) -> Markup:
    """A label that may wrap after its underscores."""
    return Markup("_<wbr>").join(map(escape, label.split("_")))


def markdown_text(value: object) -> object:
    """Text that Markdown shows as it is, inside a table cell too; markup is left alone."""
    if isinstance(value, Markup):
        return value
    line = " ".join(html.escape(str(value), quote=False).splitlines())
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)


def _render_template(name: str, content: Record) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html.j2"]),
        finalize=markdown_text if name.endswith(".md.j2") else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"fixed": fixed, "signed": signed, "breakable": breakable}
    return environment.get_template(name).render(content)


def summarize(measured: Measured, attention: Attention) -> Record:
    """Everything that the templates show of the metrics, as plain data."""
    headline = f"joint-{attention}"
    aps = {name: scored(rows) for name, rows in measured.classes.items()}
    rows = class_rows(measured, aps, headline)
    bins = numeric(measured.reliability)
    return {
        **caveats(measured),
        "measured": measured,
        "licences": licences(measured.provenance),
        "paper": paper,
        "variants": tuple(measured.metrics),
        "training": measured.training,
        "headline": headline,
        "baseline": BASELINE,
        "best": max(VARIANTS, key=lambda name: measured.metrics[name]["mAP"] or 0),
        "ablation": [ablation_row(row, measured.metrics[row.variant]) for row in paper.ABLATION],
        "classes": rows,
        "class_wise": class_wise_rows(aps, headline),
        "changes": changes(aps[headline], aps[BASELINE]),
        "calibration": {name: charts.calibration_error(bins[name]) for name in bins},
        "learning": [learning_row(*pair) for pair in measured.histories.items()],
    }


def for_script(content: Record) -> Record:
    """What the page's script needs to compare any two variants."""
    rows = content["classes"]
    return {
        "labels": [row["label"] for row in rows],
        "APs": {name: [row["APs"][name] for row in rows] for name in content["variants"]},
        "most": MOST,
        "tolerance": TOLERANCE,
    }


def draw(content: Record) -> Record:
    """The charts of the page as SVG, and their keys."""
    measured, device = content["measured"], content["device"]
    files = device["schemes"] if device else []
    return {
        "learning": charts.learning_panels(numeric(measured.histories)),
        "recall": charts.recall_panels(numeric(measured.recall)),
        "reliability": charts.reliability_panels(numeric(measured.reliability)),
        "clips": charts_report.ap_by_clips(
            content["classes"], content["variants"], content["headline"]
        ),
        "device": charts_report.device_panels(files, device["mAP_keras"], device["threads"][0])
        if device
        else [],
        "variants": key(content["variants"]),
        "files": key([row["name"] for row in files]),
    }


def described(metrics_dir: Path, content: Record) -> Record:
    """What the model card is about: the variant that is shipped, or the headline."""
    subject = content["device"]["variant"] if content["device"] else content["headline"]
    own = content["training"]  # of all of the paper's
    if subject not in VARIANTS:
        own = read_record(metrics_dir / f"{subject}.training.json", TRAINING)
    worst = worst_classes(content["classes"], subject)
    return {"subject": subject, "training": own, "worst": worst}


def render(
    metrics_dir: Path, examples_dir: Path, out_dir: Path, attention: Attention, settings: Settings
) -> None:
    """Write the pages into `out_dir`; `attention` names the headline variant.

    settings: SHA-256 of each model's in this params file: only these models are shown.
    """
    measured = read_measured(metrics_dir, settings)
    content = {**summarize(measured, attention), "device": read_device(metrics_dir)}
    study = read_study(metrics_dir, settings)
    content |= {"beyond": beyond(study, metrics_dir), "left_out": study.left_out}
    content["examples"] = read_examples(examples_dir)
    content |= {"drawn": draw(content), "script_data": for_script(content)}
    pages = {name: _render_template(f"{name}.j2", content) for name in PAGES}
    pages[CARD] = _render_template(f"{CARD}.j2", {**content, **described(metrics_dir, content)})
    for name, page in pages.items():
        write_text(out_dir / name, page)


def results_table(metrics_dirs: Sequence[Path], settings: Settings) -> str:
    """The README's table: the paper's parameters and mAP, and our mAP on each dataset."""
    runs = [
        {
            **caveats(summary := read_summary(folder, settings)),
            "measured": summary,
            "device": read_device(folder),
            "mAP": means(folder, settings),
        }
        for folder in metrics_dirs
    ]
    return _render_template("results.md.j2", {"runs": runs, "paper": paper, "ours": PLUS})
