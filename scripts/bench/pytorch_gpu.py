#!/usr/bin/env python3
"""Times PyTorch training on a GPU: the baseline that `mnist_gpu` is compared with.

Prints one line of JSON. The images are synthetic, already normalised and on the device, and so is
their order; no DataLoader stands between them and the network, and no loss is read. fp32 throughout:
TF32 is off. cuDNN picks its algorithms by timing them. A mode that fails has its error in the JSON.

  eager          operation after operation, fused Adam
  graph          the whole step in one CUDA graph: gather, forward, backward, capturable fused Adam
  compile        network and loss by torch.compile, max-autotune with its own CUDA graphs; fused Adam
  compile-graph  the kernels of torch.compile, max-autotune, and the whole step in one CUDA graph

--device cpu is a rehearsal without a GPU: eager alone."""

import argparse
import json
import sys
import time

from pytorch_cpu import IMAGES, NETS, build, made_up, measure

MODES = ["eager", "graph", "compile", "compile-graph"]


def options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--model", choices=NETS, default="lenet5")
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    p.add_argument("--modes", help="of " + ",".join(MODES) + " [all; on the CPU eager]")
    p.add_argument("--seconds", type=float, default=2, help="to measure each; the median counts")
    p.add_argument("--warmup", type=int, default=50, help="steps before the clock starts")
    o = p.parse_args()
    o.modes = o.modes.split(",") if o.modes else MODES if o.device == "cuda" else ["eager"]
    for mode in o.modes:
        if mode not in MODES:
            p.error(f"--modes: no {mode} (known: {', '.join(MODES)})")
        if mode != "eager" and o.device == "cpu":
            p.error(f"--modes: {mode} needs a GPU")
    return o


class Training:
    """A network in training, one step after the other, in one of the modes."""

    def __init__(self, torch, o, mode, x, labels):
        self.torch, self.batch, self.x, self.labels = torch, o.batch, x, labels
        self.cuda = o.device == "cuda"
        net, loss_of = build(torch, o.model).to(o.device), torch.nn.CrossEntropyLoss()
        self.parameters = list(net.parameters())
        fast = {"fused": True, "capturable": mode.endswith("graph")} if self.cuda else {}
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-3, **fast)
        self.loss = lambda rows: loss_of(net(x.index_select(0, rows)),
                                         labels.index_select(0, rows))
        if mode == "compile":
            self.loss = torch.compile(self.loss, mode="max-autotune")
        elif mode == "compile-graph":
            self.loss = torch.compile(self.loss, mode="max-autotune-no-cudagraphs")
        self.step = self.plain_step
        self.batches = self.shuffled()
        if mode == "compile":
            self.step = self.marked_step
        elif mode.endswith("graph"):
            self.record()

    def shuffled(self):
        while True:
            order = self.torch.randperm(IMAGES, device=self.x.device)
            yield from order[:IMAGES - IMAGES % self.batch].split(self.batch)

    def plain_step(self, rows):
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(rows).backward()
        self.optimizer.step()

    def marked_step(self, rows):
        self.torch.compiler.cudagraph_mark_step_begin()
        self.plain_step(rows)

    def record(self):
        """As PyTorch's notes on CUDA graphs have it: warm up on another stream, then capture."""
        torch, rows = self.torch, next(self.batches).clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(5):
                self.plain_step(rows)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.loss(rows).backward()
            self.optimizer.step()

        def replay(new_rows):
            rows.copy_(new_rows)
            graph.replay()

        self.step = replay

    def seconds_for(self, steps):
        if self.cuda:
            self.torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(steps):
            self.step(next(self.batches))
        if self.cuda:
            self.torch.cuda.synchronize()
        return time.perf_counter() - start


def time_mode(torch, o, mode, x, labels):
    torch.manual_seed(1)
    training = Training(torch, o, mode, x, labels)
    before = [p.detach().clone() for p in training.parameters]
    figures = measure(training.seconds_for, o.batch, o.warmup, o.seconds)
    for parameter, old in zip(training.parameters, before):
        if torch.equal(parameter, old) or not parameter.isfinite().all():
            raise RuntimeError("the weights do not train")
    figures["seconds_per_step"] = o.batch / figures["images_per_sec"]
    return figures, sum(p.numel() for p in training.parameters)


def main():
    o = options()
    import torch

    if o.device == "cuda" and not torch.cuda.is_available():
        print("skipped: PyTorch finds no NVIDIA GPU")
        sys.exit(77)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    x, labels = (t.to(o.device) for t in made_up(torch))
    modes, parameters = {}, 0
    for mode in o.modes:
        try:
            modes[mode], parameters = time_mode(torch, o, mode, x, labels)
        except Exception as error:  # torch.compile needs a compiler, for one; the others do not
            modes[mode] = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
    cuda = o.device == "cuda"
    json.dump({"model": o.model, "batch": o.batch, "device": o.device,
               "device_name": torch.cuda.get_device_name() if cuda else None,
               "torch": torch.__version__, "cuda": torch.version.cuda,
               "cudnn": torch.backends.cudnn.version() if cuda else None,
               "parameters": parameters, "modes": modes}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
