"""PyTorch on the processor: its scaled_dot_product_attention, which is blockwise, and its AdamW."""

import torch
from torch.nn import functional


class Trainer:
    def __init__(self, loss, weights, batch, recipe):
        self.loss = loss
        self.precision = torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16")
        self.weights = {name: tensor.requires_grad_() for name, tensor in weights.items()}
        self.batch = batch
        self.clip = recipe.clip
        decayed = [tensor for name, tensor in weights.items() if name in recipe.decayed]
        others = [tensor for name, tensor in weights.items() if name not in recipe.decayed]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": recipe.decay},
             {"params": others, "weight_decay": 0.0}], lr=recipe.rate)

    def differentiate(self):
        self.optimizer.zero_grad()
        with self.precision:
            loss = self.loss(self.weights, self.batch)
        loss.backward()
        return loss, {name: tensor.grad for name, tensor in self.weights.items()}

    def step(self):
        self.differentiate()
        torch.nn.utils.clip_grad_norm_(self.weights.values(), self.clip)
        self.optimizer.step()


class Library:
    title = "PyTorch"
    version = f"{torch.__version__} ({torch.backends.cpu.get_cpu_capability()})"
    length = 16384
    has_ring = False
    has_bf16 = True
    Trainer = Trainer

    relu = staticmethod(functional.relu)
    tanh = staticmethod(torch.tanh)
    stack = staticmethod(torch.stack)
    array = tokens = staticmethod(torch.from_numpy)

    def __init__(self, threads, _ranks):
        torch.set_num_threads(threads)

    @staticmethod
    def cast(tensor, precision):
        return tensor.to({"bf16": torch.bfloat16, "f64": torch.float64}[precision])

    @staticmethod
    def numbers(tensor):
        return tensor.detach().to(torch.float64).numpy()

    @staticmethod
    def split(x, heads):
        return x.unflatten(1, (heads, -1)).transpose(0, 1).unsqueeze(0)

    @staticmethod
    def join(heads):
        return heads.squeeze(0).transpose(0, 1).flatten(1)

    @staticmethod
    def attend(query, key, value):
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)

    @staticmethod
    def linear(x, weight, bias):
        return torch.addmm(bias, x, weight)

    @staticmethod
    def norm(x, gain, bias):
        return functional.layer_norm(x, x.shape[-1:], gain, bias)

    @staticmethod
    def gelu(x):
        return functional.gelu(x, approximate="tanh")

    @staticmethod
    def compiled(function):
        return function

    @staticmethod
    def differentiated(function):
        def both(inputs, d_output):
            inputs = [tensor.detach().requires_grad_() for tensor in inputs]
            output = function(*inputs)
            return output, torch.autograd.grad(output, inputs, d_output)
        return both
