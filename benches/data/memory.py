"""Whether memory grows with the data: read, split and normalise data of several sizes, and print what was held.

    memory.py GIGABYTES [GIGABYTES ...]          with $FLOW_BIN, or a `flow` that is found

The input is zeros, as an .npy file without blocks on disk. So is what is made of it, and its blocks are given back while
the run goes on (`fallocate --dig-holes`, of util-linux), so that 20 GB need a disk of 8; without that program a size takes
three times its bytes. What is printed for each size is the most memory that the coordinator and the worker had resident at
any time, with that of mapped files and without.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKFLOW = """flow: 1
name: memory
stages:
  read: { uses: data/read, inputs: { file: { path: data.npy } }, with: { dims: { data_0: sample } } }
  split: { uses: data/split, inputs: { data: read.data }, with: { shares: { train: 0.9, test: 0.1 }, seed: 1 } }
  scale: { uses: data/normalize, inputs: { data: split.train } }
"""
ROW = 2048


def sparse(path, gigabytes):
    """An array of zeros that takes no space."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({int(gigabytes * 1e9 / 4 / ROW)}, {ROW}), }}\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        file.truncate(file.tell() + int(gigabytes * 1e9 / 4 / ROW) * ROW * 4)


def below(process):
    """This process and all that it started."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [process, *(one for child in children for one in below(int(child)))]


def resident(process):
    """Bytes resident at most until now, and those now that are of no file."""
    try:
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        return [int(lines[name].split()[0]) * 1024 for name in ("VmHWM", "RssAnon")]
    except (OSError, KeyError):
        return [0, 0]


class Digger:
    """Gives back the blocks of files that nobody writes to any more."""

    def __init__(self, folder):
        self.folder, self.done, self.next = folder, set(), 0.0
        self.program = shutil.which("fallocate")

    def work(self):
        if self.program is None or time.monotonic() < self.next:
            return
        # What is moved while it is looked for is found the next time.
        files = (Path(at, name) for at, _, names in os.walk(self.folder) for name in names if name.startswith("c."))
        for path in files:
            try:
                stat = path.stat()
            except OSError:
                continue
            if stat.st_size > 1 << 20 and stat.st_ino not in self.done and time.time() - stat.st_mtime > 0.5:
                self.done.add(stat.st_ino)
                # It may have been moved meanwhile.
                subprocess.run([self.program, "--dig-holes", path], stderr=subprocess.DEVNULL, check=False)
        self.next = time.monotonic() + 0.5


def measure(flow, gigabytes):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flow.toml").touch()
        (folder / "w.yaml").write_text(WORKFLOW)
        sparse(folder / "data.npy", gigabytes)
        digger = Digger(folder / ".flow")
        needed = gigabytes * (3.2 if digger.program is None else 0.4)
        if shutil.disk_usage(folder).free < needed * 1e9:
            print(f"{gigabytes:6g} GB: not measured, {folder} has no {needed:.0f} GB left")
            return
        begin = time.perf_counter()
        run = subprocess.Popen([flow, "run", "w.yaml"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        most = {"coordinator": [0, 0], "workers": [0, 0]}
        while run.poll() is None:
            first, *others = below(run.pid) or [0]
            for what, found in [("coordinator", [resident(first)]), ("workers", [resident(one) for one in others])]:
                now = [sum(column) for column in zip(*found)] or [0, 0]
                most[what] = [max(pair) for pair in zip(most[what], now)]
            digger.work()
            time.sleep(0.02)
        if run.returncode != 0:
            sys.exit(run.stderr.read().decode())
        parts = (f"{what} {a / 2**20:.0f} MiB ({b / 2**20:.0f} without files)" for what, (a, b) in most.items())
        print(f"{gigabytes:6g} GB: {', '.join(parts)}, {time.perf_counter() - begin:.0f} s", flush=True)


def main():
    flow = os.environ.get("FLOW_BIN") or shutil.which("flow")
    if not flow or len(sys.argv) < 2:
        sys.exit(__doc__)
    for size in sys.argv[1:]:
        measure(flow, float(size))


if __name__ == "__main__":
    main()
