"""PyTorch as a contender: answers the requests of protocol.ts, one JSON line each, from a folder that pytorch.ts fills.

On CUDA where there is a device, else on every core of the processor. `--tf32` lets CUDA round the factors of products to ten bits,
which PyTorch does only when asked for products, and by itself for convolutions.
"""

import json
import sys
import time

import torch
from torch import nn

torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "--tf32" in sys.argv
# As its documentation advises for inputs that keep their size.
torch.backends.cudnn.benchmark = True
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def settle():
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def adapter():
    if DEVICE.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} threads of the processor"


def tensor(folder, described):
    values = torch.frombuffer(bytearray(open(f"{folder}/{described['file']}", "rb").read()), dtype=torch.float32)
    return values.reshape(described["shape"])


def module(folder, layer):
    kind, options = layer["kind"], layer["options"]
    if kind in ("conv2d", "linear"):
        weight, bias = tensor(folder, layer["weight"]), tensor(folder, layer["bias"])
        if kind == "linear":
            built = nn.Linear(weight.shape[1], weight.shape[0])
        else:
            o, i, kernel, _ = weight.shape
            built = nn.Conv2d(i, o, kernel, stride=options.get("stride", 1), padding=options.get("padding", 0))
        with torch.no_grad():
            built.weight.copy_(weight)
            built.bias.copy_(bias)
        return built
    if kind == "max_pool":
        return nn.MaxPool2d(options["kernel"], options.get("stride"), options.get("padding", 0))
    if kind == "adaptive_avg_pool":
        return nn.AdaptiveAvgPool2d(options["size"])
    if kind == "flatten":
        return nn.Flatten()
    raise ValueError(f"Cannot build layer {kind}: the comparison has no such layer")


def network(folder, job):
    layers = []
    for layer in job["layers"]:
        layers.append(module(folder, layer))
        if layer["relu"]:
            layers.append(nn.ReLU(inplace=True))
    # Channels last is what convolutions are fastest in, on processors and on tensor cores.
    return nn.Sequential(*layers).to(DEVICE).to(memory_format=torch.channels_last)


def training(folder, job):
    net = network(folder, job)
    x = tensor(folder, job["images"]).to(DEVICE).to(memory_format=torch.channels_last)
    y = torch.tensor(job["labels"]).to(DEVICE)
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=job["learningRate"])

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    answer = [step().item() for _ in range(job["comparedSteps"])]

    def run(steps):
        for _ in range(steps):
            step()
        settle()

    return answer, run


def inference(folder, job):
    net = network(folder, job).eval()
    values = tensor(folder, job["images"])

    @torch.inference_mode()
    def predict():
        return net(values.to(DEVICE)).cpu()

    def run(steps):
        for _ in range(steps):
            predict()

    return predict().flatten().tolist(), run


def product(folder, job):
    first, b = (tensor(folder, each).to(DEVICE) for each in job["factors"])
    last = [first @ b]

    def run(steps):
        for _ in range(steps):
            last[0] = last[0] @ b
        settle()

    return last[0].flatten()[:64].tolist(), run


def main():
    run = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["ask"] == "prepare":
                folder = request["folder"]
                job = json.load(open(f"{folder}/job.json"))
                answer, run = {"training": training, "inference": inference, "product": product}[job["kind"]](folder, job)
                reply = {"reply": "prepared", "library": f"PyTorch {torch.__version__}", "adapter": adapter(), "answer": answer}
            else:
                start = time.perf_counter()
                run(request["steps"])
                reply = {"reply": "ran", "milliseconds": 1000 * (time.perf_counter() - start)}
        except Exception as error:
            reply = {"reply": "failed", "message": str(error)}
        print(json.dumps(reply), flush=True)


main()
