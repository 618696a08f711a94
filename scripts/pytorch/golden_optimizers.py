#!/usr/bin/env python3
"""Makes tests/golden/optimizers.safetensors, the numbers of PyTorch that tests/test_optimizers.c and
tests/test_schedule.c compare with: weights after each step of an optimizer, and the learning rates
of schedules. A case is written as options of mg_train_options. PyTorch computes in float64. With
--check it writes nothing and compares the file with what PyTorch computes here."""

import argparse

import torch
from torch.optim import lr_scheduler as schedules

from files import save_file
from golden import GOLDEN, check, narrow, random

OPTIMIZERS = {
    "adam": "optimizer=adam",
    "adam-decay": "optimizer=adam beta1=0.8 beta2=0.95 eps=1e-4 weight_decay=0.1",
    "adam-norm": "optimizer=adam clip_norm=1",
    "adam-value": "optimizer=adam clip_value=0.25 weight_decay=0.01",
    "adamw": "optimizer=adamw weight_decay=0.1",
    "adamw-norm": "optimizer=adamw weight_decay=0.1 clip_norm=1",
    "sgd": "optimizer=sgd",
    "sgd-decay": "optimizer=sgd momentum=0.9 weight_decay=0.1",
    "sgd-momentum": "optimizer=sgd momentum=0.9",
    "sgd-nesterov": "optimizer=sgd momentum=0.9 nesterov=1",
    "sgd-nesterov-norm": "optimizer=sgd momentum=0.9 nesterov=1 weight_decay=0.1 clip_norm=1",
    "sgd-value": "optimizer=sgd momentum=0.5 clip_value=0.25",
    "rmsprop": "optimizer=rmsprop",
    "rmsprop-decay": "optimizer=rmsprop rho=0.99 eps=1e-8 weight_decay=0.1",
    "rmsprop-norm": "optimizer=rmsprop clip_norm=1",
}
RATES = [0.01, 0.02, 0.05, 0.05, 0.03, 0.01]

STEPS_PER_EPOCH = 5
SCHEDULES = {
    "constant": "schedule=constant lr=0.1 epochs=4",
    "constant-warmup": "schedule=constant lr=0.1 epochs=4 warmup=7",
    "step": "schedule=step lr=0.1 lr_step=3 lr_gamma=0.5 epochs=10",
    "step-warmup": "schedule=step lr=0.1 lr_step=1 epochs=3 warmup=3",
    "exponential": "schedule=exponential lr=0.1 epochs=10",
    "exponential-warmup": "schedule=exponential lr=0.1 lr_gamma=0.7 epochs=5 warmup=8",
    "cosine": "schedule=cosine lr=0.1 epochs=6",
    "cosine-warmup": "schedule=cosine lr=0.1 lr_min=0.02 epochs=6 warmup=9",
    "linear": "schedule=linear lr=0.1 epochs=6",
    "linear-warmup": "schedule=linear lr=0.1 lr_min=0.02 epochs=6 warmup=9",
    "one-cycle": "schedule=one-cycle lr=0.1 epochs=6",
    "one-cycle-short": "schedule=one-cycle lr=0.1 epochs=1",
    "one-cycle-warmup": "schedule=one-cycle lr=0.1 epochs=7 warmup=4",
    "plateau": "schedule=plateau lr=0.1 lr_patience=1 monitor=val_loss epochs=14",
    "plateau-accuracy": "schedule=plateau lr=0.1 lr_patience=2 lr_gamma=0.3 lr_min=0.005"
                        " monitor=accuracy epochs=14",
}
# By more than a part of 1e-4 better or not; reductions at once, one after the other, and none.
LOSSES = [2, 1, 1, 0.99995, 0.9, 0.95, 0.95, 0.95, 0.95, 0.95, 0.8, 0.80001, 0.79, 0.78]
ACCURACIES = [0.5, 0.6, 0.60003, 0.60005, 0.6, 0.7, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65, 0.65]


def read(text):
    """The options, with the defaults that mg_train_options_default() has."""
    options = dict(lr=0.001, momentum=0, nesterov=0, beta1=0.9, beta2=0.999, rho=0.9, eps=0,
                   weight_decay=0, clip_norm=0, clip_value=0, lr_gamma=0, lr_step=10, lr_min=0,
                   warmup=0)
    for word in text.split():
        key, value = word.split("=")
        options[key] = value if key in ("optimizer", "schedule", "monitor") else float(value)
    return options


def make_optimizer(parameters, o):
    common = {"lr": o["lr"], "weight_decay": o["weight_decay"]}
    if o["optimizer"] == "sgd":
        return torch.optim.SGD(parameters, momentum=o["momentum"], nesterov=bool(o["nesterov"]),
                               **common)
    if o["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(parameters, alpha=o["rho"], eps=o["eps"] or 1e-7, **common)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[o["optimizer"]]
    return kind(parameters, betas=(o["beta1"], o["beta2"]), eps=o["eps"] or 1e-8, **common)


def run_optimizer(o, start, gradients):
    """The weights after every step: two tensors, so that the norm is that of both."""
    parameters = [torch.nn.Parameter(half.clone()) for half in start.chunk(2)]
    optimizer = make_optimizer(parameters, o)
    weights = []
    for rate, gradient in zip(RATES, gradients):
        for parameter, half in zip(parameters, gradient.chunk(2)):
            parameter.grad = half.clone()
        if o["clip_norm"]:
            torch.nn.utils.clip_grad_norm_(parameters, o["clip_norm"])
        if o["clip_value"]:
            torch.nn.utils.clip_grad_value_(parameters, o["clip_value"])
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        weights.append(torch.cat(parameters).detach())
    return torch.stack(weights)


def schedules_of(optimizer, o):
    """Those to step at every step, and those at every epoch's end."""
    kind, warmup = o["schedule"], int(o["warmup"])
    steps = int(o["epochs"]) * STEPS_PER_EPOCH - warmup
    by_step, by_epoch = [], []
    if kind == "step":
        by_epoch = [schedules.StepLR(optimizer, int(o["lr_step"]), o["lr_gamma"] or 0.1)]
    elif kind == "exponential":
        by_epoch = [schedules.ExponentialLR(optimizer, o["lr_gamma"] or 0.95)]
    elif kind == "cosine":
        by_step = [schedules.CosineAnnealingLR(optimizer, steps, o["lr_min"])]
    elif kind == "linear":
        by_step = [schedules.LinearLR(optimizer, 1, o["lr_min"] / o["lr"], steps)]
    elif kind == "one-cycle":
        by_step = [schedules.OneCycleLR(optimizer, o["lr"], steps, cycle_momentum=False)]
    if warmup:
        rise = schedules.LinearLR(optimizer, 1 / (warmup + 1), 1, warmup)
        if by_step:
            rise = schedules.SequentialLR(optimizer, [rise, *by_step], [warmup])
        by_step = [rise]
    return by_step, by_epoch


def run_schedule(o):
    """The learning rate of every step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=o["lr"])
    by_step, by_epoch = schedules_of(optimizer, o)
    rates = []
    for _ in range(int(o["epochs"])):
        for _ in range(STEPS_PER_EPOCH):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            # a one-cycle refuses to go on after its last step
            for schedule in by_step if len(rates) < o["epochs"] * STEPS_PER_EPOCH else []:
                schedule.step()
        for schedule in by_epoch:
            schedule.step()
    return torch.tensor(rates, dtype=torch.float64)


def run_plateau(o, figures):
    """The learning rate after every epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=o["lr"])
    schedule = schedules.ReduceLROnPlateau(
        optimizer, "max" if "accuracy" in o["monitor"] else "min", o["lr_gamma"] or 0.1,
        int(o["lr_patience"]), min_lr=o["lr_min"])
    rates = []
    for figure in figures:
        schedule.step(figure)
        rates.append(optimizer.param_groups[0]["lr"])
    return torch.tensor(rates, dtype=torch.float64)


def make():
    start = random(128) / 2
    gradients = random(len(RATES), 128) / 8
    gradients[2] /= 64  # the norm is below the limit here
    tensors = {"start": narrow(start), "gradients": narrow(gradients),
               "rates": torch.tensor(RATES, dtype=torch.float64)}
    for name, text in OPTIMIZERS.items():
        tensors[f"{name}.w"] = narrow(run_optimizer(read(text), start, gradients))
    for name, text in SCHEDULES.items():
        if name.startswith("plateau"):
            figures = ACCURACIES if "accuracy" in name else LOSSES
            tensors[f"{name}.figures"] = torch.tensor(figures, dtype=torch.float64)
            tensors[f"{name}.lr"] = run_plateau(read(text), figures)
        else:
            tensors[f"{name}.lr"] = run_schedule(read(text))
    return tensors, OPTIMIZERS | SCHEDULES


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    only_check = parser.parse_args().check
    path = GOLDEN / "optimizers.safetensors"
    tensors, texts = make()
    if only_check:
        check(path, tensors, texts)
    else:
        save_file(tensors, path, texts)
