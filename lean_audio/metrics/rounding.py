"""Results as they are kept in git: with few decimals.

What differs beyond them differs with the processor, and would only make the difference between two
runs hard to read.
"""

from typing import Any

import numpy as np
import pandas as pd

DECIMALS = 4


def rounded(content: Any) -> Any:
    """Round every float in JSON content, or in a table."""
    if isinstance(content, pd.DataFrame):
        floats = content.select_dtypes("floating")
        return content.assign(**(floats.round(DECIMALS) + 0.0))  # no -0.0
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [rounded(value) for value in content]
    return round(content, DECIMALS) + 0.0 if isinstance(content, float) else content


def known(value: float) -> float | None:
    """Return None instead of NaN, which JSON does not have."""
    return None if np.isnan(value) else value
