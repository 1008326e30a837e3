"""A control for a neural operator: a model of scikit-learn that sees each cell by itself.

A network that reads whole fields should be better than one that knows no neighbours. How much better is what this
says, on the same samples and in the same norm.
"""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from flowstages import Context, Dataset, Metrics, Range, Variable, operation
from sklearn.ensemble import ExtraTreesRegressor

TRAINING, TEST = 0, 2


class Controlled(NamedTuple):
    """What `cells` gives.

    Attributes:
        prediction: For the test samples, with the dimensions of the network's.
        scores: The relative L2 errors of the network and of the control, and their ratio.
    """

    prediction: Dataset
    scores: Metrics


@operation
def cells(
    data: Dataset,
    network: Dataset,
    context: Context,
    target: Literal["saturation", "pressure"] = "saturation",
    trees: Annotated[int, Range(1, 1000)] = 20,
    cells: Annotated[int, Range(10)] = 4000,
    seed: int = 0,
) -> Controlled:
    """Predicts a field cell by cell, with randomised trees, and compares that with a network.

    Args:
        data: Samples with inputs `x` (sample, channel, row, column), the target, `mask` and `split`.
        network: What the network predicts for the test samples.
        target: The field that is predicted.
        trees: How many trees.
        cells: On how many cells the trees are trained, drawn at random.
        seed: Of that draw and of the trees.
    """
    counts = np.asarray(data["mask"]) > 0
    features = np.moveaxis(np.asarray(data["x"], dtype="f4"), 1, -1)
    fields = np.moveaxis(np.asarray(data[target], dtype="f4"), 1, -1)
    split = np.asarray(data["split"])
    training, test = split == TRAINING, split == TEST
    x, y = features[training][counts[training]], fields[training][counts[training]]
    drawn = np.random.default_rng(seed).permutation(len(x))[:cells]
    context.note(f"{len(drawn)} of {len(x)} cells, {x.shape[1]} features each")
    # Trees are made one after the other: progress, and a place to stop.
    model = ExtraTreesRegressor(n_estimators=0, warm_start=True, random_state=seed, n_jobs=context.threads)
    for done in range(1, trees + 1):
        context.check_cancelled()
        model.set_params(n_estimators=done).fit(x[drawn], y[drawn])
        context.progress(done, trees, "trees")
    prediction = np.zeros_like(fields[test])
    prediction[counts[test]] = model.predict(features[test][counts[test]]).reshape(-1, fields.shape[-1])
    theirs = np.moveaxis(np.asarray(network["prediction"], dtype="f4"), 1, -1)
    errors = {
        name: relative(found, fields[test], counts[test]) for name, found in (("network", theirs), ("control", prediction))
    }
    scores = Metrics(errors, ratio=errors["network"] / errors["control"], samples=int(test.sum()))
    like = network.variable("prediction")
    values = np.moveaxis(prediction, -1, 1)
    return Controlled(Dataset(prediction=Variable(values, like.dims, like.units)), scores)


def relative(found: np.ndarray, true: np.ndarray, counts: np.ndarray) -> float:
    """The mean over samples of the relative L2 error, on cells that count."""
    each = [
        np.linalg.norm((a - b)[on]) / np.linalg.norm(b[on]) for a, b, on in zip(found, true, counts) if np.any(b[on])
    ]
    return float(np.mean(each))
