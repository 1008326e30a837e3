"""Opens what flow writes with the programs that scientists use.

The folder given holds what core/artifact/tests/python.rs wrote: one dataset in every form, a table, a model
and metrics. Every form must hold the same numbers.
"""

import csv
import json
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pandas
import pyarrow.parquet
import safetensors.numpy
import scipy.io
import xarray as xr

folder = Path(sys.argv[1])

sample, z, r = 3, 4, 5
saturation = (np.arange(sample * z * r, dtype="f4") / 7).reshape(sample, z, r)
expected = {
    "saturation": (("sample", "z", "r"), saturation, "1", "Gas saturation"),
    "time": (("time",), np.array([0.5, 1.5]), "d", "Time"),
    "cell": (("z", "r"), np.arange(z * r, dtype="i4").reshape(z, r), "1", ""),
    "id": (("sample",), np.array([7, -8, 9]), "1", ""),
    "mask": (("z", "r"), (np.arange(z * r).reshape(z, r) % 2 * 255).astype("u1"), "1", ""),
    "gravity": ((), np.array(9.81), "m/s2", "Gravity"),
}


def same(name, actual, wide=True):
    want = expected[name][1]
    assert actual.shape == want.shape, (name, actual.shape, want.shape)
    assert np.array_equal(actual, want), (name, actual, want)
    if wide:
        assert actual.dtype.newbyteorder("=") == want.dtype, (name, actual.dtype, want.dtype)


# Zarr, as xarray opens it: whole, and written in several chunks.
for name in ["data", "chunked"]:
    zarr = xr.open_zarr(folder / name)
    assert zarr.attrs == {"grid": "r-z", "version": 1}, zarr.attrs
    assert set(zarr.variables) == set(expected), set(zarr.variables)
    for variable, (dims, _, units, long_name) in expected.items():
        assert zarr[variable].dims == dims, zarr[variable].dims
        assert zarr[variable].attrs == {"units": units, "long_name": long_name}, zarr[variable].attrs
        same(variable, zarr[variable].values)
assert xr.open_zarr(folder / "empty")["x"].shape == (0, 3)

# Every chunk is a plain file of numbers.
raw = np.memmap(folder / "data/saturation/c.0.0.0", dtype="<f4", shape=(sample, z, r), mode="r")
same("saturation", np.asarray(raw))

# NetCDF: by xarray, by the reference library, and by SciPy, which has an implementation of its own.
nc = xr.open_dataset(folder / "data.nc")
assert nc.attrs == {"grid": "r-z", "version": 1}, nc.attrs
for variable, (dims, _, units, _) in expected.items():
    assert nc[variable].dims == dims
    # Units of time are decoded by xarray where they name a moment; these are plain.
    same(variable, nc[variable].values, wide=variable not in ("id", "mask", "time"))
with netCDF4.Dataset(folder / "data.nc") as library:
    assert library.data_model == "NETCDF3_64BIT_OFFSET", library.data_model
    assert library["saturation"].units == "1"
    same("saturation", library["saturation"][:].filled())
with scipy.io.netcdf_file(folder / "data.nc", mmap=False) as own:
    same("saturation", own.variables["saturation"][:])
    same("id", own.variables["id"][:], wide=False)
with netCDF4.Dataset(folder / "wide.nc") as library:
    assert library.data_model == "NETCDF3_64BIT_DATA", library.data_model
    # 255 is what the library takes for a missing byte unless told otherwise.
    library.set_auto_mask(False)
    assert library["id"][:].tolist() == [2**40, -(2**40)], library["id"][:]
    assert library["mask"][:].tolist() == [0, 255, 1], library["mask"][:]

# NumPy.
npz = np.load(folder / "data.npz")
for variable in expected:
    same(variable, npz[variable])
    same(variable, np.load(folder / "npy" / f"{variable}.npy"))

# Tables.
table = pyarrow.parquet.read_table(folder / "table.parquet").to_pydict()
assert table == {"case": [1, 2], "error": [0.25, float("inf")], "name": ["a", "ü, \"b\""], "ok": [True, False]}, table
with open(folder / "table.csv", newline="", encoding="utf-8") as text:
    rows = list(csv.reader(text))
assert rows == [["case", "error", "name", "ok"], ["1", "0.25", "a", "true"], ["2", "inf", "ü, \"b\"", "false"]], rows

# Variables along one dimension, as columns.
columns = {"id": ([2**40, -8, 9], "i8"), "mask": ([0, 255, 1], "u1"), "x": ([0.5, np.nan, 1e-30], "f4"),
           "y": ([0.1, np.inf, -2.0], "f8")}
for frame, exact in [(pandas.read_parquet(folder / "columns.parquet"), True), (pandas.read_csv(folder / "columns.csv"), False)]:
    assert list(frame.columns) == list(columns), frame.columns
    for name, (values, dtype) in columns.items():
        assert np.array_equal(frame[name].to_numpy(dtype), np.array(values, dtype=dtype), equal_nan=dtype[0] == "f"), frame[name]
        assert not exact or frame[name].dtype == dtype, frame[name].dtype

# A model and metrics.
weights = safetensors.numpy.load_file(folder / "model/model.safetensors")
assert weights["lift.weight"].tolist() == [[1.0, 2.0], [3.0, 4.0]], weights
assert json.loads((folder / "model/config.json").read_text())["width"] == 32
metrics = json.loads((folder / "metrics").read_text())
assert metrics["r2"] == 0.98 and np.isnan(float(metrics["loss"])), metrics
print("all forms open and agree")
