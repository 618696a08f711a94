#!/usr/bin/env python3
"""Repeats the training of a run in PyTorch, from other random numbers, and counts the test images
that it gets right: the same network, loss, optimizer, batches, epochs and normalisation. For the
optimizers' usual settings; no schedule, clipping or augmentation."""

import argparse
import json
import pathlib

import torch

from files import count_right, load_images
from net import Net

OPTIMIZERS = {
    "adam": lambda p, c: torch.optim.Adam(p, c["lr"], (c["beta1"], c["beta2"])),
    "adamw": lambda p, c: torch.optim.AdamW(p, c["lr"], (c["beta1"], c["beta2"]),
                                            weight_decay=c["weight_decay"]),
    "rmsprop": lambda p, c: torch.optim.RMSprop(p, c["lr"], alpha=c["rho"], eps=c["eps"] or 1e-7),
    "sgd": lambda p, c: torch.optim.SGD(p, c["lr"], c["momentum"], nesterov=c["nesterov"]),
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run", type=pathlib.Path, help="a run directory")
parser.add_argument("--data", help="IDX files, raw or .gz [$MNIST_GPU_DATA, else data/mnist]")
parser.add_argument("--seeds", type=int, default=1, help="trainings, with seeds from 1 [1]")
args = parser.parse_args()

config = json.loads((args.run / "config.json").read_text())
images, labels = (part[:config["train_count"]] for part in load_images(args.data, "train"))
test_images, test_labels = load_images(args.data, "t10k")
for seed in range(1, args.seeds + 1):
    torch.manual_seed(seed)
    net = Net(config["model"])
    optimizer = OPTIMIZERS[config["optimizer"]](net.parameters(), config)
    for epoch in range(round(config["epochs"])):
        net.train()
        for batch in torch.randperm(len(labels)).split(config["batch"]):
            optimizer.zero_grad()
            net.loss(net(images[batch]), labels[batch]).backward()
            optimizer.step()
    right = count_right(net, test_images, test_labels)
    print(f"seed {seed}: {right} of {len(test_labels)} test images right", flush=True)
