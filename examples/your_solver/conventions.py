"""Every row of the guide's table, checked by torch: your gradient is a constant times the gradient of the objective here.

    python examples/your_solver/conventions.py

Needs torch. Prints the constant of each row, that between your loss and the one here; exits 1 when a row does not hold.
"""

import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
K, D, N = 4, 5, 12
LABELS = torch.arange(K).repeat_interleave(N // K)
ONE_HOT = F.one_hot(LABELS, K).double()
DECAY, SMOOTHING = 0.37, 0.1
TARGETS = (1 - SMOOTHING) * ONE_HOT + SMOOTHING / K
# Rounding of a few dozen operations.
TOLERANCE = 1e-12


def point():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in ((K, D), (N, D), (K,))]


def logits(x):
    return x[1] @ x[0].T + x[2]


def mse(x):
    return ((logits(x) - ONE_HOT) ** 2).sum() / (2 * N)


def ce(x):
    return F.cross_entropy(logits(x), LABELS)


def smoothed(x):
    return -(TARGETS * F.log_softmax(logits(x), 1)).sum() / N


def gradient(loss, penalties):
    """Of `loss + sum of penalty/2 |block|^2`."""
    x = point()
    value = loss(x) + sum(p / 2 * (block**2).sum() for p, block in zip(penalties, x))
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, x)])


def decayed(loss):
    """The step of SGD with weight decay and learning rate 1."""
    x = point()
    before = [block.detach().clone() for block in x]
    loss(x).backward()
    torch.optim.SGD(x, lr=1.0, weight_decay=DECAY).step()
    return torch.cat([(a - b.detach()).flatten() for a, b in zip(before, x)])


def rows():
    """Name, your gradient, the loss here, the weights here."""
    squares = lambda x: sum((block**2).sum() for block in x)
    mean_features = lambda x: mse(x) + DECAY / 2 * ((x[1] ** 2).sum(1).mean() + (x[0] ** 2).sum() + (x[2] ** 2).sum())
    yield "weight_decay, loss as here", decayed(mse), mse, [DECAY] * 3
    yield "penalty without 1/2", gradient(lambda x: mse(x) + DECAY * squares(x), [0] * 3), mse, [2 * DECAY] * 3
    yield "MSELoss()", decayed(lambda x: F.mse_loss(logits(x), ONE_HOT)), mse, [DECAY * K / 2] * 3
    yield "MSELoss(sum)", decayed(lambda x: F.mse_loss(logits(x), ONE_HOT, reduction="sum")), mse, [DECAY / (2 * N)] * 3
    yield "((Z - Y)**2).sum() / N", decayed(lambda x: ((logits(x) - ONE_HOT) ** 2).sum() / N), mse, [DECAY / 2] * 3
    yield "CrossEntropyLoss()", decayed(ce), ce, [DECAY] * 3
    yield "CrossEntropyLoss(sum)", decayed(lambda x: F.cross_entropy(logits(x), LABELS, reduction="sum")), ce, [DECAY / N] * 3
    yield "label_smoothing", decayed(lambda x: F.cross_entropy(logits(x), LABELS, label_smoothing=SMOOTHING)), smoothed, [DECAY] * 3
    yield "features averaged", gradient(mean_features, [0] * 3), mse, [DECAY, DECAY / N, DECAY]
    yield "ridge", gradient(lambda x: ((logits(x) - ONE_HOT) ** 2).sum() + DECAY * squares(x), [0] * 3), mse, [DECAY / N] * 3


def main():
    failed = False
    for name, yours, loss, weights in rows():
        here = gradient(loss, weights)
        factor = (yours @ here) / (here @ here)
        error = (yours - factor * here).norm() / yours.norm()
        failed |= not error < TOLERANCE
        print(f"{name:28} {factor:10.6g} times the objective here, off by {error:.1e}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
