"""Runs operators in PyTorch for the benchmarks: one JSON request a line on stdin, one JSON answer a line on stdout."""

import base64
import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import torch
import torch.nn.functional as F

if not hasattr(F, "rms_norm"):  # before PyTorch 2.4
    F.rms_norm = lambda x, shape, weight, eps: x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight

device = torch.device(sys.argv[1])
threads = int(sys.argv[2])
if threads > 0:
    torch.set_num_threads(threads)
prepared = {}


def message_of(error):
    return "{}: {}".format(type(error).__name__, str(error).strip().split("\n")[0][:300])


def function_of(body, names, sizes):
    lines = ["def operator({}):".format(", ".join(names))] + ["    " + line for line in body.strip().split("\n")]
    scope = {"torch": torch, "F": F, **sizes}
    exec("\n".join(lines), scope)
    return scope["operator"]


def tensor_of(given):
    """From its numbers, or drawn anew where none are given."""
    shape = given["shape"]
    if "data" in given:
        dtype = torch.int32 if given["dtype"] == "int32" else torch.float32
        made = torch.frombuffer(bytearray(base64.b64decode(given["data"])), dtype=dtype).reshape(shape)
    elif "below" in given:
        made = torch.randint(0, given["below"], shape, dtype=torch.int32 if given["dtype"] == "int32" else torch.float32)
    else:
        made = torch.randn(shape, device=device)
        made = made.abs() if given.get("positive") else made
    made = made.to(device)
    made = made.long() if made.dtype == torch.int32 else made
    return made.requires_grad_(given["trained"])


def several(output):
    return output if isinstance(output, tuple) else (output,)


def passes(function, inputs, d_output):
    trained = [tensor for tensor in inputs if tensor.requires_grad]

    def forward():
        with torch.no_grad():
            return function(*inputs)

    def both():
        if not trained:
            return several(forward())
        output = function(*inputs)
        if d_output[0] is None:
            d_output[0] = torch.randn_like(output)
        return (output, *torch.autograd.grad(output, trained, d_output[0]))

    return {"forward": forward, "both": both}


def text_of(tensor):
    return base64.b64encode(tensor.detach().float().cpu().contiguous().numpy().tobytes()).decode()


def check(request):
    """Output and gradients at small sizes, for the caller to compare with the reference."""
    names = [given["name"] for given in request["inputs"]]
    inputs = [tensor_of(given) for given in request["inputs"]]
    function = function_of(request["body"], names, request["sizes"])
    output = function(*inputs)
    if not any(tensor.requires_grad for tensor in inputs):
        return {"output": text_of(torch.cat([part.reshape(-1) for part in several(output)])), "gradients": {}}
    d_output = torch.frombuffer(bytearray(base64.b64decode(request["dOutput"])), dtype=torch.float32)
    trained = [tensor for tensor in inputs if tensor.requires_grad]
    gradients = torch.autograd.grad(output, trained, d_output.reshape(output.shape).to(device))
    trained_names = [given["name"] for given in request["inputs"] if given["trained"]]
    return {"output": text_of(output), "gradients": {name: text_of(g) for name, g in zip(trained_names, gradients)}}


def prepare(request):
    """Inputs at the sizes to time, and both passes run once, eager and compiled."""
    names = [given["name"] for given in request["inputs"]]
    inputs = [tensor_of(given) for given in request["inputs"]]
    function = function_of(request["body"], names, request["sizes"])
    d_output = [None]
    forms = {"eager": passes(function, inputs, d_output)}
    for run in forms["eager"].values():
        run()
    failure = None
    if request["compile"]:
        try:
            torch._dynamo.reset()
            compiled = passes(torch.compile(function, dynamic=False), inputs, d_output)
            for ours, theirs in zip(compiled["both"](), forms["eager"]["both"]()):
                error = (ours - theirs).square().mean().sqrt() / theirs.square().mean().sqrt().clamp_min(1e-30)
                if not error.item() < 1e-3:
                    raise ArithmeticError("compiled and eager results differ by {:.1e}".format(error.item()))
            compiled["forward"]()
            forms["compiled"] = compiled
        except Exception as error:
            failure = message_of(error)
    prepared[request["name"]] = forms
    return {"forms": list(forms), "failure": failure}


def sample(run, repeats):
    """Milliseconds of one run."""
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(repeats):
            run()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / repeats
    start, used = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        run()
    return 1000 * min(time.perf_counter() - start, time.process_time() - used) / repeats


def timing(request):
    """All forms turn about. One that fails is named, and the others go on."""
    runs = {form: both[request["pass"]] for form, both in prepared[request["name"]].items()}
    repeats, failures = {}, {}
    for form, run in list(runs.items()):
        try:
            sample(run, 1)
            repeats[form] = max(1, min(request["mostRepeats"], round(request["sampleMs"] / max(sample(run, 2), 1e-4))))
        except Exception as error:
            failures[form] = message_of(error)
            del runs[form]
    samples = {form: [] for form in runs}
    end = time.perf_counter() + request["mostMs"] / 1000
    for number in range(-1, request["rounds"]):
        if number >= 3 and time.perf_counter() > end:
            break
        for form, run in runs.items():
            value = sample(run, repeats[form])
            if number >= 0:
                samples[form].append(value)
    return {"samples": samples, "repeats": repeats, "failures": failures}


def single(request):
    """One sample of the eager form, for a caller that takes turns with others."""
    return {"ms": sample(prepared[request["name"]]["eager"][request["pass"]], request["repeats"])}


def drop(request):
    prepared.pop(request["name"], None)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return {}


def about(_):
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, {} thread(s)".format(torch.get_num_threads())
    return {"version": torch.__version__, "device": name, "threads": torch.get_num_threads()}


tasks = {"about": about, "check": check, "prepare": prepare, "time": timing, "single": single, "drop": drop}
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"answer": tasks[request["do"]](request)}
    except Exception as error:
        answer = {"error": message_of(error)}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
