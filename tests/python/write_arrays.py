"""Writes one set of arrays in every form in which scientists' programs leave them.

core/artifact/tests/python.rs reads them all, and expects the same numbers.
"""

import sys
from pathlib import Path

import numpy as np
import scipy.io
import xarray as xr
import zarr

folder = Path(sys.argv[1])
height = (np.arange(60, dtype="f4") / 7).reshape(3, 4, 5)
height[0, 0, 0] = np.nan
data = xr.Dataset(
    {
        "height": (("sample", "z", "r"), height, {"units": "m", "long_name": "Height"}),
        "count": (("sample",), np.array([7, -8, 9], dtype="i4"), {"units": "1"}),
        "gravity": ((), 9.81, {"units": "m/s2"}),
    },
    coords={"z": ("z", np.array([0.5, 1.5, 2.5, 3.5]), {"units": "m"})},
    attrs={"title": "Waves"},
)
packed = {"height": {"dtype": "i2", "scale_factor": 0.25, "add_offset": 1.0, "_FillValue": -32768}}
eighths = data.assign(height=(np.round(data["height"] * 4) / 4).assign_attrs(data["height"].attrs))

data.to_zarr(folder / "zarr3")
data.to_zarr(folder / "zarr3-chunks", encoding={"height": {"chunks": (2, 3, 2)}}, consolidated=False)
blosc = zarr.codecs.BloscCodec(cname="zstd", shuffle="bitshuffle")
data.to_zarr(folder / "zarr3-blosc", encoding={"height": {"chunks": (2, 3, 2), "compressors": blosc}})
data.to_zarr(folder / "zarr2-blosc", zarr_format=2)
data.to_zarr(folder / "zarr2", zarr_format=2, encoding={name: {"compressors": None} for name in data.variables})
for form in ["NETCDF3_CLASSIC", "NETCDF3_64BIT"]:
    for engine in ["scipy", "netcdf4"]:
        data.to_netcdf(folder / f"{engine}-{form}.nc", format=form, engine=engine)
data.to_netcdf(folder / "cdf5.nc", format="NETCDF3_64BIT_DATA", engine="netcdf4")
data.to_netcdf(folder / "growing.nc", format="NETCDF3_CLASSIC", engine="netcdf4", unlimited_dims=["sample"])
eighths.to_netcdf(folder / "packed.nc", format="NETCDF3_CLASSIC", engine="scipy", encoding=packed)
data.to_netcdf(folder / "netcdf4.nc", format="NETCDF4", engine="netcdf4")
zlib = {"zlib": True, "shuffle": True, "fletcher32": True, "chunksizes": (2, 3, 2)}
data.to_netcdf(folder / "zlib.nc", format="NETCDF4", engine="netcdf4", encoding={"height": zlib})
arrays = {name: data[name].values for name in data.variables}
np.savez(folder / "stored", **arrays)
np.savez_compressed(folder / "deflated.npz", **arrays)
np.savez(folder / "fortran.npz", **{name: np.asfortranarray(array) for name, array in arrays.items()})
np.savez(folder / "big.npz", **{name: array.astype(array.dtype.newbyteorder(">")) for name, array in arrays.items()})
