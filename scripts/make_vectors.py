"""Writes tests/vectors/torch.jsonl: what PyTorch says about small inputs.

Run with a Python that has torch and numpy (Debian: apt-get install python3-torch): python3 scripts/make_vectors.py

Logits are float32 (or half) values, widened exactly; everything after that is float64. The row loss is F.cross_entropy itself,
with its ignore_index, weight and label_smoothing; so are mean and sum wherever the case asks for nothing it lacks. What it lacks
(token weights, z-loss, other denominators, sequences, upstream) is composed from torch operations; gradients are autograd's.
Each case says so in "oracle". Every finite case is also computed from the contract's own formula, and the two must agree.

What it refuses to be: a specification. A case on which PyTorch and the contract differ on purpose (no active token: NaN or 0)
is not written here.

Shapes: x logits [N, V], u the same after scale and softcap, y targets [N]; c class weights [V], w token weights [N].
"""

import json
import os
import zlib

# The last bit must depend neither on the processor's vector width (read while torch loads) nor, below, on its cores.
os.environ["ATEN_CPU_CAPABILITY"] = "default"

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

PATH = "tests/vectors/torch.jsonl"
MAX_BYTES = 400_000
IGNORE_INDEX = -100
INF, NAN = float("inf"), float("nan")

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

cases = []

# --- Inputs ---


def draw(name, n, v, spread=2.0, offset=0.0):
    """Normal logits [n, v], seeded by a name. Five decimals keep the file short; the nearest float32 has a full mantissa."""
    # RandomState's stream is frozen by numpy's promise; default_rng's is not.
    normal = np.random.RandomState(zlib.crc32(name.encode())).standard_normal((n, v))
    return (np.round(normal * spread, 5) + offset).astype(np.float32)


def draw_labels(name, n, v, ignored=(), ignore_index=IGNORE_INDEX):
    """Labels [n] in [0, v), ignore_index at the positions `ignored` and nowhere else."""
    y = np.random.RandomState(zlib.crc32(name.encode()) ^ 1).randint(0, v, n)
    y[y == ignore_index] = v - 1
    y[list(ignored)] = ignore_index
    return y.tolist()


def put(x, *entries):
    """A copy of x with x[row, column] = value for each (row, column, value)."""
    x = x.copy()
    for row, column, value in entries:
        x[row, column] = value
    return x


# --- The loss ---


def sequences(n, options):
    """The half-open row ranges of the sequences; all n rows are one where nothing is said."""
    borders = options.get("cuSeqlens") or range(0, n + 1, options.get("sequenceLength", n))
    return list(zip(borders, borders[1:]))


def torch_rows(u, y, ignore_index, c, smoothing, reduction="none"):
    """PyTorch's own cross-entropy: [N], or one number."""
    return F.cross_entropy(u, y, weight=c, ignore_index=ignore_index, label_smoothing=smoothing, reduction=reduction)


def formula_rows(u, y, ignore_index, c, smoothing):
    """The contract's formula [N], with an nll that keeps its relative accuracy however small it is."""
    v, active = u.shape[1], y != ignore_index
    y, c = y.where(active, torch.tensor(0)), torch.ones(v) if c is None else c
    # nll = log(1 + Σ_{j≠y} exp(u_j - u_y)) = softplus(logSumExp_{j≠y} u_j - u_y); in float64 softplus(d) = d from d = 37 on.
    others = torch.logsumexp(u.scatter(1, y[:, None], -INF), 1)
    nll = F.softplus(others - u.gather(1, y[:, None])[:, 0], threshold=50)
    # (1 - ε) · c_y · nll + ε/V · Σ_j c_j · (-log p_j)
    loss = (1 - smoothing) * c[y] * nll + smoothing / v * -(c * F.log_softmax(u, 1)).sum(1)
    return loss.where(active, torch.tensor(0.0))


def evaluate(x, labels, v, options, rows):
    """The expected results of one case; `rows` is torch_rows or formula_rows."""
    n, zero = len(labels), torch.tensor(0.0)
    ignore_index, reduction = options.get("ignoreIndex", IGNORE_INDEX), options.get("reduction", "token")
    smoothing = options.get("labelSmoothing", 0.0)
    c = torch.tensor(options["classWeights"]) if "classWeights" in options else None

    # Target row t is label t, or under shift label t + 1 of the same sequence; the last row of each then has no target.
    step = int(options.get("shift", False))
    y, w, total_tokens = torch.full((n,), ignore_index), torch.zeros(n), 0
    for start, end in sequences(n, options):
        for row in range(start, end - step):
            y[row], w[row] = labels[row + step], options.get("tokenWeights", [1.0] * n)[row + step]
            total_tokens += 1

    # Padding lanes are cut off before anything is computed, and so are ignored rows that hold NaN or an infinity: PyTorch's
    # backward would multiply them by 0 and get NaN. Autograd fills both with exact zeros.
    leaf = torch.from_numpy(x[:, :v]).double().requires_grad_()
    kept = (y != ignore_index) | torch.isfinite(leaf).all(1)
    y, w, active = y[kept], w[kept], (y != ignore_index)[kept]

    # u = softcap · tanh(logitScale · x / softcap)
    u = leaf[kept] * options.get("logitScale", 1.0)
    if "softcap" in options:
        u = options["softcap"] * torch.tanh(u / options["softcap"])

    # perToken = w · [ row loss + zLoss · logSumExp² ]; plain cases leave PyTorch's rows as they are.
    plain = not {"zLoss", "tokenWeights"} & options.keys()
    per_token = rows(u, y, ignore_index, c, smoothing)
    log_sum_exp = torch.logsumexp(u, 1).where(active, zero)
    if not plain:
        per_token = (w * (per_token + options.get("zLoss", 0.0) * log_sum_exp**2)).where(active, zero)

    # weight = w · c_y over active rows; weightSum is its sum.
    weight = torch.zeros(len(y))
    weight[active] = w[active] if c is None else w[active] * c[y[active]]

    # loss = Σ perToken / divisor. For "sequence" a row's divisor is (number of active sequences) · (its sequence's weightSum).
    if "denominator" in options or reduction != "sequence":
        by_reduction = {"token": weight.sum().item(), "sample": total_tokens, "sum": 1, "sequence": None}
        denominator = options.get("denominator", by_reduction[reduction])
        divisor = torch.full((len(y),), float(denominator))
    else:
        row_of = torch.arange(n)[kept]
        masks = [(row_of >= start) & (row_of < end) & active for start, end in sequences(n, options)]
        masks = [mask for mask in masks if mask.any()]
        denominator, divisor = len(masks), torch.ones(len(y))
        for mask in masks:
            divisor[mask] = len(masks) * weight[mask].sum()
    loss, total = (per_token / divisor).sum(), per_token.sum()
    if plain and rows is torch_rows:
        total = rows(u, y, ignore_index, c, smoothing, "sum")
        if "denominator" not in options and reduction in ("token", "sum"):
            loss = rows(u, y, ignore_index, c, smoothing, "mean") if reduction == "token" else total

    # ∂(Σ_i upstream_i · perToken_i / divisor_i)/∂x; upstream is not read on rows without an active target.
    upstream = torch.tensor(options.get("upstream", 1.0))
    scaled = (upstream[kept].where(active, zero) * per_token / divisor).sum() if upstream.dim() else upstream * loss
    scaled.backward()

    def dense(values):
        return torch.zeros(n).masked_scatter(kept, values.detach()).tolist()

    return {
        "loss": loss.item(), "sum": total.item(), "weightSum": weight.sum().item(), "denominator": denominator,
        "activeTokens": int(active.sum()), "totalTokens": total_tokens,
        "perToken": dense(per_token), "logSumExp": dense(log_sum_exp), "gradLogits": leaf.grad.flatten().tolist(),
    }  # fmt: skip


def cross_check(name, ours, other, v):
    """Losses agree to 1e-12, gradients to 1e-9, by the contract's measures (p - 1 in PyTorch loses digits as p nears 1)."""
    for key in ("loss", "sum", "weightSum", "denominator", "perToken", "logSumExp"):
        a, b = np.array(ours[key]), np.array(other[key])
        assert (abs(a - b) <= 1e-12 * np.maximum(1, abs(b))).all(), (name, key, a, b)
    a, b = (np.array(result["gradLogits"]).reshape(-1, v) for result in (ours, other))
    assert (abs(a - b) <= 1e-9 * (abs(b) + 1e-4 * abs(b).max(1, keepdims=True))).all(), (name, a, b)


# --- One case ---


def oracle(options, tiny, cut):
    """How torch computed the case, in words."""
    reduction, own = options.get("reduction", "token"), {"zLoss", "tokenWeights", "denominator"} & options.keys()
    own_reduction = own or tiny or reduction in ("sample", "sequence")
    by_row = isinstance(options.get("upstream"), list)
    said = [
        ("rowStride" in options, "padding lanes sliced off"),
        (cut, "ignored rows that are not finite left out"),
        ({"logitScale", "softcap"} & options.keys(), "logits scaled and capped by torch ops"),
        (options.get("shift"), "labels shifted within each sequence"),
        (tiny, "nll = softplus(logsumexp of the others - label's logit), where F.cross_entropy's gradient at the label loses digits"),
        (not tiny, "F.cross_entropy for the rows"),
        (not own_reduction, f"also for the {'sum' if reduction == 'sum' else 'mean and sum'}"),
        ("zLoss" in options, "zLoss * logsumexp ** 2 added"),
        ("tokenWeights" in options, "rows times token weights"),
        (own_reduction, f"composed: {'sum / denominator' if 'denominator' in options else reduction + ' reduction'}"),
        ("upstream" in options, f"{'rows' if by_row else 'loss'} times upstream before backward"),
    ]
    return "; ".join(words for true, words in said if true) + "; float64, autograd"


def plain_json(value):
    """What JSON can hold: strings for what it has no number for, 0 for -0, the shortest decimal for a float32."""
    if isinstance(value, (list, np.ndarray)):
        return [plain_json(item) for item in value]
    if isinstance(value, np.float32):
        short = float(str(value))
        assert np.isnan(value) or np.float32(short) == value, value
        value = short
    if not isinstance(value, float):
        return value
    return "NaN" if np.isnan(value) else value + 0.0 if np.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def case(name, x, labels, tiny=False, grad=True, **options):
    """Adds one case. x is [N, rowStride] float32; tiny: expect the formula's gradient, for nlls too small for PyTorch's."""
    assert name not in [known["name"] for known in cases], name
    v = options.get("vocabSize", x.shape[1])
    expected = evaluate(x, labels, v, options, torch_rows)
    if np.isfinite(x).all():
        exact = evaluate(x, labels, v, options, formula_rows)
        expected = {**expected, "gradLogits": exact["gradLogits"]} if tiny else expected
        cross_check(name, expected, exact, v)
        expected = exact if tiny else expected
    if not grad:
        del expected["gradLogits"]
    ignored = np.array(labels) == options.get("ignoreIndex", IGNORE_INDEX)
    cases.append({
        "name": name, "logits": plain_json(x.flatten()), "labels": labels, "vocabSize": v,
        "options": {key: plain_json(value) for key, value in options.items()},
        "expected": {key: plain_json(value) for key, value in expected.items()},
        "oracle": oracle(options, tiny, not np.isfinite(x[ignored]).all()),
    })  # fmt: skip


# --- The cases. Weights and upstream are multiples of 1/16: exact in every float type ---

C9 = [1.0, 0.5, 2.25, 0.125, 1.5, 3.0, 0.75, 1.0625, 0.25]


def add_shapes():
    """Plain means: the smallest shapes, and V below, at and above lane and tile widths."""
    case("plain single row", draw("single", 1, 7), [3])
    case("one row, one class", draw("one", 1, 1), [0])
    case("three rows, one class", draw("one", 3, 1), [0, 0, 0])
    case("two classes", draw("two", 3, 2), [0, 1, 1])
    case("several rows", draw("several", 5, 9), draw_labels("several", 5, 9))
    case("labels in the first and last column", draw("ends", 2, 10), [0, 9])
    for v in (3, 4, 5, 15, 16, 17, 31, 33, 127, 128, 129):
        case(f"V = {v}", draw(f"V{v}", 2, v), draw_labels(f"V{v}", 2, v))
    case("V = 1025, label in the last column", draw("1025", 1, 1025), [1024])
    case("V = 1025, forward only", draw("forward", 3, 1025), draw_labels("forward", 3, 1025, [1]), grad=False)


def add_torch_options():
    """Everything F.cross_entropy knows."""
    x, y, some = draw("options", 6, 9), draw_labels("options", 6, 9), draw_labels("options", 6, 9, [0, 3, 4])
    zero_ignored = draw_labels("options", 6, 9, [1, 5], 0)
    case("ignored rows", x, some)
    case("ignored rows, sum", x, some, reduction="sum")
    case("ignore index 0", x, zero_ignored, ignoreIndex=0)
    case("ignore index -1", x, draw_labels("options", 6, 9, [0, 2], -1), ignoreIndex=-1)
    case("class weights", x, y, classWeights=C9)
    case("class weights, sum", x, y, classWeights=C9, reduction="sum")
    case("class weights with a zero and a negative", x, [0, 1, 2, 3, 2, 1], classWeights=[0.0, -0.5] + C9[2:])
    case("label smoothing 0.1", x, y, labelSmoothing=0.1)
    case("label smoothing 1", x, y, labelSmoothing=1.0)
    case("label smoothing 0.1, ignored rows, sum", x, some, labelSmoothing=0.1, reduction="sum")
    case("class weights, smoothing 0.1", x, y, classWeights=C9, labelSmoothing=0.1)
    case("class weights, smoothing 1", x, y, classWeights=C9, labelSmoothing=1.0)
    case("class weights, smoothing, ignored rows", x, some, classWeights=C9, labelSmoothing=0.1)
    case("class weights, smoothing, ignore index 0", x, zero_ignored, ignoreIndex=0, classWeights=C9, labelSmoothing=0.1)


def add_transforms():
    """z-loss, softcap and scale, alone and together."""
    x, wide = draw("transforms", 4, 9), draw("wide", 4, 9, 20.0)
    y, some = draw_labels("transforms", 4, 9), draw_labels("transforms", 4, 9, [2])
    case("z-loss 1e-4", x, some, zLoss=1e-4)
    case("z-loss 1e-2", x, some, zLoss=1e-2)
    case("z-loss, class weights, smoothing", x, some, zLoss=1e-2, classWeights=C9, labelSmoothing=0.1)
    case("softcap 30", wide, some, softcap=30.0)
    case("softcap 1", x, y, softcap=1.0)
    case("logit scale 0.25", x, y, logitScale=0.25)
    case("logit scale -0.5", x, y, logitScale=-0.5)
    case("logit scale, softcap", wide, some, logitScale=0.25, softcap=5.0)
    case("logit scale, softcap, z-loss, smoothing", wide, some, logitScale=-0.5, softcap=10.0, zLoss=1e-2, labelSmoothing=0.1)


def add_reductions():
    """Token weights, the four reductions with and without shift on the same data, denominators, upstream."""
    x, y = draw("reductions", 9, 6), draw_labels("reductions", 9, 6, [1, 4, 5])
    signed = [1.0, 1.0, 0.0, -0.5, 1.0, 1.0, 2.0, 0.25, -1.5]
    positive = [0.5, 1.0, 0.0, 2.0, 1.0, 1.0, 1.5, 0.25, 0.75]
    cu = [0, 4, 4, 6, 9]  # rows 4 and 5: a sequence with nothing to train
    case("token weights", x, y, tokenWeights=positive)
    case("token weights with zeros and negatives, sum", x, y, tokenWeights=signed, reduction="sum")
    case("token weights with zeros and negatives, denominator", x, y, tokenWeights=signed, denominator=5)
    case("token weights, class weights, smoothing, z-loss", x, y, tokenWeights=positive, classWeights=C9[:6], labelSmoothing=0.1, zLoss=1e-2)
    for shift in ({}, {"shift": True}):
        for layout in ({"cuSeqlens": cu}, {"sequenceLength": 3}):
            for reduction in ("token", "sample", "sequence", "sum"):
                case(", ".join([*shift, reduction, *layout]), x, y, reduction=reduction, **layout, **shift)
    case("sequence, no layout", x, y, reduction="sequence")
    case("sequence, token and class weights", x, y, reduction="sequence", cuSeqlens=cu, tokenWeights=positive, classWeights=C9[:6])
    case("shift, no layout", x, y, shift=True)
    case("shift, empty sequences and single rows", x, y, shift=True, cuSeqlens=[0, 0, 1, 4, 4, 4, 5, 9, 9])
    case("shift, token weights", x, y, shift=True, cuSeqlens=[0, 4, 9], tokenWeights=positive)
    case("shift, ignore index 0", x, draw_labels("reductions", 9, 6, [2, 6], 0), shift=True, sequenceLength=3, ignoreIndex=0)
    for reduction, denominator in (("token", 7), ("sample", 2.5), ("sequence", 3), ("sum", 11)):
        case(f"denominator, {reduction}", x, y, denominator=denominator, reduction=reduction, sequenceLength=3)
    # NaN where nothing is scored: rows 1, 4, 5; under shift 0, 3, 4, and the last row.
    by_row = [0.5, NAN, -2.0, 1.25, NAN, NAN, 3.0, 0.0, 0.75]
    shifted = [NAN, 1.5, -2.0, NAN, NAN, 0.25, 3.0, -0.5, NAN]
    case("upstream scalar", x, y, upstream=-2.5)
    case("upstream scalar, sum", x, y, upstream=0.125, reduction="sum")
    case("upstream by row", x, y, upstream=by_row)
    case("upstream by row, sum", x, y, upstream=by_row, reduction="sum")
    case("upstream by row, sequence", x, y, upstream=by_row, reduction="sequence", cuSeqlens=cu)
    case("upstream by row, denominator", x, y, upstream=by_row, denominator=4)
    case("upstream by row, shift", x, y, upstream=shifted, shift=True)
    case("everything", x, y, shift=True, cuSeqlens=[0, 4, 4, 9], reduction="sequence", tokenWeights=positive, classWeights=C9[:6],
         labelSmoothing=0.1, zLoss=1e-2, logitScale=0.25, softcap=5.0, upstream=shifted)  # fmt: skip


def add_ranges():
    """Offsets, spreads, certainty, masked classes, values that are not finite."""
    x, y, flat = draw("ranges", 3, 9), [2, 0, 8], np.zeros((3, 9), np.float32)
    case("offset +1000", draw("ranges", 3, 9, offset=1000.0), y)
    case("offset -3000", draw("ranges", 3, 9, offset=-3000.0), y)
    case("spread 20", draw("spread", 3, 9, 20.0), y)
    case("all logits zero", flat, y)
    case("all logits equal", flat + np.float32(0.3), y)
    # Label above all others by about 10, 20, 60; then by exactly 71: 8 · exp(-71) = 1.2e-30.
    for above, tiny in ((10, False), (20, True), (60, True)):
        confident = put(x, *[(row, label, x[row].max() + np.float32(above)) for row, label in enumerate(y)])
        case(f"confident label, {above} above", confident, y, tiny=tiny)
    case("confident label, others weigh 1e-30", put(flat, *[(row, label, 71.0) for row, label in enumerate(y)]), y, tiny=True)
    case("hopeless label, 60 below", put(x, *[(row, label, -60.0) for row, label in enumerate(y)]), y)
    case("-inf on another class", put(x, (0, 4, -INF), (1, 8, -INF), (2, 0, -INF)), y)
    case("-inf on a leading block", put(draw("block", 2, 21), *[(0, j, -INF) for j in range(16)]), [20, 3])
    case("-inf on every other class", put(x, *[(0, j, -INF) for j in range(9) if j != 2]), y)
    case("-inf on the label", put(x, (1, 0, -INF)), y)
    case("-inf under a softcap is -softcap", put(x, (0, 4, -INF), (1, 8, -INF)), y, softcap=5.0)
    case("NaN in one active row", put(x, (1, 4, NAN)), y)
    case("ignored rows hold NaN and infinities", put(x, (0, 3, NAN), (2, 0, INF), (2, 5, -INF)), [IGNORE_INDEX, 1, IGNORE_INDEX])


def add_layouts():
    """Padding lanes of 1e9, and half types."""
    y = draw_labels("layouts", 4, 7, [1])
    padded = np.pad(draw("layouts", 4, 7), ((0, 0), (0, 3)), constant_values=1e9)
    case("rowStride > vocabSize", padded, y, vocabSize=7, rowStride=10)
    case("rowStride > vocabSize, smoothing, z-loss, shift", padded, y, vocabSize=7, rowStride=10, labelSmoothing=0.1, zLoss=1e-2, shift=True)
    for dtype, kind in (("bf16", torch.bfloat16), ("f16", torch.float16)):
        case(f"dtype {dtype}", torch.from_numpy(draw("half", 4, 19)).to(kind).float().numpy(), draw_labels("half", 4, 19, [2]), dtype=dtype)
        # The smallest normal value and a subnormal one (2⁻²⁰ and 2⁻¹³² are half values), then large ones close together.
        small = torch.finfo(kind).smallest_normal
        edges = torch.tensor([[small, -small, small / 64, -small / 64, 0.0, 1.5], [300.0, -1000.0, 2.0, small, 298.0, 0.5]])
        case(f"dtype {dtype}, subnormal and large values", edges.to(kind).float().numpy(), [2, 4], dtype=dtype)


def main():
    for add in (add_shapes, add_torch_options, add_transforms, add_reductions, add_ranges, add_layouts):
        add()
    about = (
        "What PyTorch says about small inputs, in float64. The strings NaN, Infinity, -Infinity stand for numbers anywhere. "
        "gradLogits is dense [N, V], absent in forward-only cases. The reader converts logits to options.dtype (default f32)."
    )
    header = {"about": about, "torch": str(torch.__version__), "how": "python3 scripts/make_vectors.py"}
    text = "".join(json.dumps(line, allow_nan=False, separators=(",", ":")) + "\n" for line in [header, *cases])
    assert len(text) < MAX_BYTES, len(text)
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    with open(PATH, "w", encoding="ascii", newline="\n") as file:
        file.write(text)
    print(f"{PATH}: {len(cases)} cases, {len(text)} bytes")


if __name__ == "__main__":
    main()
