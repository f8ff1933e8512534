"""What peer_pgt.py and peer_torch.py share: sizes and graph of bench_step's dcrnn-pgt rows (rig.h),
a batch, loss, timing, and bench_step's line per row. The batch lies on the device already; bench_step
gathers one for every step."""
import argparse
import statistics
import time

import torch

N, E, B, T, GROUPS = 325, 2694, 64, 12, 7


def options(about):
    p = argparse.ArgumentParser(description=about)
    p.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    p.add_argument("--precision", choices=("float32", "tf32", "bf16"), default="float32")
    p.add_argument("--hidden", type=int, nargs="+", default=[2, 64])
    o = p.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = o.precision != "float32"
    torch.manual_seed(1)
    where = torch.cuda.get_device_name() if o.device == "cuda" else "cpu"
    print(f"{about}: PyTorch {torch.__version__}, {where}, {o.precision}")
    return o


def graph(nodes=N, edges=E):
    """Ends [2, E] and weights [E], as rig.c makes them."""
    x, ends, weight = 1, ([], []), []
    for e in range(edges):
        x = (1664525 * x + 1013904223) % 2**32
        hop = (x >> 16) % 41 - 20
        x = (1664525 * x + 1013904223) % 2**32
        ends[0].append(e % nodes)
        ends[1].append(e if e < nodes else (e % nodes + hop) % nodes)
        weight.append(0.1 + 0.9 * (x >> 8) / 2**24)
    return torch.tensor(ends), torch.tensor(weight)


def batch(device):
    """x [B, T, N, 2], speed and time of day, standardised; y [B, T, N, 1] in miles per hour."""
    speed = torch.randn(B, T, N, 1)
    day = torch.rand(B, T, 1, 1).expand(B, T, N, 1)
    return torch.cat([speed, day], -1).to(device), (65 + 3 * torch.randn(B, T, N, 1)).to(device)


def loss(state, y):
    """Masked mean absolute error in the data's units, as PyTorch Geometric Temporal computes it."""
    mask = (y != 0).float()
    error = (65 + 3 * state.float() - y).abs() * (mask / mask.mean())
    return torch.where(torch.isnan(error), torch.zeros_like(error), error).mean()


def time_of(step, device):
    """Median milliseconds of a step over groups of them."""
    for _ in range(3):
        step()
    if device == "cpu":
        groups = []
        for _ in range(GROUPS):
            at = time.perf_counter()
            step()
            groups.append(1e3 * (time.perf_counter() - at))
        return statistics.median(groups)

    def group(n):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(n):
            step()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / n

    n = int(max(1, min(200, 50 / group(3))))
    return statistics.median(group(n) for _ in range(GROUPS))


def line(name, ms, device):
    mib = f"{torch.cuda.max_memory_allocated() / 2**20:.0f}" if device == "cuda" else "-"
    print(f"{name:<44} {ms:10.4g} ms {'':>38} {mib:>11} MiB", flush=True)
