"""Networks as text, in PyTorch."""

import collections

import torch
from torch import nn

LENET5 = """
input   1x28x28 mean=0.1307 std=0.3081
conv    out=6 kernel=5 pad=same
relu
maxpool size=2
conv    out=16 kernel=5 pad=same
relu
maxpool size=2
conv    out=32 kernel=5 pad=same
relu
dense   out=200
relu
dense   out=10
softmax_xent
"""


class Net(nn.Module):
    """The network of a model text: images [n, c, h, w], 0 to 255, in; a score for every class out.

    The layers with parameters are its members conv1, dense1, ... The loss is net.loss(scores,
    labels)."""

    def __init__(self, text):
        super().__init__()
        self.steps = []
        count = collections.Counter()
        for line in text.splitlines():
            kind, *words = line.split("#")[0].split() or [None]
            if kind == "input":
                x = torch.zeros(1, *map(int, words.pop(0).split("x")))  # to infer shapes with
            if kind is None:
                continue
            args = dict(word.split("=") for word in words)
            if kind in LOSSES:
                self.loss = LOSSES[kind](args)
                continue
            step = make_step(kind, args, x)
            count[kind] += 1
            if isinstance(step, nn.Module):  # a dropout too: it has to know what train() and eval() say
                self.add_module(f"{kind}{count[kind]}", step.eval())
            if kind == "dense":
                self.steps.append(nn.Flatten())
                x = x.flatten(1)
            self.steps.append(step)
            x = step(x)
        self.train()

    def forward(self, x):
        for step in self.steps:
            x = step(x)
        return x


def start(module, args):
    """Gives a layer the weights and biases that the model text lets it start with."""
    named = {"glorot": nn.init.xavier_uniform_, "glorot_normal": nn.init.xavier_normal_,
             "he": lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"),
             "he_normal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
             "torch": lambda w: None}  # it has just got those
    for tensor, how in (module.weight, args.get("init", "glorot")), (module.bias, args.get("bias", "0")):
        if how in named:
            named[how](tensor)
        elif how.startswith("normal:"):
            nn.init.normal_(tensor, std=float(how.removeprefix("normal:")))
        else:
            nn.init.constant_(tensor, float(how))
    return module


def make_step(kind, args, x):
    """One layer on inputs like x; a module only if it has parameters, or is another in training."""
    number = {key: int(value) for key, value in args.items() if value.isdigit()}
    if kind == "input":
        mean, std = float(args.get("mean", 0)), float(args.get("std", 1))
        return lambda pixels: (pixels / 255 - mean) / std
    if kind == "conv":
        return start(nn.Conv2d(x.shape[1], number["out"], number["kernel"], number.get("stride", 1),
                               number.get("pad", args.get("pad", "valid"))), args)
    if kind in ("relu", "tanh", "sigmoid"):
        return getattr(torch, kind)
    if kind == "leaky_relu":
        return lambda x: nn.functional.leaky_relu(x, float(args.get("slope", 0.01)))
    if kind in ("maxpool", "avgpool"):
        pool = nn.functional.max_pool2d if kind == "maxpool" else nn.functional.avg_pool2d
        return lambda x: pool(x, number["size"], number.get("stride", number["size"]))
    if kind == "dropout":
        return nn.Dropout(float(args.get("rate", 0.5)))
    if kind == "dense":
        return start(nn.Linear(x[0].numel(), number["out"]), args)
    if kind == "batchnorm":
        module = nn.BatchNorm1d if x.dim() == 2 else nn.BatchNorm2d
        return module(x.shape[1], float(args.get("eps", 1e-5)), float(args.get("momentum", 0.1)))
    raise ValueError(f"no PyTorch twin of the layer {kind}")


def mean_squared_error(scores, labels):
    """Between the scores and the labels' one-hot vectors."""
    onehot = nn.functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
    return nn.functional.mse_loss(scores, onehot)


# The arguments of a loss -> a function of scores and labels.
LOSSES = {
    "softmax_xent": lambda args: nn.CrossEntropyLoss(label_smoothing=float(args.get("smoothing", 0))),
    "mse": lambda args: mean_squared_error,
}
