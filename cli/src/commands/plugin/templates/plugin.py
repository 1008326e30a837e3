"""Operations of the plugin `NAME`.

Each function with `@operation` can be a stage of a workflow. What its arguments are is said by their types: a
`Dataset` (or `File`, `Metrics`, `Model`, …) is an input, a number or a text is a parameter.
"""

from typing import Annotated, NamedTuple

import numpy as np
from flowstages import Context, Dataset, Metrics, Range, operation

# A type of dataset: the names of its variables, their dimensions and units.
Signal = Annotated[Dataset, "time: (time) s; height: (time) m"]


@operation
def measure(samples: Annotated[int, Range(2, 1_000_000)] = 200, noise: float = 0.1, seed: int = 0) -> Signal:
    """Makes an oscillation with noise, where yours would read data.

    Args:
        samples: How many.
        noise: The standard deviation of the noise, in metres.
        seed: Equal seeds give equal noise.
    """
    time = np.linspace(0.0, 10.0, samples)
    height = np.sin(time) + noise * np.random.default_rng(seed).normal(size=samples)
    return Dataset(time=time, height=height)


class Smoothed(NamedTuple):
    """What `smooth` gives.

    Attributes:
        signal: The signal without what varies faster than the window.
        scores: How much was taken away.
    """

    signal: Signal
    scores: Metrics


@operation
def smooth(signal: Signal, context: Context, window: Annotated[int, Range(1)] = 5) -> Smoothed:
    """Smooths a signal by a running mean.

    Args:
        signal: What to smooth.
        window: How many samples the mean is taken over.
    """
    height = signal["height"]
    mean = np.convolve(height, np.ones(window) / window, mode="same")
    # A series: shown while it runs, and drawn in the report.
    for index in range(0, len(mean), 10):
        context.metric("height", index, mean[index])
    rest = float(np.std(height - mean))
    print(f"took away {rest:.3f} m")
    return Smoothed(Dataset(time=signal["time"], height=mean), Metrics(rest=rest, window=window))
