"""Writes the files beside it: one set of arrays, by the programs that scientists use.

    python make.py          with h5py, hdf5plugin, netCDF4, numpy, pandas, pyarrow, scipy, xarray, zarr

The files are kept, so that the tests need none of these. They are made anew only to add a form.
"""

import shutil
from pathlib import Path

import h5py
import hdf5plugin
import netCDF4
import numcodecs
import numpy as np
import pandas as pd
import scipy.io
import xarray as xr
import zarr

here = Path(__file__).parent

height = (np.arange(24, dtype="f4") / 8).reshape(2, 3, 4)
height[0, 0, 0] = np.nan
count = np.array([7, -8], dtype="i4")
z = np.array([0.5, 1.5, 2.5])
data = xr.Dataset(
    {
        "height": (("sample", "z", "r"), height, {"units": "m", "long_name": "Height"}),
        "count": (("sample",), count, {"units": "1"}),
        "gravity": ((), 9.81, {"units": "m/s2"}),
        "site": (("sample",), np.array(["north", "south"])),
    },
    coords={"z": ("z", z, {"units": "m"})},
    attrs={"title": "Waves", "history": "2020-01-01: made"},
)
numbers = data.drop_vars("site")

data.to_netcdf(here / "classic.nc", format="NETCDF3_64BIT", engine="scipy")
data.to_netcdf(here / "netcdf4.nc", format="NETCDF4", engine="netcdf4")
packed = {"dtype": "i2", "scale_factor": 0.125, "_FillValue": -1, "zlib": True, "shuffle": True, "chunksizes": (1, 2, 3)}
data.to_netcdf(
    here / "packed4.nc", format="NETCDF4", engine="netcdf4", unlimited_dims=["sample"], encoding={"height": packed}
)
for name, options in [
    ("zarr3", {"consolidated": False, "encoding": {"height": {"chunks": (1, 2, 3)}}}),
    ("zarr2", {"zarr_format": 2, "encoding": {name: {"compressors": None} for name in numbers.variables}}),
]:
    shutil.rmtree(here / name, ignore_errors=True)
    numbers.to_zarr(here / name, **options)

arrays = {"height": height, "count": count, "gravity": np.float64(9.81), "z": z}
np.savez(here / "numpy.npz", **arrays, site=np.array(["north", "south"]))
np.save(here / "fortran.npy", np.asfortranarray(height))
np.savez(here / "pickled.npz", height=height, site=np.array(["north", {}], dtype=object))

matlab = {**arrays, "site": "north", "wave": 1 + 2j, "flag": np.array([True, False])}
scipy.io.savemat(here / "matlab5.mat", matlab, do_compression=False)
scipy.io.savemat(here / "packed5.mat", matlab, do_compression=True)

# As MATLAB writes 7.3: HDF5 behind a text, axes in the other order, the type in an attribute.
with h5py.File(here / "matlab73.mat", "w", userblock_size=512) as file:
    for name, array, kind in [
        ("height", height.T, "single"),
        ("count", count[np.newaxis, :].T, "int32"),
        ("gravity", np.array([[9.81]]), "double"),
        ("z", z[:, np.newaxis].T, "double"),
        ("site", np.frombuffer("north".encode("utf-16le"), "u2")[:, np.newaxis], "char"),
    ]:
        # MATLAB packs what is not small.
        file.create_dataset(name, data=array, **({"chunks": True, "compression": "gzip"} if array.ndim == 3 else {}))
        file[name].attrs["MATLAB_class"] = np.bytes_(kind)
with open(here / "matlab73.mat", "r+b") as file:
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 ."
    file.write(text.ljust(116) + b"\0" * 8 + b"\0\2IM")

with h5py.File(here / "h5py.h5", "w") as file:
    group = file.create_group("run")
    group.create_dataset("height", data=height, chunks=(1, 3, 2), compression="gzip", fletcher32=True)
    group.create_dataset("half", data=z.astype("f2"))
    group.create_dataset("big", data=count.astype(">i8"))
    file["flag"] = np.array([True, False])
    file["pair"] = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])

table = pd.DataFrame(
    {
        "id": [1, 2, 3],
        "depth": [0.5, np.nan, 2.5],
        "single": np.array([1.5, 2.5, 3.5], dtype="f4"),
        "small": np.array([1, 2, 255], dtype="u1"),
        "gaps": pd.array([1, None, 3], dtype="Int64"),
        "ok": [True, False, True],
        "when": pd.to_datetime(["2000-01-01", "2000-01-02T12:00", "2000-01-03"], format="ISO8601"),
        "name": ["a", "b,c", "d"],
    }
)
table.to_parquet(here / "table.parquet")
table.to_parquet(here / "zstd.parquet", compression="zstd")
table.to_csv(here / "table.csv", index=False)
np.savetxt(here / "numbers.txt", [[1.5, 2.0], [np.nan, 3.0]], delimiter=",")
for packing in ["gzip", "brotli", "lz4"]:
    table.to_parquet(here / f"{packing}.parquet", compression=packing)
table.to_parquet(here / "pages2.parquet", compression="zstd", data_page_version="2.0")

# One variable, packed in every way; `wave` is long enough for blocks of several parts, with a remainder.
wave = (np.arange(1000) // 3 % 50 / 8).astype("f4")

with h5py.File(here / "filters.h5", "w") as file:
    for name, options in {
        "gzip": {"compression": "gzip", "shuffle": True, "fletcher32": True},
        "lzf": {"compression": "lzf", "shuffle": True},
        "digits": {"scaleoffset": 3},
        "lz4": hdf5plugin.LZ4(),
        "zstd": hdf5plugin.Zstd(),
        "blosc": hdf5plugin.Blosc(cname="lz4", shuffle=hdf5plugin.Blosc.BITSHUFFLE),
        "bitshuffle": hdf5plugin.Bitshuffle(),
        "blosc2": hdf5plugin.Blosc2(),
    }.items():
        file.create_dataset(name, data=wave, chunks=(300,), **options)
    file.create_dataset("whole", data=(wave * 8).astype("i4"), chunks=(300,), scaleoffset=0)
with h5py.File(here / "loops.h5", "w") as file:
    inner = file.create_group("a")
    inner["x"] = wave[:3]
    for name in "bcdefghijkl":
        inner[name] = file["/"]
        file[name] = inner
with netCDF4.Dataset(here / "filters.nc", "w") as file:
    file.createDimension("x", len(wave))
    for name in ["zlib", "zstd", "bzip2", "blosc_lz", "blosc_zstd", "szip"]:
        file.createVariable(name, "f4", ["x"], compression=name, chunksizes=[300])[:] = wave

def group(name, version):
    shutil.rmtree(here / name, ignore_errors=True)
    return zarr.open_group(here / name, mode="w", zarr_format=version)

def array(to, name, chunk=600, **how):
    to.create_array(name, shape=wave.shape, dtype="f4", chunks=(chunk,), **how)[:] = wave

two = group("codecs2", 2)
for name in ["lz4", "lz4hc", "blosclz", "zlib", "zstd"]:
    for shuffle in [0, 1, 2]:
        packing = numcodecs.Blosc(cname=name, clevel=5, shuffle=shuffle, blocksize=1024)
        array(two, f"{name}_{shuffle}", 500, compressors=packing)
array(two, "whole_blosc", compressors=numcodecs.Blosc())
for name, packing in [("gzip", numcodecs.GZip()), ("deflate", numcodecs.Zlib()), ("zstandard", numcodecs.Zstd()),
                      ("lz4_block", numcodecs.LZ4()), ("bz2", numcodecs.BZ2())]:
    array(two, name, compressors=packing)
array(two, "shuffled", filters=[numcodecs.Shuffle(4)], compressors=numcodecs.Zlib())
array(two, "delta", filters=[numcodecs.Delta("f4")], compressors=None)
three = group("codecs3", 3)
for name, packing in [
    ("bits", zarr.codecs.BloscCodec(cname="zstd", shuffle="bitshuffle")),
    ("bytes", zarr.codecs.BloscCodec(cname="lz4", shuffle="shuffle")),
    ("gzip", zarr.codecs.GzipCodec()),
    ("zstd", [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]),
]:
    array(three, name, compressors=packing)
array(three, "shards", 100, shards=(500,))

# What stands for no value has another place in each version.
gaps = xr.Dataset({"depth": ("x", [0.5, np.nan, 2.5]), "level": ("x", [0.5, np.nan, 2.5])})
packing = {"depth": {"_FillValue": -9999.0}, "level": {"dtype": "i2", "scale_factor": 0.5, "_FillValue": 0}}
for version in [2, 3]:
    shutil.rmtree(here / f"gaps{version}", ignore_errors=True)
    gaps.to_zarr(here / f"gaps{version}", zarr_format=version, encoding=packing, consolidated=False)
