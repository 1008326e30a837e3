"""Injection problems as arrays, in the layout that `ccs/case` reads (`flow plugins ccs/case`, Transmissibilities)."""

import numpy as np

# 1 mD·m at unit viscosity, in cP·m³/(day·bar).
DARCY = 0.00852702
# Rock compressibility of the draws, 1/bar, and the rock at which their capillary pressure scale is given.
COMPRESSIBILITY = 4.35e-5
REFERENCE_PERMEABILITY, REFERENCE_POROSITY = 100.0, 0.2
# Effective water saturation below which capillary pressure is held.
CAPILLARY_END = 0.02
# Rows of a saturation table, and the logarithmic width of the classes of capillary pressure: a table for
# every cell is no use to anyone, and within a class capillary pressure is off by at most half of this.
TABLE_ROWS, CLASS_WIDTH = 101, 0.05
VAN_GENUCHTEN = 1


def stored(path):
    """A stored problem."""
    with np.load(path) as file:
        case = {name: file[name] for name in file.files}
    case.setdefault("satnum", np.ones(case["pv"].shape, int))
    return case


def drawn(reservoirs, n):
    """Reservoir `n` of `ccs/geology`: two-point transmissibilities and saturation tables from its rock."""
    scalar = {name: float(reservoirs[name][n]) for name in SCALARS}
    if reservoirs["curve"][n] != VAN_GENUCHTEN:
        raise ValueError(f"reservoir {n} has curves other than van Genuchten's")
    active = reservoirs["active"][n] != 0
    kr, kz, porosity = (
        np.where(active, reservoirs[name][n].astype(float), 0.0) for name in ("kr", "kz", "porosity")
    )
    rf, zf = reservoirs["r_face"], reservoirs["z_face"]
    height = np.diff(zf)
    if np.ptp(height) > 1e-9 * height[0]:
        raise ValueError("rows of different heights")
    dz, area = height[0], np.pi * np.diff(rf**2)
    node = np.diff(rf) / np.log(rf[1:] / rf[:-1])

    tx, tz = np.zeros_like(kr), np.zeros_like(kr)
    with np.errstate(divide="ignore"):
        face = rf[1:-1]
        resistance = np.log(face / node[:-1]) / kr[:, :-1] + np.log(node[1:] / face) / kr[:, 1:]
        tx[:, :-1] = DARCY * 2 * np.pi * dz / resistance
        tz[:-1] = DARCY * area / (0.5 * dz / kz[:-1] + 0.5 * dz / kz[1:])

    share = np.minimum(zf[1:], scalar["perforation_bottom"]) - np.maximum(zf[:-1], scalar["perforation_top"])
    share = np.clip(share / dz, 0.0, 1.0)
    # Depths are stored in single precision: what is within rounding of a face ends there.
    open_rows = np.flatnonzero(share >= 1e-4)
    share = np.where(share > 1 - 1e-4, 1.0, share)
    cf = DARCY * 2 * np.pi * dz * kr[:, 0] / np.log(node[0] / rf[0]) * share

    with np.errstate(divide="ignore", invalid="ignore"):
        leverett = np.sqrt(REFERENCE_PERMEABILITY / kr * porosity / REFERENCE_POROSITY)
    classes = np.round(np.log(np.where(active, leverett, 1.0)) / CLASS_WIDTH).astype(int)
    present, satnum = np.unique(classes, return_inverse=True)
    table = van_genuchten(scalar["swi"], scalar["lambda"], scalar["entry_pressure"])
    factors = np.ones((len(present), 4, 1))
    factors[:, 3, 0] = np.exp(CLASS_WIDTH * present)
    return {
        "rf": rf,
        "dz": dz,
        "kr": kr,
        "kz": kz,
        "phi": porosity,
        "pv": porosity * area * dz,
        "tx": tx,
        "tz": tz,
        "cf": cf[open_rows],
        "perf": np.array([open_rows[0] + 1, open_rows[-1] + 1]),
        "q_mt": scalar["rate"],
        "p_top": scalar["pressure_top"],
        "T": scalar["temperature"],
        "cr": COMPRESSIBILITY,
        "sgwfn": table * factors,
        "satnum": satnum.reshape(kr.shape) + 1,
        "times_days": reservoirs["time"],
    }


SCALARS = [
    "rate",
    "pressure_top",
    "temperature",
    "perforation_top",
    "perforation_bottom",
    "swi",
    "lambda",
    "entry_pressure",
]


def van_genuchten(swi, m, scale):
    """Rows S_g, k_rg, k_rw and P_c of van Genuchten, Mualem and Corey's curves."""
    sg = np.linspace(0.0, 1.0 - swi, TABLE_ROWS)
    se = np.clip((1.0 - sg - swi) / (1.0 - swi), 0.0, 1.0)
    krg = (1.0 - se) ** 2 * (1.0 - se**2)
    krw = np.sqrt(se) * (1.0 - (1.0 - se ** (1.0 / m)) ** m) ** 2
    held = np.maximum(se, CAPILLARY_END)
    pc = scale * np.maximum(held ** (-1.0 / m) - 1.0, 0.0) ** (1.0 - m)
    return np.array([sg, krg, krw, pc])
