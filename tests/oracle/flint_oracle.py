"""Compares enclosures of this library with those of FLINT's ball arithmetic, an independent implementation.

    python3 -m venv target/flint-venv && target/flint-venv/bin/pip install python-flint
    cargo run --release --example enclosures -- 300 1 | target/flint-venv/bin/python tests/oracle/flint_oracle.py

Half of the arguments are points; half are sets, of which FLINT gets one member. FLINT evaluates every case with 200 more bits, which makes its
ball a near-point: ours must contain it. Where the exact value is a bound of ours (an exact result), containment of a ball of positive radius is
impossible, and overlap is all that can be asked. A result that is the whole line counts as `undefined`; for points FLINT must then find no finite
value either.
"""

import json
import sys
from collections import Counter

from flint import arb, ctx, fmpq

EXTRA_BITS = 200
LOST_BITS = 20

FUNCTIONS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "mul_add": lambda x, y: x * y + x,
    "square": lambda x, y: x * x,
    "sqrt": lambda x, y: x.sqrt(),
    "root5": lambda x, y: abs(x).root(5),
    "pown-3": lambda x, y: 1 / (x * x * x),
    "powi7": lambda x, y: x**7,
    "pow": lambda x, y: (y * x.log()).exp() if x > 0 else arb("nan"),
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "exp": lambda x, y: x.exp(),
    "exp_m1": lambda x, y: x.expm1(),
    "exp2": lambda x, y: (x * arb(2).log()).exp(),
    "exp10": lambda x, y: (x * arb(10).log()).exp(),
    "ln": lambda x, y: x.log(),
    "ln_1p": lambda x, y: x.log1p(),
    "log2": lambda x, y: x.log() / arb(2).log(),
    "log10": lambda x, y: x.log() / arb(10).log(),
    "sin": lambda x, y: x.sin(),
    "cos": lambda x, y: x.cos(),
    "tan": lambda x, y: x.tan(),
    "asin": lambda x, y: x.asin(),
    "acos": lambda x, y: x.acos(),
    "atan": lambda x, y: x.atan(),
    "atan2": lambda y, x: arb.atan2(y, x),
    "sinh": lambda x, y: x.sinh(),
    "cosh": lambda x, y: x.cosh(),
    "tanh": lambda x, y: x.tanh(),
    "asinh": lambda x, y: x.asinh(),
    "acosh": lambda x, y: x.acosh(),
    "atanh": lambda x, y: x.atanh(),
}


def number(pair):
    return arb((int(pair[0], 16), pair[1]))


def f_star(case):
    """The minimum, from the one-scalar formulas of the papers."""
    k, n = case["k"], case["n"]
    l1, l2, l3 = (fmpq(*map(int, (t.split("/") + ["1"])[:2])) for t in case["lambdas"])
    model = case["function"]
    if "deep" in model:
        # (1 - x)(1 + 2x)/2 at the largest root t of t^4 - t + kappa, x = t^3, for kappa up to 2^(-4/3), else 1/2.
        kappa = k * arb(n * l1 * l2 * l3).root(3)
        if kappa > arb(2) ** (-arb(4) / 3):
            return arb(1) / 2
        t = arb(1)
        for _ in range(400):
            step = (t**4 - t + kappa) / (4 * t**3 - 1)
            t = (t - step).mid()
        slope, value = 4 * t**3 - 1, t**4 - t + kappa
        # Newton's point is within twice the step of the root (the function is convex, the slope positive there).
        t = t + arb(0, abs(2 * value / slope).upper())
        return (1 - t**3) * (1 + 2 * t**3) / 2
    c = k * arb(n * l1 * l2).sqrt()
    if "mse" in model:
        return c - c * c / 2 if c < 1 else arb(1) / 2
    alpha = arb(fmpq(case["smoothing"], 100)) if "smoothing" in model else arb(0)
    if c + alpha >= 1:
        return arb(k).log()
    p = 1 - alpha + alpha / k - (k - 1) * c / k
    rest = (1 - p) / (k - 1)
    return -p * p.log() - (1 - p) * rest.log()


def judge(case):
    ctx.prec = case["prec"] + EXTRA_BITS
    name = case["function"]
    if name in FUNCTIONS:
        x, y = number(case["x"]), number(case["y"])
        # Large angles and tiny arguments cancel as many bits as their exponents have.
        ctx.prec += 2 * abs(case["x"][1]) + 400
        value = FUNCTIONS[name](x, y)
    else:
        value = f_star(case)
    low, high = case["result"]
    if low is None and high is None:
        # Of a set, another member than the printed one may be outside the domain.
        assert not (value.is_finite() and case["point"]), f"whole line, but FLINT has {value}: {case}"
        return "undefined"
    if value.is_finite():
        below = low is not None and value < number(low)
        above = high is not None and value > number(high)
        assert not below and not above, f"FLINT has {value}: {case}"
        inside = (low is None or value >= number(low)) and (high is None or value <= number(high))
        if not inside:
            return "overlaps"
        # Overflow and underflow have one bound that is not next to the value.
        ordinary = case.get("point", True) and low is not None and high is not None and low[0] != "0" and high[0] != "0"
        # One operation is at most a unit wide; a closed form of a dozen operations loses at most LOST_BITS.
        lost = 1 if name in FUNCTIONS else LOST_BITS
        if ordinary:
            assert number(high) - number(low) <= abs(value) * arb(2) ** (lost - case["prec"]), f"too wide: {case}"
        return "contains"
    return "FLINT undecided"


def main():
    ledger = {}
    for line in sys.stdin:
        case = json.loads(line)
        ledger.setdefault(case["function"], Counter())[judge(case)] += 1
    columns = ["contains", "overlaps", "undefined", "FLINT undecided"]
    print(f"{'function':28}" + "".join(f"{c:>16}" for c in columns))
    for name, counts in ledger.items():
        print(f"{name:28}" + "".join(f"{counts[c]:>16}" for c in columns))
    total = sum(ledger.values(), Counter())
    print(f"{'total':28}" + "".join(f"{total[c]:>16}" for c in columns))
    if not total["contains"]:
        sys.exit("nothing was compared")


if __name__ == "__main__":
    main()
