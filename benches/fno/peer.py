"""Times PyTorch's training step of an FNO-2D: forward, relative L2, backward, Adam.

`peer.py ROWS COLUMNS BATCH FORM THREADS`, FORM being `fft` (the original formulation) or `dft` (the
truncated transform as matrix products). For every line `N` on standard input it makes N steps and
prints their CPU milliseconds (all threads) as a JSON array.
"""

import json
import math
import os
import sys

import torch
from torch import nn

WIDTH, MODES, LAYERS, HIDDEN = 32, 12, 4, 128


def cpu_ms():
    """CPU milliseconds of all threads of this process, from the scheduler."""
    total = 0
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e6


class FftLayer(nn.Module):
    """The spectral convolution of the original FNO scripts."""

    def __init__(self, rows, columns):
        super().__init__()
        scale = 1 / WIDTH**2
        shape = (WIDTH, WIDTH, MODES, MODES)
        self.low = nn.Parameter(scale * torch.rand(*shape, dtype=torch.cfloat))
        self.high = nn.Parameter(scale * torch.rand(*shape, dtype=torch.cfloat))

    def forward(self, x):
        spectrum = torch.fft.rfft2(x)
        out = torch.zeros_like(spectrum)
        mix = "bixy,ioxy->boxy"
        out[:, :, :MODES, :MODES] = torch.einsum(mix, spectrum[:, :, :MODES, :MODES], self.low)
        out[:, :, -MODES:, :MODES] = torch.einsum(mix, spectrum[:, :, -MODES:, :MODES], self.high)
        return torch.fft.irfft2(out, s=x.shape[-2:])


class DftLayer(nn.Module):
    """The same map with the truncated transform as products with small matrices."""

    def __init__(self, rows, columns):
        super().__init__()
        weight = torch.rand(2 * MODES * MODES, WIDTH, WIDTH, dtype=torch.cfloat) / WIDTH**2
        self.weight = nn.Parameter(weight)
        k = torch.cat([torch.arange(MODES), torch.arange(-MODES, 0)]).double()
        l = torch.arange(MODES).double()
        row = 2 * math.pi * torch.outer(k, torch.arange(rows).double()) / rows
        column = 2 * math.pi * torch.outer(torch.arange(columns).double(), l) / columns
        double = torch.full((MODES,), 2.0, dtype=torch.double)
        double[0] = 1.0
        double = double / (rows * columns)
        self.register_buffer("column", torch.cat([column.cos(), -column.sin()], 1).float())
        back = torch.cat([(column.cos() * double).T, (-column.sin() * double).T], 0)
        self.register_buffer("column_back", back.float())
        self.register_buffer("row", torch.complex(row.cos(), -row.sin()).cfloat())
        self.register_buffer("row_back", torch.complex(row.cos(), row.sin()).T.contiguous().cfloat())

    def forward(self, x):
        batch, width = x.shape[:2]
        half = x @ self.column
        half = torch.complex(half[..., :MODES], half[..., MODES:])
        spectrum = self.row @ half
        modes = spectrum.permute(2, 3, 0, 1).reshape(2 * MODES * MODES, batch, width)
        mixed = torch.bmm(modes, self.weight)
        mixed = mixed.reshape(2 * MODES, MODES, batch, width).permute(2, 3, 0, 1)
        half = self.row_back @ mixed
        return torch.cat([half.real, half.imag], -1) @ self.column_back


class Fno(nn.Module):
    def __init__(self, layer, rows, columns):
        super().__init__()
        self.lift = nn.Linear(3, WIDTH)
        self.spectral = nn.ModuleList([layer(rows, columns) for _ in range(LAYERS)])
        self.pointwise = nn.ModuleList([nn.Conv2d(WIDTH, WIDTH, 1) for _ in range(LAYERS)])
        self.first = nn.Linear(WIDTH, HIDDEN)
        self.second = nn.Linear(HIDDEN, 1)

    def forward(self, x):
        x = self.lift(x).permute(0, 3, 1, 2)
        for i, (spectral, pointwise) in enumerate(zip(self.spectral, self.pointwise)):
            x = spectral(x) + pointwise(x)
            if i + 1 < LAYERS:
                x = nn.functional.gelu(x)
        x = nn.functional.gelu(self.first(x.permute(0, 2, 3, 1)))
        return self.second(x)


def main():
    rows, columns, batch = map(int, sys.argv[1:4])
    torch.set_num_threads(int(sys.argv[5]))
    torch.manual_seed(0)
    model = Fno({"fft": FftLayer, "dft": DftLayer}[sys.argv[4]], rows, columns)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=True)
    x = torch.rand(batch, rows, columns, 3)
    y = torch.rand(batch, rows, columns, 1)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = cpu_ms()
            optimizer.zero_grad()
            error = (model(x) - y).reshape(batch, -1).norm(dim=1)
            loss = (error / y.reshape(batch, -1).norm(dim=1)).mean()
            loss.backward()
            optimizer.step()
            times.append(cpu_ms() - start)
        print(json.dumps(times), flush=True)


main()
