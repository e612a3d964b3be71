"""Synthetic files in the publishers' own formats, with what each must give when it is ingested.

Every number is invented: the names of the files end in ``__synthetic``, and the folder says so in README.txt.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from gridlake_samples.model import SampleFile

__all__ = ["SETS", "SampleFile", "generate"]

SETS = ("demo", "formats", "defects", "large")
README = """These files are SYNTHETIC. A program of the Gridlake project wrote them in the formats of the named publishers;
no number in them was measured. manifest.json says what each file must give when it is ingested.
"""


def generate(which: str, out: Path, seed: int = 7, year: int = 2024) -> list[SampleFile]:
    """Write a set of sample files, README.txt and manifest.json into a folder.

    Parameters
    ----------
    which
        ``demo`` (the tour), ``formats`` (one clean file of each supported format), ``defects`` (one file for each
        kind of defect that real files have), ``large`` (about a million rows).
    out
        Folder; made when absent.
    seed
        Equal seeds and years write equal bytes.
    year
        Year of the data. From 2019 on Brazil has no summer time.

    Returns
    -------
    list of SampleFile
        In the order to ingest them.

    Raises
    ------
    ValueError
        No such set.
    OSError
        The folder can't be written.
    """
    makers = _makers(which)
    out.mkdir(parents=True, exist_ok=True)
    files = [file for make in makers for file in make(out, seed, year)]
    (out / "README.txt").write_text(README, encoding="utf-8")
    manifest = {
        "synthetic": True,
        "set": which,
        "seed": seed,
        "year": year,
        "files": [f.as_dict(out) for f in files],
    }
    (out / "manifest.json").write_text(
        json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
    )
    return files


def _makers(which: str) -> tuple[Callable[[Path, int, int], list[SampleFile]], ...]:
    from gridlake_samples import abroad, containers, defects, ons_plants, ons_system

    if which == "demo":
        return (ons_system.demo, ons_plants.demo, abroad.demo)
    if which == "formats":
        return (ons_system.formats, ons_plants.formats, abroad.formats)
    if which == "defects":
        return (defects.plain, containers.readable, containers.unreadable)
    if which == "large":
        return (ons_plants.large,)
    raise ValueError(f"there is no set {which!r}; choose one of {', '.join(SETS)}")
