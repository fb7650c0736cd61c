"""The tables that come with scikit-learn, by name."""

from __future__ import annotations

import pandas as pd
from sklearn import datasets

from modelyard.errors import TableUnreadable, nearest

__all__ = ["SCHEME", "load_bundled"]

SCHEME = "sklearn://"

LOADERS = {
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
}


def load_bundled(address: str) -> pd.DataFrame:
    """Returns a bundled table with its prediction in a column ``target``, classes by their names.

    Args:
        address: ``sklearn://`` and the table's name.

    Raises:
        TableUnreadable: There is no such table; names the nearest.
    """
    name = address.removeprefix(SCHEME)
    if name not in LOADERS:
        raise TableUnreadable(address, "scikit-learn bundles no such table", nearest(name, LOADERS))
    bunch = LOADERS[name](as_frame=True)
    frame: pd.DataFrame = bunch.frame
    classes = getattr(bunch, "target_names", None)
    if classes is not None:
        frame["target"] = pd.Series(classes, index=range(len(classes))).loc[frame["target"]].to_numpy()
    return frame
