"""Reading NetCDF and Zarr, beside xarray: the values into memory, and as a stage of a workflow.

    peer.py [GIGABYTES]          with $FLOW_BIN and $READ_BIN; see run

Every form holds the same field of single-precision numbers: smooth, with three decimals, as measurements are. Both sides
read files that are in the page cache, in turn, each in a process of its own; the start of the process does not count.
"In memory" is `open_dataset(path).load()` beside the reader that `data/read` uses, each with the numbers in one array of
large pages (NumPy asks the system for them). "As a stage" is a run of a workflow with that one stage, which writes a
dataset into the store, hashes what it reads and writes, and waits until that is on the disk, beside
`open_dataset(path).to_zarr(…)` without compression, which does not wait. The stage is given all cores, as xarray takes
them.

The best of the rounds counts on both sides: memory that the system or a virtual machine's host has to find first makes
a round up to ten times as long, on either side.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

ROUNDS = 5
LOAD = """
import json, resource, sys, time
import xarray as xr
path, to = sys.argv[1:]
engine = "zarr" if path.endswith(".zarr") else None
begin, cpu = time.perf_counter(), time.process_time()
with xr.open_dataset(path, engine=engine, **({"consolidated": False} if engine else {})) as data:
    if to:
        data = data.drop_encoding()
        data.to_zarr(to, encoding={name: {"compressors": None} for name in data.variables}, consolidated=False)
    else:
        size = sum(variable.load().nbytes for variable in data.variables.values())
print(json.dumps([time.perf_counter() - begin, time.process_time() - cpu]))
"""


def write(folder, gigabytes):
    """The same field in every form; their names."""
    times = max(1, int(gigabytes * 1e9 / 4 / 500 / 1000))
    x = np.linspace(0, 20, 1000, dtype="f4")
    wave = np.sin(x) * np.cos(np.linspace(0, 9, 500, dtype="f4"))[:, None]
    field = np.empty((times, 500, 1000), dtype="f4")
    for at in range(times):
        field[at] = np.round(wave * (20 + at % 7) + np.sin(at / 5), 3)
    data = xr.Dataset({"t": (("time", "y", "x"), field, {"units": "K"})})
    chunks = {"t": {"chunks": (10, 500, 500)}}
    data.to_netcdf(folder / "netcdf3.nc", format="NETCDF3_64BIT", engine="netcdf4")
    data.to_netcdf(folder / "netcdf4.nc", engine="netcdf4")
    packed = {"t": {"zlib": True, "complevel": 4, "shuffle": True, "chunksizes": (10, 500, 500)}}
    data.to_netcdf(folder / "netcdf4-zlib.nc", engine="netcdf4", encoding=packed)
    data.to_zarr(folder / "plain.zarr", encoding={"t": {**chunks["t"], "compressors": None}}, consolidated=False)
    data.to_zarr(folder / "zstd.zarr", encoding=chunks, consolidated=False)
    data.to_zarr(folder / "blosc.zarr", encoding=chunks, zarr_format=2, consolidated=False)
    return field.nbytes, ["netcdf3.nc", "netcdf4.nc", "netcdf4-zlib.nc", "plain.zarr", "zstd.zarr", "blosc.zarr"]


def numbers(command):
    """Elapsed and CPU seconds that a command prints."""
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def stage(path):
    """Elapsed seconds of a run that reads a file."""
    project = path.parent / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    port = "folder" if path.is_dir() else "file"
    (project / "flow.toml").touch()
    (project / "w.yaml").write_text(
        f"flow: 1\nname: w\nstages:\n  read:\n    uses: data/read\n    inputs: {{ {port}: {{ path: {path} }} }}\n"
        f"    resources: {{ cpus: {os.cpu_count()} }}\n"
    )
    begin = time.perf_counter()
    subprocess.run([os.environ["FLOW_BIN"], "run", "w.yaml"], cwd=project, capture_output=True, check=True)
    took = time.perf_counter() - begin
    shutil.rmtree(project)
    return took


def peer(path, to=""):
    took = numbers([sys.executable, "-W", "ignore", "-c", LOAD, str(path), to])
    if to:
        shutil.rmtree(to)
    return took


def main():
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size, names = write(folder, gigabytes)
        print(f"{size / 1e9:.2f} GB of values; the best of {ROUNDS} rounds; MB/s of values, elapsed")
        print(f"{'':16}{'in memory':>12}{'xarray':>9}{'time':>7}{'CPU':>7}   {'as a stage':>12}{'xarray':>9}{'time':>7}")
        for name in names:
            path = folder / name
            ours, theirs, stages, copies = [], [], [], []
            for _ in range(ROUNDS):
                ours.append(numbers([os.environ["READ_BIN"], str(path)]))
                theirs.append(peer(path))
                stages.append(stage(path))
                copies.append(peer(path, str(folder / "copy"))[0])
            (own, own_cpu), (other, other_cpu) = (map(min, zip(*times)) for times in (ours, theirs))
            run, copied = min(stages), min(copies)
            speed = [size / 1e6 / seconds for seconds in (own, other, run, copied)]
            print(
                f"{name:16}{speed[0]:12.0f}{speed[1]:9.0f}{own / other:7.2f}{own_cpu / other_cpu:7.2f}"
                f"   {speed[2]:12.0f}{speed[3]:9.0f}{run / copied:7.2f}",
                flush=True,
            )
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
