#!/usr/bin/env python3
"""Makes tests/golden/*.safetensors, the numbers of PyTorch that tests/test_golden.c holds every
backend against: layers alone, ten training steps of whole networks, and an evaluation with dropout
(in training PyTorch draws from another generator). PyTorch computes them in float64, from values that are the same in float32. With --check it writes nothing and compares the
files with what PyTorch computes here."""

import argparse
import itertools
import math
import pathlib

import torch

from files import load_file, load_metadata, save_file
from net import LENET5, LOSSES, Net, make_step

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"

# ---- layers alone: batch, input, layer; the case's name begins with the layer's ----

LAYERS = {
    "conv-valid": (2, "1x8x7", "conv out=3 kernel=3"),
    "conv-same": (3, "3x6x9", "conv out=4 kernel=5 pad=same"),
    "conv-stride": (2, "2x9x8", "conv out=3 kernel=3 stride=2 pad=1"),
    "conv-even": (3, "2x7x5", "conv out=5 kernel=2 stride=3 pad=1"),
    "conv-1x1": (7, "5x4x3", "conv out=2 kernel=1"),
    "conv-lenet": (1, "6x12x12", "conv out=16 kernel=5"),
    "maxpool-2": (2, "2x6x8", "maxpool size=2"),
    "maxpool-rest": (3, "1x7x5", "maxpool size=2"),
    "maxpool-overlap": (2, "2x9x7", "maxpool size=3 stride=2"),
    "maxpool-ties": (2, "2x9x8", "maxpool size=3 stride=2"),
    "relu": (3, "2x3x5", "relu"),
    "dense-image": (4, "3x4x2", "dense out=5"),
    "dense-wide": (9, "33x1x1", "dense out=17"),
    "batchnorm": (3, "4x5x3", "batchnorm"),
    "batchnorm-vector": (7, "5x1x1", "batchnorm eps=0.01 momentum=0.3"),
    "batchnorm-running": (3, "4x5x3", "batchnorm eps=0.001"),  # in evaluation
    "leaky_relu-default": (3, "2x3x5", "leaky_relu"),
    "leaky_relu-slope": (2, "1x7x3", "leaky_relu slope=0.25"),
    "tanh": (3, "2x3x5", "tanh"),
    "sigmoid": (3, "2x3x5", "sigmoid"),
    "avgpool-2": (2, "2x6x8", "avgpool size=2"),
    "avgpool-rest": (3, "1x7x5", "avgpool size=2"),
    "avgpool-overlap": (2, "2x9x7", "avgpool size=3 stride=2"),
}
# batch, classes, a factor of the scores, the loss
LOSS_LAYERS = {
    "softmax_xent": (9, 10, 1, "softmax_xent"),
    "softmax_xent-steep": (5, 2, 30, "softmax_xent"),
    "softmax_xent-smooth": (9, 10, 1, "softmax_xent smoothing=0.1"),
    "mse": (9, 10, 1, "mse"),
    "mse-below-0": (4, 2, 1, "mse"),
}


RUNNING = ("running_mean", "running_var")


def mixed(stream, count):
    """The first numbers of a stream, 32 bits each; tests/synthetic.h has the same function."""
    x = (stream * 0x9E3779B1 + torch.arange(count)) & 0xFFFFFFFF
    x = ((x ^ x >> 16) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ x >> 15) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ x >> 16


def random(*shape, streams=itertools.count()):
    """From -2 to 2, other numbers at every call; each is a float32 value."""
    values = mixed(next(streams), math.prod(shape)) % 4097 - 2048
    return values.reshape(shape).double() / 1024


def layer_case(name, batch, shape, line):
    """What goes in (x, w, b, dy; running statistics) and what comes out (y, dx, dw, db; the running
    statistics after)."""
    kind, *words = line.split()
    x = random(batch, *map(int, shape.split("x")))
    if name == "maxpool-ties":
        x = x.round()
    step = make_step(kind, dict(word.split("=") for word in words), x)
    x = (x.flatten(1) if kind == "dense" else x).requires_grad_()
    values = {"x": x}
    if isinstance(step, torch.nn.Module):
        step.double()
        values.update(w=step.weight, b=step.bias)
        for parameter in step.parameters():
            parameter.data = random(*parameter.shape)
        if kind == "batchnorm":
            step.running_mean.copy_(random(x.shape[1]))
            step.running_var.copy_(random(x.shape[1]).abs())
            values.update({key: getattr(step, key).clone() for key in RUNNING})
    if name == "batchnorm-running":
        step.eval()
        return {**values, "y": step(x)}
    y = step(x)
    dy = random(*y.shape)
    y.backward(dy)
    values.update(y=y, dy=dy, dx=x.grad)
    if "w" in values:
        values.update(dw=step.weight.grad, db=step.bias.grad)
    if kind == "batchnorm":
        values.update({f"new_{key}": getattr(step, key) for key in RUNNING})
    return values


def loss_case(name, batch, classes, scale, line):
    """The same for the loss, whose y are probabilities, with the sum of losses and the hits."""
    x = random(batch, classes) * scale
    if name == "mse-below-0":
        x[::2] = -x[::2].abs()
    x.requires_grad_()
    labels = (random(batch) * 1024).long() % classes
    kind, *words = line.split()
    loss = LOSSES[kind](dict(word.split("=") for word in words))(x, labels)
    loss.backward()
    return {"x": x, "labels": labels.byte(), "y": probabilities(kind, x), "dx": x.grad,
            "loss": (loss * batch).reshape(1), "hits": (x.argmax(1) == labels).sum().reshape(1)}


def probabilities(loss, x):
    """Those of the scores x: with mse, their positive parts' shares."""
    if loss == "softmax_xent":
        return x.softmax(1)
    x = x.clamp(min=0)
    return torch.where(x.sum(1, keepdim=True) > 0, x / x.sum(1, keepdim=True), 1 / x.shape[1])


def make_layers():
    tensors, texts, cases = {}, {}, {}
    for name, (batch, shape, line) in LAYERS.items():
        cases[name] = layer_case(name, batch, shape, line)
        texts[name] = f"input {shape}\n{line}\ndense out=2\nsoftmax_xent\n"
    for name, case in LOSS_LAYERS.items():
        cases[name] = loss_case(name, *case)
        texts[name] = f"input 1x1x1\ndense out={case[1]}\n{case[3]}\n"
    for name, values in cases.items():
        for key, value in values.items():
            tensors[f"{name}.{key}"] = narrow(value)
    return tensors, texts


# ---- ten steps, and an evaluation with dropout: network, optimizer, images in a batch, in all ----

SMALL = """
input   2x9x8 mean=0.3 std=0.4
conv    out=4 kernel=3 pad=1
relu
maxpool size=2
conv    out=6 kernel=2 stride=2
relu
dense   out=7
relu
dense   out=3
softmax_xent
"""
NORMED = """
input   1x12x11 mean=0.3 std=0.4
conv    out=5 kernel=3
relu
batchnorm
maxpool size=2
dense   out=9
relu
batchnorm eps=0.001 momentum=0.3
dense   out=4
softmax_xent smoothing=0.1
"""
SMOOTH = """
input   1x11x10 mean=0.3 std=0.4
conv    out=4 kernel=3
tanh
avgpool size=3 stride=2
conv    out=5 kernel=2
sigmoid
dense   out=9
leaky_relu slope=0.1
dense   out=4
softmax_xent
"""
DROPOUT = """
input   1x11x10 mean=0.3 std=0.4
dropout rate=0.1
conv    out=4 kernel=3
leaky_relu
maxpool size=2
dropout rate=0.25
dense   out=9
tanh
dropout
dense   out=4
softmax_xent
"""
LENET_VALID = """
input   1x28x28 mean=0.1307 std=0.3081
conv    out=6 kernel=5
relu
maxpool size=2
conv    out=16 kernel=5
relu
maxpool size=2
dense   out=120
relu
dense   out=84
relu
dense   out=10
softmax_xent
"""

OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
}
STEPS = {
    "small-adam": (SMALL, "adam", 7, 66),
    "small-sgd": (SMALL, "sgd", 7, 66),
    "normed-sgd": (NORMED, "sgd", 16, 154),
    "small-mse": (SMALL.replace("softmax_xent", "mse"), "sgd", 7, 66),
    "smooth-adam": (SMOOTH, "adam", 7, 66),
    "smooth-sgd": (SMOOTH, "sgd", 7, 66),
    "lenet-valid-adam": (LENET_VALID, "adam", 32, 308),
    "lenet-valid-sgd": (LENET_VALID, "sgd", 32, 308),
    # Of 8, not 32: then no ReLU's input comes nearer to 0 than 2e-6 in those ten steps, and no two
    # of a pool's window nearer to each other. float32 must take the branches that float64 takes.
    "lenet5-adam": (LENET5, "adam", 8, 77),
}


def set_weights(net):
    """Multiples of a power of two, so exact, up to about 1 / sqrt(a neuron's inputs)."""
    for stream, parameter in enumerate(net.parameters()):
        inputs, shift = parameter[0].numel(), 0
        while 4 << 2 * shift < inputs:
            shift += 1
        values = (mixed(stream, parameter.numel()) % 1025 - 512) / 2 ** (9 + shift)
        parameter.data = values.reshape(parameter.shape).double()


def make_images(count, shape, classes):
    """Stripes that depend on the label, and noise."""
    pixel = torch.arange(shape.numel())
    labels = mixed(100, count) % classes
    images = [((pixel // 7 + 3 * label) % 10 < 4) * 160 + mixed(101 + i, shape.numel()) % 96
              for i, label in enumerate(labels)]
    return torch.stack(images).reshape(count, *shape).double(), labels


def run_steps(name, text, optimizer_name, batch, count):
    """Loss and hits of every step, a sample of every weight tensor after the last, and how far the
    tensor has moved."""
    net = Net(text).double()
    set_weights(net)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    optimizer = OPTIMIZERS[optimizer_name](net.parameters())
    shape = torch.Size(map(int, text.split()[1].split("x")))
    classes = list(net.parameters())[-1].numel()
    images, labels = make_images(count, shape, classes)
    losses, hits = [], []
    for x, y in zip(images.split(batch), labels.split(batch)):
        optimizer.zero_grad()
        scores = net(x)
        loss = net.loss(scores, y)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        hits.append((scores.argmax(1) == y).sum())
    tensors = {f"{name}.losses": torch.stack(losses), f"{name}.hits": narrow(torch.stack(hits))}
    for tensor, after in net.state_dict().items():
        if tensor.endswith("num_batches_tracked"):
            continue
        stride = (after.numel() + 255) // 256
        tensors[f"{name}.{tensor}"] = narrow(after.flatten()[::stride])
        tensors[f"{name}.{tensor}.moved"] = (after - before[tensor]).norm().reshape(1)
    return tensors


def run_evaluation(name, text, count):
    """Probabilities of a net that is not being trained."""
    net = Net(text).double().eval()
    set_weights(net)
    shape = torch.Size(map(int, text.split()[1].split("x")))
    images, _ = make_images(count, shape, net(torch.zeros(1, *shape).double()).shape[1])
    return {f"{name}.probabilities": narrow(net(images).softmax(1))}


def make_steps():
    tensors, texts = {}, {}
    for name, case in STEPS.items():
        tensors.update(run_steps(name, *case))
        texts[name] = case[0]
    tensors.update(run_evaluation("dropout", DROPOUT, 9))
    texts["dropout"] = DROPOUT
    return tensors, texts


# ---- the files ----


def narrow(tensor):
    """As it is stored."""
    if tensor.dtype == torch.int64:
        return tensor.int()
    return tensor.detach().float() if tensor.dtype == torch.float64 else tensor


def check(path, tensors, texts):
    """The file holds these tensors, but for rounding."""
    stored = load_file(path)
    if load_metadata(path) != texts or stored.keys() != tensors.keys():
        raise SystemExit(f"{path}: other cases than {pathlib.Path(__file__).name} makes")
    for name, tensor in tensors.items():
        if not torch.allclose(stored[name].double(), tensor.double(), rtol=1e-6, atol=1e-7):
            raise SystemExit(f"{path}: {name} is not what PyTorch {torch.__version__} computes")
    print(f"{path.name}: {len(tensors)} tensors as PyTorch {torch.__version__} computes them")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    only_check = parser.parse_args().check
    GOLDEN.mkdir(exist_ok=True)
    for name, make in (("layers", make_layers), ("steps", make_steps)):
        path = GOLDEN / f"{name}.safetensors"
        tensors, texts = make()
        if only_check:
            check(path, tensors, texts)
        else:
            save_file(tensors, path, texts)
