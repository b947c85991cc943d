"""Renders `metrics/<dataset>/` as Markdown and HTML, beside the LEAN paper's numbers."""

import csv
import html
import io
import json
import math
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from lean_audio import paper
from lean_audio.errors import LeanError
from lean_audio.files import write_text
from lean_audio.params import Attention
from lean_audio.report_device import read_device

Record = Mapping[str, Any]
Scores = Mapping[str, float]  # average precision by class label

TEMPLATES = Path(__file__).parent / "templates"
VARIANTS = tuple(row.variant for row in paper.ABLATION)
THRESHOLDS = (0.05, 0.10, 0.20)
TOLERANCE = 1e-12  # far above the rounding of a division, far below a real difference of two APs


@dataclass(frozen=True)
class Source:
    """Which stage writes a file, and the keys or columns of it that the report reads."""

    stage: str
    keys: str


PROVENANCE = Source(
    "embed",
    "dataset.name dataset.origin dataset.synthetic dataset.classes dataset.clips.train "
    "dataset.clips.val dataset.clips.eval dataset.clips.set_aside yamnet.source yamnet.handle "
    "yamnet.trained yamnet.savedmodel_sha256 yamnet.weights_sha256",
)
TRAINING = Source("train", "epochs learning_rate batch_size seed")
METRICS = Source(
    "evaluate",
    "mAP mAUC d_prime d_prime_per_class lwlrap parameters classes_scored "
    "classes_without_positives best_epoch synthetic yamnet_trained",
)
CLASSES = Source("evaluate", "label AP positives")
HISTORY = Source("train", "epoch loss val_mAP")
SET_ASIDE = Source("prepare", "clip split file reason")


@dataclass(frozen=True)
class Measured:
    """One directory of metrics: `provenance` with dotted keys, the mappings by variant."""

    provenance: Record
    training: Record
    metrics: Mapping[str, Record]
    classes: Mapping[str, Sequence[Record]]
    histories: Mapping[str, Sequence[Record]]
    set_aside: Sequence[Record]


def number(text: str | None) -> float | None:
    """A CSV cell as a number; None for an empty cell or one that is not finite."""
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def flatten(record: Record, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys: `{"a": {"b": 1}}` becomes `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        nested = isinstance(value, dict)
        flat |= flatten(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    return flat


def _read_text(path: Path, source: Source) -> str:
    if not path.is_file():
        raise LeanError(f"{path} is missing: stage {source.stage} writes it.")
    return path.read_text(encoding="utf-8")


def _require(path: Path, source: Source, present: Container[str]) -> None:
    absent = [key for key in source.keys.split() if key not in present]
    if absent:
        raise LeanError(f"{path} lacks {', '.join(absent)}: stage {source.stage} writes the file.")


def _read_json(path: Path, source: Source) -> Record:
    text = _read_text(path, source)
    try:
        record = flatten(json.loads(text))
    except (json.JSONDecodeError, AttributeError) as error:
        raise LeanError(f"{path} holds no JSON object: stage {source.stage} writes it.") from error
    _require(path, source, record)
    return record


def _read_csv(path: Path, source: Source) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(_read_text(path, source)))
    _require(path, source, rows.fieldnames or ())
    return list(rows)


def read_measured(metrics_dir: Path) -> Measured:
    """Read one dataset's metrics; LeanError where a file, a key or a column is missing."""
    return Measured(
        provenance=_read_json(metrics_dir / "provenance.json", PROVENANCE),
        training=_read_json(metrics_dir / f"{VARIANTS[0]}.training.json", TRAINING),  # all alike
        metrics={name: _read_json(metrics_dir / f"{name}.json", METRICS) for name in VARIANTS},
        classes={
            name: _read_csv(metrics_dir / f"{name}.classes.csv", CLASSES) for name in VARIANTS
        },
        histories={
            name: _read_csv(metrics_dir / f"{name}.history.csv", HISTORY) for name in VARIANTS
        },
        set_aside=_read_csv(metrics_dir / "set_aside.csv", SET_ASIDE),
    )


def scored(rows: Sequence[Record]) -> dict[str, float]:
    """Average precision by label, without the classes that have no positives."""
    values = {row["label"]: number(row["AP"]) for row in rows}
    return {label: value for label, value in values.items() if value is not None}


def relative_improvement(ap: float, baseline: float) -> float:
    """`ap / baseline - 1`; infinite where anything beats a baseline of zero."""
    if baseline > 0:
        return ap / baseline - 1
    return math.inf if ap > 0 else 0.0


def count_better(improvements: Sequence[float]) -> tuple[int, ...]:
    """How many improve at all, and how many by at least each threshold; rounding decides none."""
    at_all = sum(value > TOLERANCE for value in improvements)
    return at_all, *(sum(v >= limit - TOLERANCE for v in improvements) for limit in THRESHOLDS)


def compare_classes(ours: Scores, theirs: Scores) -> Record:
    """Classes of ours better than theirs, in two readings of "%", of those scored in both."""
    pairs = [(ap, theirs[label]) for label, ap in ours.items() if label in theirs]
    return {
        "classes": len(pairs),
        "relative": count_better([relative_improvement(*pair) for pair in pairs]),
        "absolute": count_better([ap - base for ap, base in pairs]),
    }


def class_wise_rows(aps: Mapping[str, Scores], headline: str) -> list[Record]:
    """The paper's three pairs; without attention the headline is the joint model: one pair."""
    pairs = [("joint-none", "yamnet-projection", paper.JOINT_OVER_PROJECTION)]
    if headline != "joint-none":
        pairs.append((headline, "yamnet-projection", paper.ATTENTION_OVER_PROJECTION))
        pairs.append((headline, "joint-none", paper.ATTENTION_OVER_JOINT))
    return [
        {"names": (ours, theirs), "paper": stated, **compare_classes(aps[ours], aps[theirs])}
        for ours, theirs, stated in pairs
    ]


def caveats(measured: Measured) -> dict[str, bool]:
    """What forbids a comparison; one file that says so is enough."""
    provenance, metrics = measured.provenance, measured.metrics.values()
    synthetic = provenance["dataset.synthetic"] or any(m["synthetic"] for m in metrics)
    trained = provenance["yamnet.trained"] and all(m["yamnet_trained"] for m in metrics)
    return {
        "synthetic": synthetic,
        "untrained": not trained,
        "is_fsd50k": provenance["dataset.name"].lower() == "fsd50k" and not synthetic,
    }


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


def fixed(value: float | None, digits: int) -> str:
    """A number with fixed decimals and commas, or n/a where there is none to state."""
    return "n/a" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def markdown_text(value: object) -> str:
    """Text that Markdown shows as it is, inside a table cell too."""
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
    environment.filters["fixed"] = fixed
    return environment.get_template(name).render(content)


def summarize(measured: Measured, attention: Attention) -> Record:
    """Everything that the templates show, as plain data."""
    headline = f"joint-{attention}"
    aps = {name: scored(rows) for name, rows in measured.classes.items()}
    return {
        **caveats(measured),
        "measured": measured,
        "paper": paper,
        "variants": VARIANTS,
        "headline": headline,
        "aps": aps,
        "class_wise": class_wise_rows(aps, headline),
        "learning": [learning_row(name, measured.histories[name]) for name in VARIANTS],
    }


def render(metrics_dir: Path, out_dir: Path, attention: Attention) -> None:
    """Write `report.md` and `index.html` into `out_dir`; `attention` names the headline variant."""
    measured = summarize(read_measured(metrics_dir), attention)
    content = {**measured, "device": read_device(metrics_dir)}
    pages = {name: _render_template(f"{name}.j2", content) for name in ("report.md", "index.html")}
    for name, page in pages.items():
        write_text(out_dir / name, page)


def results_table(metrics_dirs: Sequence[Path]) -> str:
    """The README's table: the paper's parameters and mAP, and our mAP on each dataset."""
    read = [(read_measured(folder), read_device(folder)) for folder in metrics_dirs]
    runs = [{**caveats(run), "measured": run, "device": device} for run, device in read]
    return _render_template("results.md.j2", {"runs": runs, "paper": paper})
