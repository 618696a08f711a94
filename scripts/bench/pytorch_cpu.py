#!/usr/bin/env python3
"""Times PyTorch training on the CPU: the baseline that `mnist_gpu` is compared with.

Prints one line of JSON. The images are synthetic, already normalised and in memory; no DataLoader
stands between them and the network.

The defaults are the fastest of what was tried. lenet5, batch 32, seconds for 60,000 images with 1
and with 2 threads, on two cores of an AMD EPYC (Zen 1, AVX2):

    PyTorch 2.15 (PyPI), channels_last, fused Adam, freed memory kept     30.0  20.1
    foreach Adam                                                          33.0  22.8
    one Adam operation after another                                      33.9  23.8
    foreach Adam, malloc as it is                                         34.0  23.5
    foreach Adam, contiguous tensors                                      38.5  26.8
    torch.compile                                                         45.8  30.4
    foreach Adam, torch.jit.trace                                         53.1
    oneDNN off                                                            61.5
    PyTorch 1.13 (Debian 12) with libopenblas0-pthread, foreach Adam      28.8  21.2
    PyTorch 1.13 without it: matrices in the reference BLAS               65.1  56.5

With batches of 128 and 2 threads PyTorch 2.15 takes 14.0 s, 1.13 15.5 s. OMP_PROC_BIND,
KMP_AFFINITY, GOMP_SPINCOUNT and ONEDNN_MAX_CPU_ISA gained nothing."""

import argparse
import ctypes
import json
import os
import re
import statistics
import sys
import time

# A network is its layers: conv (channels, padding; always 5x5 or 3x3 with stride 1), pool (2x2),
# dense (outputs). An activation follows every conv and dense layer but the last.
NETS = {
    "lenet5": ("relu", "conv5:6:2 pool conv5:16:2 pool conv5:32:2 dense:200 dense:10"),
    "lenet-valid": ("relu", "conv5:6:0 pool conv5:16:0 pool dense:120 dense:84 dense:10"),
    "lenet-61k": ("relu", "conv5:6:2 pool conv5:16:0 pool dense:120 dense:84 dense:10"),
    "mlp-512": ("relu", "dense:512 dense:10"),
    "mlp-200-100": ("relu", "dense:200 dense:100 dense:10"),
    "mlp-tanh": ("tanh", "dense:200 dense:100 dense:10"),
    "cnn": ("relu", "conv5:32:2 conv5:32:2 pool conv3:64:1 conv3:64:1 pool dense:128 dense:10"),
}


IMAGES = 60000


def options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--model", choices=NETS, default="lenet5")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seconds", type=float, default=2, help="to measure; the median is reported of")
    p.add_argument("--images", type=int, help="rounds of so many images [a tenth of the seconds]")
    p.add_argument("--warmup", type=int, default=20, help="steps before the clock starts")
    p.add_argument("--capability", choices=["default", "avx2", "avx512"],
                   help="the widest vectors to use [the machine's]")
    p.add_argument("--blas-threads", type=int, default=1)
    p.add_argument("--adam", choices=["auto", "fused", "foreach", "plain"], default="auto",
                   help="auto: fused where PyTorch has it, else foreach")
    p.add_argument("--layout", choices=["channels_last", "contiguous"], default="channels_last")
    p.add_argument("--mkldnn", choices=["on", "off"], default="on")
    p.add_argument("--compile", action="store_true", help="torch.compile; PyTorch 2 or later")
    p.add_argument("--trace", action="store_true", help="torch.jit.trace")
    return p.parse_args()


def build(torch, name):
    activation, layers = NETS[name]
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[activation]
    modules, channels, side, features = [], 1, 28, 0
    for word in layers.split():
        kind, *numbers = word.split(":")
        numbers = [int(n) for n in numbers]
        if kind == "pool":
            modules.append(torch.nn.MaxPool2d(2))
            side //= 2
        elif kind == "dense":
            if not features:
                modules.append(torch.nn.Flatten())
                features = channels * side * side
            modules += [torch.nn.Linear(features, numbers[0]), activation()]
            features = numbers[0]
        else:
            kernel, (out, pad) = int(kind[-1]), numbers
            modules += [torch.nn.Conv2d(channels, out, kernel, padding=pad), activation()]
            channels, side = out, side + 2 * pad - kernel + 1
    return torch.nn.Sequential(*modules[:-1])


def keep_memory():
    """Freed memory stays with the process; else every step asks the kernel for zeroed pages."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def capability(torch):
    found = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    return found.group(1).lower() if found else None


def blas(torch):
    """Which library multiplies matrices: Debian's PyTorch takes whichever libblas is installed."""
    if torch.backends.mkl.is_available():
        return "mkl"
    with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
        return "openblas" if "openblas" in maps.read() else "other"


def adam(torch, kind, parameters):
    if kind == "auto":
        try:
            return torch.optim.Adam(parameters, lr=1e-3, fused=True)
        except (RuntimeError, TypeError):  # before PyTorch 2.4
            kind = "foreach"
    if kind == "plain":
        return torch.optim.Adam(parameters, lr=1e-3, foreach=False)
    return torch.optim.Adam(parameters, lr=1e-3, **{kind: True})


def made_up(torch):
    """As many images as MNIST's training set has, with about as much ink; their labels."""
    x = torch.rand(IMAGES, 1, 28, 28).mul_(5).sub_(4).relu_().sub_(0.1307).div_(0.3081)
    return x, torch.randint(0, 10, (IMAGES,))


def measure(seconds_for, batch, warmup, seconds, images=None):
    """The rate of seconds_for(steps): the median of rounds that take so many seconds together."""
    half = max(1, warmup // 2)
    seconds_for(half)
    step = seconds_for(half) / half
    steps = max(1, images // batch if images else int(seconds / 10 / step))
    rounds = []
    while len(rounds) < 3 or sum(rounds) < seconds:
        rounds.append(seconds_for(steps))
    rate = steps * batch / statistics.median(rounds)
    return {"images_per_sec": round(rate, 1), "seconds_per_60000": round(60000 / rate, 6),
            "best_images_per_sec": round(steps * batch / min(rounds), 1), "rounds": len(rounds)}


def main():
    o = options()
    # These are read when PyTorch is loaded.
    os.environ["OPENBLAS_NUM_THREADS"] = str(o.blas_threads)
    if o.capability:
        os.environ["ATEN_CPU_CAPABILITY"] = o.capability
    if o.capability == "avx2":  # the libraries choose for themselves
        os.environ.update(ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2",
                          OPENBLAS_CORETYPE="Haswell")
    keep_memory()
    import torch

    torch.set_flush_denormal(True)  # before any thread starts: they inherit it
    torch.set_num_threads(o.threads)
    torch.backends.mkldnn.enabled = o.mkldnn == "on"
    torch.manual_seed(1)

    x, labels = made_up(torch)
    net = build(torch, o.model)
    if o.layout == "channels_last":
        x = x.contiguous(memory_format=torch.channels_last)
        net = net.to(memory_format=torch.channels_last)
    parameters = list(net.parameters())
    optimizer = adam(torch, o.adam, parameters)
    loss_of = torch.nn.CrossEntropyLoss()
    if o.trace:
        net = torch.jit.trace(net, x[:o.batch])
    if o.compile:
        net = torch.compile(net)

    def shuffled():
        while True:
            order = torch.randperm(IMAGES)
            yield from order[:IMAGES - IMAGES % o.batch].split(o.batch)

    batches = shuffled()

    def seconds_for(steps):
        start = time.perf_counter()
        for _ in range(steps):
            rows = next(batches)
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(x[rows]), labels[rows]).backward()
            optimizer.step()
        return time.perf_counter() - start

    figures = measure(seconds_for, o.batch, o.warmup, o.seconds, o.images)
    json.dump({"model": o.model, "batch": o.batch, "threads": o.threads, **figures,
               "torch": torch.__version__, "blas": blas(torch),
               "capability": o.capability or capability(torch),
               "parameters": sum(p.numel() for p in parameters)}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
