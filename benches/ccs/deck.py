"""Writes a problem (see cases.py) as an input deck of OPM Flow.

A ring is a block of a 1-cell-wide grid whose pore volume, transmissibilities and connection factors are given:
the simulator computes nothing from the block's shape, so both sides solve the same equations.
"""

import numpy as np

# Depth of the top face. Only differences of depth matter.
DEPTH = 1000.0
# OPM Flow's density of CO₂ at its standard conditions, kg/m³: it takes rates as volumes.
STANDARD_DENSITY = 1.868433
DAYS_A_YEAR = 365.25
# Bottom-hole pressure that the injector must not exceed, bar.
PRESSURE_LIMIT = 1000.0


def numbers(values, digits=9):
    words = [f"{v:.{digits}g}" for v in np.ravel(values)]
    return "\n".join(" ".join(words[i : i + 8]) for i in range(0, len(words), 8))


def keyword(name, values):
    return f"{name}\n{numbers(values)}\n/\n"


def write(case, title):
    """The deck of a problem."""
    rows, columns = case["pv"].shape
    cells = rows * columns
    active = case["pv"] > 0.0
    dz, p_top = float(case["dz"]), float(case["p_top"])
    tables = case["sgwfn"]
    first, last = (int(row) for row in case["perf"])
    times = case["times_days"]
    rate = float(case["q_mt"]) * 1e9 / DAYS_A_YEAR / STANDARD_DENSITY
    factors = case["cf"] if len(case["cf"]) == last - first + 1 else case["cf"][first - 1 : last]
    regions = len(tables)

    parts = [
        f"RUNSPEC\nTITLE\n {title}\nDIMENS\n {columns} 1 {rows} /\nWATER\nGAS\nCO2STORE\nMETRIC\n",
        f"START\n 1 JAN 2000 /\nTABDIMS\n {regions} 1 {tables.shape[2]} /\nEQLDIMS\n/\n",
        f"WELLDIMS\n 1 {rows} 1 1 /\nUNIFOUT\nGRID\n",
        keyword("DXV", np.diff(case["rf"])),
        f"DYV\n 1 /\nDZV\n {rows}*{dz:.9g} /\nTOPS\n {columns}*{DEPTH} /\n",
        keyword("ACTNUM", active.astype(int)),
        keyword("PORO", np.where(active, case["phi"], 0.1)),
        keyword("PERMX", case["kr"]),
        "COPY\n PERMX PERMY /\n/\n",
        keyword("PERMZ", case["kz"]),
        "EDIT\n",
        keyword("PORV", case["pv"]),
        keyword("TRANX", case["tx"]),
        keyword("TRANZ", case["tz"]),
        f"PROPS\nROCK\n {p_top:.6f} {float(case['cr']):.6g} /\nRTEMP\n {float(case['T']):.6f} /\nSGWFN\n",
    ]
    for table in tables:
        parts += [" ".join(f"{v:.10g}" for v in row) + "\n" for row in table.T]
        parts.append("/\n")
    parts += [
        f"REGIONS\nSATNUM\n{numbers(case['satnum'])}\n/\n" if regions > 1 else f"REGIONS\nSATNUM\n {cells}*1 /\n",
        f"SOLUTION\nEQUIL\n {DEPTH} {p_top:.6f} 0 0 0 0 1 1 0 /\nRPTRST\n BASIC=2 /\nSUMMARY\nWBHP\n/\n",
        "SCHEDULE\nRPTRST\n BASIC=2 /\nWELSPECS\n INJ G 1 1 1* GAS /\n/\nCOMPDAT\n",
    ]
    parts += [
        f" INJ 1 1 {row} {row} OPEN 1* {factor:.9g} 0.2 /\n"
        for row, factor in zip(range(first, last + 1), factors, strict=True)
    ]
    steps = np.diff(times, prepend=0.0)
    parts += [
        f"/\nWCONINJE\n INJ GAS OPEN RATE {rate:.6f} 1* {PRESSURE_LIMIT} /\n/\nTSTEP\n",
        "".join(f" {step:.9g}\n" for step in steps),
        "/\nEND\n",
    ]
    return "".join(parts)
