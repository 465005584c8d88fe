"""Loads weights written by this project into PyTorch, strictly and unchanged, and compares logits.

For every model NAME given: FOLDER/NAME.safetensors is a checkpoint of this project, FOLDER/NAME.io.safetensors holds
an input and our logits for it. Prints the normalised error of each, and writes PyTorch's own state_dict to
FOLDER/NAME.torch.safetensors for the way back.
"""
import json
import math
import struct
import sys

import torch
from torch import nn

DTYPES = {"F32": torch.float32, "I64": torch.int64}


def load_file(path):
    """safetensors.torch.load_file, for where that package is not installed."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
        flat = torch.frombuffer(data, dtype=dtype, count=math.prod(shape), offset=entry["data_offsets"][0])
        tensors[name] = flat.reshape(shape)
    return tensors


def save_file(tensors, path):
    """safetensors.torch.save_file, likewise."""
    names = {dtype: name for name, dtype in DTYPES.items()}
    header, chunks, at = {}, [], 0
    for name, tensor in tensors.items():
        chunk = tensor.contiguous().numpy().tobytes()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(chunk)]}
        chunks.append(chunk)
        at += len(chunk)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(chunks)


class AlexNet(nn.Module):
    """torchvision.models.AlexNet, word for word where it matters."""

    def __init__(self, num_classes=1000, dropout=0.5):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x):
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))


class TwoBlocks(nn.Module):
    """`features` and `classifier`, for the networks that are nothing but a chain."""

    def __init__(self, features, classifier):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(self.features(x))


def alexnet_2012(classes):
    """The paper's alpha of 1e-4 is for the sum of five squares, PyTorch's for their mean."""
    norm = lambda: nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    features = [
        nn.Conv2d(3, 96, 11, stride=4, padding=2), nn.ReLU(), norm(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), norm(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
    ]
    classifier = [nn.Flatten(), nn.LazyLinear(4096), nn.ReLU(), nn.Dropout()]
    classifier += [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, classes)]
    return TwoBlocks(features, classifier)


def compact(classes, normalise):
    def block(inputs, outputs):
        norm = [nn.BatchNorm2d(outputs)] if normalise else []
        return [nn.Conv2d(inputs, outputs, 3, stride=2), *norm, nn.ReLU()]

    features = block(3, 16) + [nn.MaxPool2d(2)] + block(16, 32) + block(32, 64) + block(64, 128)
    return TwoBlocks(features, [nn.Flatten(), nn.LazyLinear(classes)])


class BasicBlock(nn.Module):
    """torchvision's, with its names."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        shortcut = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.downsample = nn.Sequential(*shortcut) if stride != 1 or inputs != outputs else None

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision.models.ResNet of basic blocks; `widths` are the stem's and the stages' channels."""

    def __init__(self, widths, blocks, kernel, classes, dropout=0.0):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], kernel, 2, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
            stage = [BasicBlock(inputs, outputs, 1 if i == 0 else 2)]
            stage += [BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.dropout(torch.flatten(self.avgpool(x), 1)))


MODELS = {
    "compact": lambda classes: compact(classes, False),
    "compact-bn": lambda classes: compact(classes, True),
    "alexnet": AlexNet,
    "alexnet-2012": alexnet_2012,
    "resnet18": lambda classes: ResNet([64, 64, 128, 256, 512], 2, 7, classes),
    "compact-res": lambda classes: ResNet([24, 32, 64, 128, 192], 1, 5, classes, 0.2),
}


def main(folder, names):
    for name in names:
        io = load_file(f"{folder}/{name}.io.safetensors")
        model = MODELS[name](io["logits"].shape[1]).eval()
        with torch.no_grad():
            model(io["input"])  # gives the lazy layers their shapes
            model.load_state_dict(load_file(f"{folder}/{name}.safetensors"), strict=True)
            logits = model(io["input"])
        error = (logits - io["logits"]).norm() / logits.norm()
        print(json.dumps({"model": name, "parameters": sum(p.numel() for p in model.parameters()), "error": error.item()}))
        save_file(model.state_dict(), f"{folder}/{name}.torch.safetensors")


main(sys.argv[1], sys.argv[2:])
