"""The training step of cases/train-step.ts as a PyTorch user writes it, on one thread.

The first line of stdin holds sizes, weights and data; the answer the loss and every gradient. Then each line is a number of steps, and the answer the
milliseconds of one.
"""

import base64
import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import torch

torch.set_num_threads(1)


def answer(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def tensor_of(given):
    return torch.frombuffer(bytearray(base64.b64decode(given["data"])), dtype=torch.float32).reshape(given["shape"]).clone()


given = json.loads(sys.stdin.readline())
dim, heads, hidden, length, batch = (given["sizes"][name] for name in ("dim", "heads", "hidden", "time", "batch"))


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.query = torch.nn.Linear(dim, dim, bias=False)
        self.key = torch.nn.Linear(dim, dim, bias=False)
        self.value = torch.nn.Linear(dim, dim, bias=False)
        self.output = torch.nn.Linear(dim, dim)
        self.norm1 = torch.nn.LayerNorm(dim)
        self.up = torch.nn.Linear(dim, hidden)
        self.down = torch.nn.Linear(hidden, dim)
        self.norm2 = torch.nn.LayerNorm(dim)

    def forward(self, x):
        query, key, value = (
            layer(x).view(batch, length, heads, dim // heads).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        attention = torch.softmax(query @ key.transpose(-1, -2) / (dim // heads) ** 0.5, -1)
        mixed = (attention @ value).transpose(1, 2).reshape(batch, length, dim)
        attended = self.norm1(x + self.output(mixed))
        return self.norm2(attended + self.down(torch.relu(self.up(attended))))


layer = Layer()
# Our names and theirs; a Linear holds its matrix transposed.
parameters = {
    "query": layer.query.weight,
    "key": layer.key.weight,
    "value": layer.value.weight,
    "output": layer.output.weight,
    "outputBias": layer.output.bias,
    "gain1": layer.norm1.weight,
    "shift1": layer.norm1.bias,
    "up": layer.up.weight,
    "upBias": layer.up.bias,
    "down": layer.down.weight,
    "downBias": layer.down.bias,
    "gain2": layer.norm2.weight,
    "shift2": layer.norm2.bias,
}
with torch.no_grad():
    for name, parameter in parameters.items():
        parameter.copy_(tensor_of(given["weights"][name]).t())
x, target = tensor_of(given["x"]), tensor_of(given["target"])
optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)


def backward():
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(layer(x), target)
    loss.backward()
    return loss


def step():
    backward()
    optimizer.step()


loss = backward()
texts = {
    name: base64.b64encode(parameter.grad.t().contiguous().numpy().tobytes()).decode() for name, parameter in parameters.items()
}
answer({"version": torch.__version__, "loss": loss.item(), "gradients": texts})
for line in sys.stdin:
    repeats = int(line)
    start, used = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        step()
    # As the other contestants: the clock, or the process's own time if another was let in.
    answer(1000 * min(time.perf_counter() - start, time.process_time() - used) / repeats)
