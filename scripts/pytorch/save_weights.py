#!/usr/bin/env python3
"""Trains LeNet-5, or another network, in PyTorch for an epoch, counts the test images that it gets
right, and saves its weights for `mnist_gpu eval --model lenet5 FILE`."""

import argparse
import pathlib

import torch

from files import count_right, load_images, save_file
from net import LENET5, Net

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", help="the weights, a safetensors file")
parser.add_argument("--model", help="a file of model text [LeNet-5]")
parser.add_argument("--data", help="IDX files, raw or .gz [$MNIST_GPU_DATA, else data/mnist]")
parser.add_argument("--limit", type=int, help="use only the first N training images")
args = parser.parse_args()

torch.manual_seed(1)
net = Net(pathlib.Path(args.model).read_text() if args.model else LENET5)
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
images, labels = (part[:args.limit] for part in load_images(args.data, "train"))
for batch in torch.randperm(len(labels)).split(32):
    optimizer.zero_grad()
    net.loss(net(images[batch]), labels[batch]).backward()
    optimizer.step()
save_file(net.state_dict(), args.file)
images, labels = load_images(args.data, "t10k")
print(f"{count_right(net, images, labels)} of {len(labels)} test images right")
