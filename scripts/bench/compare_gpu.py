#!/usr/bin/env python3
"""Puts the measurements of gpu_vs_pytorch.sh together: a table, and a file with all of them.

compare_gpu.py FOLDER RESULT.json DRIVER KERNELS CASE...: FOLDER has, for every round of CASE
(MODEL:BATCH), CASE.ROUND.pytorch (what pytorch_gpu.py says) and, for each of KERNELS ("fused,cudnn"),
CASE.ROUND.<kernels> (what bench says)."""

import datetime
import json
import pathlib
import statistics
import sys

from compare import load

# What bench measures: the key of its JSON, and in words.
WAYS = {"seconds": "graphs of many steps", "single_graph_seconds": "a graph each step",
        "eager_seconds": "no graph"}


def row(program, way, rounds):
    """A line of the table; rounds: seconds per step."""
    return {"program": program, "way": way, "median": statistics.median(rounds), "rounds": rounds,
            "steady": max(rounds) / min(rounds) < 1.2}


def rows_of_mnist_gpu(runs, kernels):
    results = [run["results"][0] for run in runs]
    name = f"mnist_gpu {kernels}"
    if not results[0]["launches"]:
        return [row(name, "no GPU", [r["seconds"]["median"] for r in results])]
    return [row(name, words, [r[key]["median"] for r in results])
            for key, words in WAYS.items() if all(r[key] for r in results)]


def rows_of_pytorch(runs):
    rows = []
    for mode in runs[0]["modes"]:
        found = [run["modes"][mode] for run in runs]
        errors = [f["error"] for f in found if "error" in f]
        if errors:
            rows.append({"program": "PyTorch", "way": mode, "error": errors[0]})
        else:
            rows.append(row("PyTorch", mode, [f["seconds_per_step"] for f in found]))
    return rows


def compare(folder, case, kernels):
    model, batch = case.split(":")
    ours = {k: load(folder, case, k) for k in kernels}
    theirs = load(folder, case, "pytorch")
    parameters = {run["parameters"] for runs in [*ours.values(), theirs] for run in runs}
    if len(parameters) != 1:
        sys.exit(f"{case}: not the same network: {sorted(parameters)} parameters")
    rows = [r for k, runs in ours.items() for r in rows_of_mnist_gpu(runs, k)]
    first = rows[0]["median"]
    rows += rows_of_pytorch(theirs)
    for r in rows:
        if "median" in r:
            r["ratio"] = r["median"] / first
    result = ours[kernels[0]][0]["results"][0]
    return {"model": model, "batch": int(batch), "flops": result["flops"],
            "launches": {k: runs[0]["results"][0]["launches"] for k, runs in ours.items()},
            "peak_flops_per_sec": ours[kernels[0]][0]["peak_flops_per_sec"], "rows": rows}


def print_case(r):
    kernels = ", ".join(f"{k}: {n}" for k, n in r["launches"].items())
    print(f"\n{r['model']}, batch {r['batch']}, {r['flops'] / 1e6:.1f} MFLOP a step; "
          f"kernels a step: {kernels}\n")
    print(f"{'program':<18}{'way':<22}{'us/step':>10}{'s for 60000':>13}{'images/s':>11}"
          f"{'of peak':>9}{'times ours':>12}")
    for row_ in r["rows"]:
        head = f"{row_['program']:<18}{row_['way']:<22}"
        if "error" in row_:
            print(f"{head}  failed: {row_['error']}")
            continue
        step, peak = row_["median"], r["peak_flops_per_sec"]
        share = f"{100 * r['flops'] / step / peak:.1f} %" if peak else "-"
        print(f"{head}{1e6 * step:>10.1f}{60000 / r['batch'] * step:>13.4f}"
              f"{r['batch'] / step:>11.0f}{share:>9}{row_['ratio']:>12.2f}"
              f"{'' if row_['steady'] else '  unsteady'}")


def main():
    folder, out, driver = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    kernels, cases = sys.argv[4].split(","), sys.argv[5:]
    results = [compare(folder, case, kernels) for case in cases]
    ours, theirs = load(folder, cases[0], kernels[0])[0], load(folder, cases[0], "pytorch")[0]
    head = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "device": ours["description"], "driver": driver, "mnist_gpu": ours["version"],
            "compiler": ours["compiler"], "cuda": ours["cuda"], "torch": theirs["torch"],
            "torch_device": theirs["device_name"] or theirs["device"], "torch_cuda": theirs["cuda"],
            "torch_cudnn": theirs["cudnn"], "precision": "fp32, TF32 off in both",
            "unit": "seconds per training step"}
    out.write_text(json.dumps(head | {"results": results}, indent=1) + "\n", encoding="utf-8")

    print(f"\n{head['device']}, driver {driver}; PyTorch {head['torch']}, CUDA {head['torch_cuda']}, "
          f"cuDNN {head['torch_cudnn']}")
    print("Medians of rounds; fp32, TF32 off, data on the device. times ours: of the first line")
    for result in results:
        print_case(result)
    if not all(r.get("steady", True) for result in results for r in result["rows"]):
        print("\nunsteady: the rounds differ by a fifth or more; something else ran.")
    print(f"\nAll measurements: {out}")


if __name__ == "__main__":
    main()
