"""Read label tracks and selection tables as the manuals of Audacity and Raven describe them.

Written from the documentation alone, without any code of the project.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Region:
    start_s: float
    end_s: float
    text: str


def read_audacity(content: bytes) -> list[Region]:
    """Manual, "Importing and Exporting Labels".

    UTF-8. Start and end in seconds with a decimal point, then the text, with tabs between. A line
    that starts with a backslash has the frequencies of the label above.
    """
    regions = []
    for line in content.decode("utf-8").split("\n")[:-1]:
        if not line.startswith("\\"):
            start, end, text = line.split("\t")
            regions.append(Region(float(start), float(end), text))
    assert content == b"" or content.endswith(b"\n")
    assert all(0 <= region.start_s <= region.end_s for region in regions)
    return regions


def read_raven(content: bytes) -> list[dict[str, str]]:
    """Raven Pro User's Manual, "Saving and retrieving selection tables".

    A header with the names of the columns, then a row per selection and view; tabs between. Six
    columns must be there; the rest are measurements and annotations.
    """
    header, *rows = content.decode("utf-8").split("\n")[:-1]
    names = header.split("\t")
    needed = {"Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"}
    assert needed | {"Low Freq (Hz)", "High Freq (Hz)"} <= set(names)
    assert len(set(names)) == len(names)
    table = [dict(zip(names, row.split("\t"), strict=True)) for row in rows]
    for number, row in enumerate(table, 1):
        assert int(row["Selection"]) == number
        assert row["View"] == "Spectrogram 1"
        assert int(row["Channel"]) >= 1
        assert 0 <= float(row["Begin Time (s)"]) <= float(row["End Time (s)"])
        assert 0 <= float(row["Low Freq (Hz)"]) < float(row["High Freq (Hz)"])
    return table
