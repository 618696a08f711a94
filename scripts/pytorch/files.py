"""The files of this project for PyTorch: weights (safetensors) and image sets (IDX)."""

import gzip
import json
import os
import pathlib
import struct

import torch

try:
    from safetensors.torch import load_file, save_file
except ImportError:  # the package is missing; the format is simple

    DTYPES = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64, "I32": torch.int32,
              "U8": torch.uint8}

    def load_file(path):
        header, data = read_safetensors(path)
        header.pop("__metadata__", None)
        return {name: torch.frombuffer(bytearray(data[slice(*entry["data_offsets"])]),
                                       dtype=DTYPES[entry["dtype"]]).reshape(entry["shape"])
                for name, entry in header.items()}

    def save_file(tensors, path, metadata=None):
        names = {dtype: name for name, dtype in DTYPES.items()}
        header, data = {"__metadata__": metadata} if metadata else {}, b""
        for name, tensor in tensors.items():
            values = tensor.detach().contiguous().numpy().tobytes()
            header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape),
                            "data_offsets": [len(data), len(data) + len(values)]}
            data += values
        text = json.dumps(header).encode()
        pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """The header and the bytes of the tensors."""
    content = pathlib.Path(path).read_bytes()
    end = 8 + struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:end]), content[end:]


def load_metadata(path):
    """What the weights of a run bring along, such as their model's text under "model"."""
    return read_safetensors(path)[0].get("__metadata__", {})


def read_idx(directory, name):
    """An IDX file of bytes, raw or packed: "t10k-images-idx3", or "t10k-images.idx3"."""
    for path in sorted(pathlib.Path(directory).glob(name.replace("-idx", "[-.]idx") + "-ubyte*")):
        content = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
        sizes = struct.unpack_from(f">{content[3]}I", content, 4)
        pixels = bytearray(content[4 + 4 * len(sizes):])
        return torch.frombuffer(pixels, dtype=torch.uint8).reshape(sizes)
    raise SystemExit(f"{directory}: no {name}-ubyte, raw or .gz")


def load_images(directory, split):
    """The images [n, 1, h, w], 0 to 255, and labels [n] of a split, "train" or "t10k"."""
    directory = directory or os.environ.get("MNIST_GPU_DATA") or "data/mnist"
    return (read_idx(directory, f"{split}-images-idx3").unsqueeze(1).float(),
            read_idx(directory, f"{split}-labels-idx1").long())


def count_right(net, images, labels):
    """How many images get the highest score for their label, in evaluation."""
    net.eval()
    with torch.no_grad():
        return sum(int((net(x).argmax(1) == y).sum())
                   for x, y in zip(images.split(1000), labels.split(1000)))
