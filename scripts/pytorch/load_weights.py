#!/usr/bin/env python3
"""Loads the weights of a run into PyTorch and counts the test images that they get right."""

import argparse

from files import count_right, load_file, load_images, load_metadata
from net import Net

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("weights", help="such as runs/.../best.safetensors")
parser.add_argument("--data", help="IDX files, raw or .gz [$MNIST_GPU_DATA, else data/mnist]")
args = parser.parse_args()

net = Net(load_metadata(args.weights)["model"])
net.load_state_dict(load_file(args.weights))
images, labels = load_images(args.data, "t10k")
print(f"{count_right(net, images, labels)} of {len(labels)} test images right")
