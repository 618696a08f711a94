#!/usr/bin/env python3
"""Puts the measurements of cpu_vs_pytorch.sh together: a table, and a file with all of them.

compare.py FOLDER RESULT.json CASE...: FOLDER has, for every round, CASE.ROUND.mnist_gpu (what bench
says), CASE.ROUND.images_per_sec (of mnist_gpu's training) and CASE.ROUND.pytorch."""

import datetime
import json
import os
import pathlib
import statistics
import sys


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def load(folder, case, program):
    files = sorted(folder.glob(f"{case}.*.{program}"), key=lambda p: int(p.suffixes[-2][1:]))
    return [json.loads(p.read_text(encoding="utf-8")) for p in files]


def compare(folder, case, peaks):
    model, batch, threads = case.split(":")
    ours, theirs = load(folder, case, "mnist_gpu"), load(folder, case, "pytorch")
    if ours[0]["parameters"] != theirs[0]["parameters"]:
        sys.exit(f"{case}: {ours[0]['parameters']} parameters here, "
                 f"{theirs[0]['parameters']} in PyTorch: not the same network")
    flops = ours[0]["results"][0]["flops"] / int(batch)
    peak = peaks[threads]
    mine = [60000 / rate for rate in load(folder, case, "images_per_sec")]
    torch = [t["seconds_per_60000"] for t in theirs]
    return {"model": model, "batch": int(batch), "threads": int(threads),
            "mnist_gpu": {"median": statistics.median(mine), "rounds": mine},
            "pytorch": {"median": statistics.median(torch), "rounds": torch},
            "floor": 60000 * flops / peak, "peak_flops_per_sec": peak,
            "ratio": statistics.median(torch) / statistics.median(mine),
            "steady": max(max(mine) / min(mine), max(torch) / min(torch)) < 1.2}


def find_peaks(folder, cases):
    """By number of threads, the best that was seen: what disturbs it makes it less."""
    peaks = {}
    for case in cases:
        for run in load(folder, case, "mnist_gpu"):
            threads = case.split(":")[2]
            peaks[threads] = max(peaks.get(threads, 0), run["peak_flops_per_sec"])
    return peaks


def main():
    folder, out, cases = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    peaks = find_peaks(folder, cases)
    results = [compare(folder, case, peaks) for case in cases]
    ours, theirs = load(folder, cases[0], "mnist_gpu")[0], load(folder, cases[0], "pytorch")[0]
    head = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "cpu": cpu_name(), "cores": os.cpu_count(), "mnist_gpu": ours["version"],
            "compiler": ours["compiler"], "isa": ours["description"].split(", ")[1],
            "torch": theirs["torch"], "torch_blas": theirs["blas"],
            "torch_capability": theirs["capability"], "load_after": os.getloadavg()[0],
            "unit": "seconds for 60000 training images"}
    out.write_text(json.dumps(head | {"results": results}, indent=1) + "\n", encoding="utf-8")

    print(f"\n{head['cpu']}, {head['cores']} cores; {head['isa']}; PyTorch {head['torch']}, "
          f"{head['torch_blas']}, {head['torch_capability']}")
    print("Seconds for 60000 training images; medians. floor: multiply-adds at the measured peak\n")
    print(f"{'model':<12}{'batch':>6}{'threads':>8}{'mnist_gpu':>11}{'PyTorch':>9}{'ratio':>7}"
          f"{'floor':>8}{'of peak':>9}")
    for r in results:
        mine = r["mnist_gpu"]["median"]
        print(f"{r['model']:<12}{r['batch']:>6}{r['threads']:>8}{mine:>11.2f}"
              f"{r['pytorch']['median']:>9.2f}{r['ratio']:>7.2f}{r['floor']:>8.2f}"
              f"{100 * r['floor'] / mine:>7.1f} %"
              f"{'' if r['steady'] else '  unsteady'}")
    if any(r["model"] == "mlp-200-100" for r in results):
        print("\nmlp-200-100 is the 784-200-100-10 network with relu in place of tanh, in both.")
    if not all(r["steady"] for r in results):
        print("\nunsteady: the rounds differ by a fifth or more; something else ran.")
    print(f"\nAll measurements: {out}")


if __name__ == "__main__":
    main()
