"""Recurrence: a state that is carried along a sequence. A whole call, all layers, is one op.

Shapes: T steps, N sequences, I features in, H hidden, P = H, or the size of an LSTM's projection,
D = 1 or 2 directions, L layers. A call takes x (T, N, I), or (N, T, I) with `batch_first`, or, with
`batch_sizes`, the packed rows of all steps, where step t has the first `batch_sizes[t]` sequences;
h_0 (L D, N, P), where layer l in direction d is at l D + d; and the weights in PyTorch's order:
W_ih, W_hh, b_ih, b_hh (both or none), W_hr (where P < H), for each layer and direction. `dropped`
(L - 1, T, N, D P), drawn by the caller, multiplies what layers hand to the next.

The op's node keeps its inner states by name, for its rule and for those who look. They are in the
order of time in both directions; `hidden` (L D, T + 1, N, P) has the first state beside the others:
before them in the forward direction, after them in the reverse one. `ops.unrolled` computes the
same step by step, in nodes for every step; a recorded backward pass goes through it.
"""

from __future__ import annotations

from typing import Any

from labtorch.backend.arrays import namespace, on_cpu
from labtorch.backend.fused import fused
from labtorch.backend.threads import hold_blas
from labtorch.engine.op import op
from labtorch.ops.unrolled import gradients_of_unrolled, gru_step, lstm_step, rnn_step

SIGMOIDS = {"lstm": (1, 1, 0, 1), "gru": (1, 1, 0), "rnn": (0,)}  # which gates are; others are tanh


class _Weights:
    """Of one layer in one direction; absent ones are None."""

    def __init__(self, w_ih: Any, w_hh: Any, *rest: Any) -> None:
        self.w_ih, self.w_hh = w_ih, w_hh
        self.b_ih, self.b_hh = rest[:2] if len(rest) > 1 else (None, None)
        self.w_hr = rest[-1] if len(rest) % 2 else None


class _Call:
    """What forward and backward share: which layer sees what, in which direction of time."""

    def __init__(
        self, input: Any, hx: Any, batch_sizes: Any, dropped: Any, layers: int, bidirectional: bool,
        batch_first: bool, weights: tuple,
    ) -> None:  # fmt: skip
        self.lib = namespace(input)
        self.layers, self.directions = layers, 2 if bidirectional else 1
        self.count = layers * self.directions
        self.per = len(weights) // self.count
        self.weights = [
            _Weights(*weights[at : at + self.per]) for at in range(0, len(weights), self.per)
        ]
        self.batch_first, self.dropped, self.sizes = batch_first, dropped, batch_sizes
        self.batch = hx.shape[1]
        if batch_sizes is not None:
            self.active = self.lib.arange(self.batch) < self.lib.asarray(batch_sizes)[:, None]
            self.lengths = self.active.sum(axis=0)
        self.x = self.padded(input)
        self.steps = len(self.x)

    def padded(self, x: Any) -> Any:
        """As (T, N, features); what no sequence fills is 0."""
        if self.sizes is None:
            return x.swapaxes(0, 1) if self.batch_first else x
        full = self.lib.zeros((*self.active.shape, x.shape[-1]), x.dtype)
        full[self.active] = x
        return full

    def unpadded(self, x: Any) -> Any:
        """The inverse of `padded`."""
        if self.sizes is None:
            return x.swapaxes(0, 1) if self.batch_first else x
        return x[self.active]

    def states(self, width: int, first: Any) -> Any:
        """An array (L D, T + 1, N, width) for a state, with the first ones in their places."""
        make = self.lib.empty if self.sizes is None else self.lib.zeros
        made = make((self.count, self.steps + 1, self.batch, width), first.dtype)
        for k in range(self.count):
            rows, sequences = self.first(k)
            self.along(k, made[k])[rows, sequences] = first[k]
        return made

    def along(self, k: int, x: Any) -> Any:
        """In the order in which layer and direction `k` goes through time."""
        return x[::-1] if k % self.directions else x

    def sizes_along(self, k: int) -> list[int]:
        return [self.batch] * self.steps if self.sizes is None else list(self.along(k, self.sizes))

    def first(self, k: int) -> tuple[Any, Any]:
        """Where, along `k`, the states stand that each sequence begins with."""
        if self.sizes is None or not k % self.directions:
            return 0, slice(None)
        return self.steps - self.lengths, self.lib.arange(self.batch)

    def last(self, states: Any) -> Any:
        """The state (L D, N, width) that each sequence ends with."""
        found = []
        for k in range(self.count):
            own = self.along(k, states[k])
            if self.sizes is None or k % self.directions:
                found.append(own[-1])
            else:
                found.append(own[self.lengths, self.lib.arange(self.batch)])
        return self.lib.stack(found)

    def output(self, layer: int, hidden: Any) -> Any:
        """What a layer gives: its states after each step, of both directions side by side."""
        if self.directions == 1:
            return hidden[layer, 1:]
        return self.lib.concatenate([hidden[2 * layer, 1:], hidden[2 * layer + 1, :-1]], axis=-1)

    def input(self, layer: int, hidden: Any) -> Any:
        if layer == 0:
            return self.x
        x = self.output(layer - 1, hidden)
        return x if self.dropped is None else x * self.dropped[layer - 1]

    def results(self, hidden: Any) -> tuple[Any, Any]:
        output = self.output(self.layers - 1, hidden)
        if self.sizes is None and self.directions == 1:
            output = output.copy()  # a user may write into it
        return self.unpadded(output), self.last(hidden)


def _projected(lib: Any, x: Any, weight: Any, bias: Any, out: Any) -> None:
    """x W^T + b of a whole sequence, as one product of matrices."""
    flat = lib.ascontiguousarray(x).reshape((-1, x.shape[-1])).dot(weight.T)
    if bias is not None:
        flat += bias
    out[...] = flat.reshape(out.shape)


def _scales(lib: Any, kind: str, hidden: int, dtype: Any) -> Any:
    """1/2 for a gate that is a sigmoid, 1 for one that is a tanh.

    One tanh serves all gates: sigmoid(a) = 1/2 tanh(a / 2) + 1/2. With s from here, a gate is
    s tanh(s a) + (1 - s).
    """
    scales = lib.ones((len(SIGMOIDS[kind]), hidden), dtype)
    for gate, sigmoid in zip(scales, SIGMOIDS[kind]):
        gate[...] = 1 - sigmoid / 2
    return scales.ravel()


def _affine_gradients(d: Any, x: Any, previous: Any, w: _Weights, d_hidden: Any = None) -> list:
    """Of W_ih, W_hh, b_ih, b_hh, from the gradient d (T, N, gates) of x W_ih^T + h W_hh^T + b."""
    flat = d.reshape((-1, d.shape[-1]))
    hidden = flat if d_hidden is None else d_hidden.reshape((-1, d.shape[-1]))
    found = [
        flat.T.dot(x.reshape((-1, x.shape[-1]))),
        hidden.T.dot(previous.reshape((-1, previous.shape[-1]))),
    ]
    if w.b_ih is not None:
        bias = flat.sum(axis=0)
        found += [bias, bias.copy() if d_hidden is None else hidden.sum(axis=0)]
    return found


def _back(call: _Call, g: list, hidden: Any, kernel: Any, needs: tuple, depth: int = 1) -> list:
    """Through the layers from the last to the first; `kernel(k, x, g, *carried)` is the rule of one
    layer, or of a stack of `depth` layers, in one direction.

    It returns the gradient of its (first) layer's gates, by the part that x has in them, and those
    of its weights, and leaves in `carried` the gradient of the first states, where it found that of
    the last.
    """
    lib, width = call.lib, hidden.shape[-1]
    carried = [each.copy() for each in g[1:]]
    above: Any = call.padded(g[0])
    weights: list[Any] = []
    for layer in reversed(range(0, call.layers, depth)):
        x, below, found = call.input(layer, hidden), None, []
        for direction in range(call.directions):
            k = layer * call.directions + direction
            part = above[..., direction * width : (direction + 1) * width]
            own = [each[k : k + depth] for each in carried]
            d, of_weights = kernel(k, call.along(k, x), call.along(k, part), *own)
            found += of_weights
            if layer or needs[0]:
                product = lib.matmul(call.along(k, d), call.weights[k].w_ih)
                below = product if below is None else below + product
        weights = found + weights
        above = below if layer == 0 or call.dropped is None else below * call.dropped[layer - 1]
    of_input = call.unpadded(above) if needs[0] else None
    return [of_input, *carried, *[None] * 5, *weights]


# ------------------------------------------------------------------------------------------- LSTM
class _Stack:
    """The arrays of an LSTM's call, laid out for speed; watchers see them by layer and step.

    Features stand before sequences, so that each gate of a step is one run of memory. A step's
    operand is one block of rows [x, 1, h], and its product with [W, b, U] all there is to add up.

    Layers that only hand on their states are computed together, as a stack that is `depth` deep: at
    tick s layer l is at its step t = s - l, and all that it needs is from tick s - 1. The rows of a
    tick, [x, 1, h of layer 0, 1, h of layer 1, ...], hold every layer's operand in one piece.
    """

    def __init__(self, call: _Call, state: int, size: int, dtype: Any) -> None:
        alone = call.directions > 1 or call.per % 2 or call.sizes is not None
        self.depth = depth = 1 if alone or call.dropped is not None else call.layers
        self.size, self.ticks = size, call.steps + depth - 1
        self.features = max(call.weights[k].w_ih.shape[1] for k in range(0, call.count, depth))
        make = call.lib.empty if call.sizes is None else call.lib.zeros
        stacks, batch = call.count // depth, call.batch
        rows = self.features + depth * (1 + state)
        self.operands = make((stacks, self.ticks + 1, rows, batch), dtype)
        self.gates = make((stacks, self.ticks, depth, 4, size, batch), dtype)
        self.cells = make((stacks, self.ticks + 1, depth, size, batch), dtype)
        own = self.operands[:, :, self.features :].reshape(
            (*self.cells.shape[:3], 1 + state, batch)
        )
        own[:, :, :, 0] = 1
        self.hidden = own[:, :, :, 1:]

    def shown(self, call: _Call) -> tuple:
        """Views of gates (L D, T, N, 4 H), cells and hidden (L D, T + 1, N, ...)."""
        flat = self.gates.reshape((*self.gates.shape[:3], 4 * self.size, call.batch))
        steps = (call.steps, call.steps + 1, call.steps + 1)
        arrays = (flat, self.cells, self.hidden)
        return tuple(_by_layer(call.lib, each, n) for each, n in zip(arrays, steps))

    def rows(self, layer: int, w: _Weights) -> slice:
        """Of a tick, the operand of a layer of the stack: [input, 1, h]."""
        state = self.hidden.shape[3]
        stop = self.features + (layer + 1) * (1 + state)
        return slice(stop - state - 1 - w.w_ih.shape[1], stop)

    def active(self, call: _Call, tick: int) -> tuple[int, int]:
        """The layers lo, ..., hi - 1 have a step to do at this tick."""
        return max(0, tick - call.steps + 1), min(self.depth, tick + 1)


def _by_layer(lib: Any, x: Any, steps: int) -> Any:
    """(stacks, ticks, depth, features, N) as (L D, steps, N, features), without a copy."""
    stacks, _, depth, features, batch = x.shape
    by_stack, by_tick, by_depth, by_feature, by_batch = x.strides
    return lib.lib.stride_tricks.as_strided(
        x,
        (stacks * depth, steps, batch, features),
        (by_stack if depth == 1 else by_tick + by_depth, by_tick, by_batch, by_feature),
    )


@op(
    r"\begin{aligned} i, f, o &= \sigma(W x_t + U h_{t-1} + b), \;"
    r" g = \tanh(W_g x_t + U_g h_{t-1} + b_g) \\"
    r" c_t &= f \odot c_{t-1} + i \odot g, \; h_t = o \odot \tanh c_t \end{aligned}",
    many=True,
    keeps=("gates", "cells", "hidden", "stack"),
)
def lstm(input, hx, cx, batch_sizes, dropped, layers, bidirectional, batch_first, *weights):
    """Long short-term memory: (output, h_n, c_n). Source: Hochreiter, Schmidhuber (1997).

    Kept: `gates` (L D, T, N, 4 H), in the order i, f, g, o; `cells` (L D, T + 1, N, H), `hidden`.
    """
    call = _Call(input, hx, batch_sizes, dropped, layers, bidirectional, batch_first, weights)
    stack = _Stack(call, hx.shape[-1], cx.shape[-1], input.dtype)
    gates, cells, hidden = stack.shown(call)
    for k in range(call.count):
        rows, sequences = call.first(k)
        call.along(k, hidden[k])[rows, sequences] = hx[k]
        call.along(k, cells[k])[rows, sequences] = cx[k]
    hold_blas()  # small products
    for k in range(0, call.count, stack.depth):
        x = call.along(k, call.input(k // call.directions, hidden))
        _lstm_forward(call, stack, k, x)
    return *call.results(hidden), call.last(cells), gates, cells, hidden, stack


def _lstm_forward(call: _Call, stack: _Stack, k: int, x: Any) -> None:
    """A stack of layers in one direction, from layer and direction `k`, in its order of time."""
    lib, size, depth, at = call.lib, stack.size, stack.depth, k // stack.depth
    weights = call.weights[k : k + depth]
    operands, gates, cells, hidden = (
        call.along(k, each[at]) for each in (stack.operands, stack.gates, stack.cells, stack.hidden)
    )
    sizes, features = call.sizes_along(k), x.shape[-1]
    operands[: call.steps, stack.features - features : stack.features] = x.swapaxes(1, 2)
    scale = _scales(lib, "lstm", size, x.dtype)[:, None]
    joined = []
    for w in weights:
        bias = lib.zeros_like(scale) if w.b_ih is None else (w.b_ih + w.b_hh)[:, None]
        joined.append(lib.concatenate([w.w_ih, bias, w.w_hh], axis=1) * scale)
    # broadcast in advance: a product of equal shapes takes half the time
    full = lib.repeat(scale, call.batch, axis=1).reshape(gates.shape[2:])
    shift = 1 - full
    taken = [stack.rows(layer, w) for layer, w in enumerate(weights)]
    sums = gates.reshape((*gates.shape[:2], 4 * size, call.batch))
    scratch, w_hr, here = lib.empty_like(cells[0]), weights[0].w_hr, on_cpu(x)
    for tick in range(stack.ticks):
        lo, hi = stack.active(call, tick)
        n = sizes[tick] if depth == 1 else call.batch
        for layer in range(lo, hi):
            operand = operands[tick, taken[layer], :n]
            lib.matmul(joined[layer], operand, out=sums[tick, layer, :, :n])
        a, c, s = gates[tick, lo:hi, ..., :n], cells[tick + 1, lo:hi, :, :n], scratch[lo:hi, :, :n]
        before, h = cells[tick, lo:hi, :, :n], hidden[tick + 1, lo:hi, :, :n]
        y = h if w_hr is None else s
        if here:
            lib.tanh(a, out=a)
            a *= full[..., :n]
            a += shift[..., :n]
            lib.multiply(a[:, 1], before, out=c)
            c += lib.multiply(a[:, 0], a[:, 2], out=s)
            lib.multiply(a[:, 3], lib.tanh(c, out=s), out=y)
        else:
            _lstm_state(a[:, 0], a[:, 1], a[:, 2], a[:, 3], before, c, y)
        if w_hr is not None:
            lib.matmul(w_hr, s[0], out=h[0])


@fused
def _lstm_state(i, f, g, o, before, c, h):
    """A GPU's form of a tick, in one kernel: from sums to gates, the next cells and states."""
    lib = namespace(i)
    _half_logistic(i), _half_logistic(f), _half_logistic(o)
    lib.tanh(g, out=g)
    lib.add(f * before, i * g, out=c)
    lib.multiply(o, lib.tanh(c), out=h)


def _half_logistic(a: Any) -> None:
    """In place: the logistic function of 2 a."""
    namespace(a).tanh(a, out=a)
    a *= 0.5
    a += 0.5


@lstm.vjps(
    "input",
    "hx",
    "cx",
    "weights",
    formula=r"\begin{aligned} \bar c_t &\mathrel{+}= \bar h_t \odot o \odot (1 - \tanh^2 c_t), \;"
    r" \bar c_{t-1} = \bar c_t \odot f \\ \bar a_t &= \bigl(\bar c_t g\, i(1-i),"
    r" \bar c_t c_{t-1} f(1-f), \bar c_t i (1-g^2), \bar h_t \tanh(c_t)\, o(1-o)\bigr) \\"
    r" \bar h_{t-1} &\mathrel{+}= \bar a_t U, \; \bar x_t = \bar a_t W, \;"
    r" \bar W = \textstyle\sum_t \bar a_t^{\top} x_t, \;"
    r" \bar U = \textstyle\sum_t \bar a_t^{\top} h_{t-1} \end{aligned}",
)
def _(
    g, input, hx, cx, batch_sizes, dropped, layers, bidirectional, batch_first, weights, needs,
    gates, cells, hidden, stack,
):  # fmt: skip
    settings = (batch_sizes, dropped, layers, bidirectional, batch_first)
    if gates is None:
        return gradients_of_unrolled(lstm_step, g, input, (hx, cx), settings, weights, needs)
    call = _Call(input, hx, *settings, weights)

    def kernel(k: int, x: Any, above: Any, dh: Any, dc: Any) -> tuple[Any, list]:
        return _lstm_back(call, stack, k, above, dh, dc)

    return _back(call, g, hidden, kernel, needs, stack.depth)


def _lstm_back(
    call: _Call, stack: _Stack, k: int, above: Any, carried_h: Any, carried_c: Any
) -> tuple[Any, list]:
    """The rule of `_lstm_forward`: local derivatives of the whole sequence at once, then what
    depends on the next step, then the weights' gradients of the whole sequence at once."""
    lib, size, depth, at = call.lib, stack.size, stack.depth, k // stack.depth
    operands, gates, cells = (
        call.along(k, each[at]) for each in (stack.operands, stack.gates, stack.cells)
    )
    i, f, g, o = (gates[:, :, gate] for gate in range(4))
    bounded = lib.tanh(cells[1:])
    d = gates * gates
    lib.subtract(gates, d, out=d)
    d[:, :, 0] *= g
    d[:, :, 1] *= cells[:-1]
    d[:, :, 2] = i - i * (g * g)
    d[:, :, 3] *= bounded
    if call.sizes is not None:
        d *= call.along(k, call.active)[:, None, None, None]
    through = bounded * bounded
    through *= o
    lib.subtract(o, through, out=through)  # dh / dc
    above, dh, dc = (
        lib.ascontiguousarray(each.swapaxes(1, 2)) for each in (above, carried_h, carried_c)
    )
    hold_blas()  # small products
    projected = _lstm_through_time(call, stack, k, d, f, through, above, dh, dc)
    carried_h[...], carried_c[...] = dh.swapaxes(1, 2), dc.swapaxes(1, 2)

    sums = d.reshape((*d.shape[:2], 4 * size, call.batch))
    found = []
    for layer, w in enumerate(call.weights[k : k + depth]):
        own = slice(layer, layer + call.steps)
        rows, features = stack.rows(layer, w), w.w_ih.shape[1]
        product = _rows(sums[own, layer]).dot(_rows(operands[own, rows]).T)
        bias = product[:, features]
        biases = [] if w.b_ih is None else [bias, bias.copy()]
        found += [product[:, :features], product[:, features + 1 :], *biases]
        if w.w_hr is not None:
            found.append(_rows(projected).dot(_rows(o[:, 0] * bounded[:, 0]).T))
    return sums[: call.steps, 0].swapaxes(1, 2), found


def _rows(x: Any) -> Any:
    """(T, features, N) as (features, T N)."""
    return x.swapaxes(0, 1).reshape((x.shape[1], -1))


def _lstm_through_time(
    call: _Call, stack: _Stack, k: int, d: Any, f: Any, through: Any, above: Any, dh: Any, dc: Any
) -> Any:
    """From the last tick to the first: make local derivatives `d` those of the loss, and `dh`, `dc`
    the gradients of the first states. Returns the gradients of what was projected."""
    lib, depth, sizes = call.lib, stack.depth, call.sizes_along(k)
    weights, w_hr = call.weights[k : k + depth], call.weights[k].w_hr
    projected: Any = None if w_hr is None else lib.zeros_like(above)
    sums = d.reshape((*d.shape[:2], 4 * stack.size, call.batch))
    scratch, below, here = lib.empty_like(dc), lib.empty_like(dh[0]), on_cpu(d)
    for tick in reversed(range(stack.ticks)):
        lo, hi = stack.active(call, tick)
        n = sizes[tick] if depth == 1 else call.batch
        h, c, a = dh[lo:hi, :, :n], dc[lo:hi, :, :n], d[tick, lo:hi, ..., :n]
        if hi == depth:
            h[-1] += above[tick - depth + 1, :, :n]
        m = h
        if w_hr is not None:
            projected[tick, :, :n] = h[0]
            m = lib.matmul(w_hr.T, h)
        slope, forgets = through[tick, lo:hi, :, :n], f[tick, lo:hi, :, :n]
        if here:
            c += lib.multiply(m, slope, out=scratch[lo:hi, :, :n])
            a[:, :3] *= c[:, None]
            a[:, 3] *= m
            c *= forgets
        else:
            _lstm_state_back(m, slope, forgets, c, a[:, 0], a[:, 1], a[:, 2], a[:, 3])
        for layer in range(lo, hi):
            w, product = weights[layer], sums[tick, layer, :, :n]
            lib.matmul(w.w_hh.T, product, out=dh[layer, :, :n])
            if layer:  # to the state of the layer below at the same step, which is a tick earlier
                dh[layer - 1] += lib.matmul(w.w_ih.T, product, out=below)
    return projected


@fused
def _lstm_state_back(dh, slope, forgets, dc, i, f, g, o):
    """The rule of `_lstm_state`, on local derivatives."""
    dc += dh * slope
    i *= dc
    f *= dc
    g *= dc
    o *= dh
    dc *= forgets


# -------------------------------------------------------------------------------------------- GRU
@op(
    r"\begin{aligned} r, z &= \sigma(W x_t + b + U h_{t-1} + b'), \;"
    r" n = \tanh(W_n x_t + b_n + r \odot (U_n h_{t-1} + b'_n)) \\"
    r" h_t &= (1 - z) \odot n + z \odot h_{t-1} \end{aligned}",
    many=True,
    keeps=("gates", "candidates", "hidden"),
)
def gru(input, hx, batch_sizes, dropped, layers, bidirectional, batch_first, *weights):
    """Gated recurrent unit: (output, h_n). Source: Cho et al. (2014), as in cuDNN.

    Kept: `gates` (L D, T, N, 3 H), in the order r, z, n; `candidates` (L D, T, N, H), which is
    U_n h + b'_n; `hidden`.
    """
    call = _Call(input, hx, batch_sizes, dropped, layers, bidirectional, batch_first, weights)
    lib, size = call.lib, hx.shape[-1]
    hidden = call.states(size, hx)
    gates = lib.empty((call.count, call.steps, call.batch, 3 * size), input.dtype)
    candidates = lib.zeros((call.count, call.steps, call.batch, size), input.dtype)
    scale = _scales(lib, "gru", size, input.dtype)
    update, term, here = lib.empty_like(gates[0, 0]), lib.empty_like(hidden[0, 0]), on_cpu(input)
    for k, w in enumerate(call.weights):
        x = call.input(k // call.directions, hidden)
        bias = None if w.b_ih is None else w.b_ih * scale
        _projected(lib, x, w.w_ih * scale[:, None], bias, gates[k])
        recurrent = lib.ascontiguousarray((w.w_hh * scale[:, None]).T)
        shift = 0 if w.b_hh is None else w.b_hh * scale
        a_k, q_k, h_k = (call.along(k, each[k]) for each in (gates, candidates, hidden))
        hold_blas()  # small products
        for t, n in enumerate(call.sizes_along(k)):
            a, h, u, s = a_k[t, :n], h_k[t + 1, :n], update[:n], term[:n]
            lib.matmul(h_k[t, :n], recurrent, out=u)
            u += shift
            rz, r, z, new = (
                a[:, : 2 * size],
                a[:, :size],
                a[:, size : 2 * size],
                a[:, 2 * size :],
            )
            if not here:
                parts = [u[:, at : at + size] for at in range(0, 3 * size, size)]
                _gru_state(r, z, new, *parts, h_k[t, :n], q_k[t, :n], h)
                continue
            rz += u[:, : 2 * size]
            lib.tanh(rz, out=rz)
            rz *= 0.5
            rz += 0.5
            q_k[t, :n] = u[:, 2 * size :]
            new += lib.multiply(r, u[:, 2 * size :], out=s)
            lib.tanh(new, out=new)
            lib.subtract(h_k[t, :n], new, out=s)
            s *= z
            lib.add(new, s, out=h)
    return *call.results(hidden), gates, candidates, hidden


@fused
def _gru_state(r, z, new, u_r, u_z, u_n, before, candidate, h):
    """A GPU's form of a step, in one kernel: from sums to gates and the next states."""
    lib = namespace(r)
    r += u_r
    z += u_z
    _half_logistic(r), _half_logistic(z)
    lib.copyto(candidate, u_n)
    new += r * u_n
    lib.tanh(new, out=new)
    lib.add(new, (before - new) * z, out=h)


@gru.vjps(
    "input",
    "hx",
    "weights",
    formula=r"\begin{aligned} \bar a_n &= \bar h_t (1 - z)(1 - n^2), \;"
    r" \bar a_z = \bar h_t (h_{t-1} - n)\, z (1 - z), \;"
    r" \bar a_r = \bar a_n (U_n h_{t-1} + b'_n)\, r (1 - r) \\"
    r" \bar h_{t-1} &\mathrel{+}= \bar h_t z + (\bar a_r, \bar a_z, r\, \bar a_n)\, U, \;"
    r" \bar x_t = \bar a_t W, \; \bar W = \textstyle\sum_t \bar a_t^{\top} x_t \end{aligned}",
)
def _(
    g, input, hx, batch_sizes, dropped, layers, bidirectional, batch_first, weights, needs,
    gates, candidates, hidden,
):  # fmt: skip
    settings = (batch_sizes, dropped, layers, bidirectional, batch_first)
    if gates is None:
        return gradients_of_unrolled(gru_step, g, input, (hx,), settings, weights, needs)
    call = _Call(input, hx, *settings, weights)

    def kernel(k: int, x: Any, above: Any, dh: Any) -> tuple[Any, list]:
        return _gru_back(call, k, x, above, dh[0], *(
            call.along(k, each[k]) for each in (gates, candidates, hidden)
        ))  # fmt: skip

    return _back(call, g, hidden, kernel, needs)


def _gru_back(
    call: _Call, k: int, x: Any, above: Any, dh: Any, gates: Any, candidates: Any, hidden: Any
) -> tuple[Any, list]:
    """One layer in one direction, in its order of time."""
    lib, w, size = call.lib, call.weights[k], hidden.shape[-1]
    r, z, new = (gates[..., at : at + size] for at in range(0, 3 * size, size))
    d = gates - gates * gates  # of the gates, by the part that the state has in them
    by_gate = d.reshape((*d.shape[:2], 3, size))
    local = (1 - z) * (1 - new * new)  # of n, by the part that the input has in it
    by_gate[:, :, 0] *= local * candidates
    by_gate[:, :, 1] *= hidden[:-1] - new
    by_gate[:, :, 2] = local * r
    if call.sizes is not None:
        d *= call.along(k, call.active)[:, :, None]
        local *= call.along(k, call.active)[:, :, None]
    hold_blas()  # small products
    here = on_cpu(d)
    for t, n in reversed(list(enumerate(call.sizes_along(k)))):
        h = dh[:n]
        if here:
            h += above[t, :n]
            by_gate[t, :n] *= h[:, None]
            local[t, :n] *= h
            h *= z[t, :n]
        else:
            gates_t = (by_gate[t, :n, gate] for gate in range(3))
            _gru_state_back(h, above[t, :n], *gates_t, local[t, :n], z[t, :n])
        h += d[t, :n].dot(w.w_hh)
    of_input = lib.concatenate([d[..., : 2 * size], local], axis=-1)
    return of_input, _affine_gradients(of_input, x, hidden[:-1], w, d)


@fused
def _gru_state_back(dh, above, r, z, new, local, update):
    """The rule of `_gru_state`, on local derivatives."""
    dh += above
    r *= dh
    z *= dh
    new *= dh
    local *= dh
    dh *= update


# -------------------------------------------------------------------------------------------- RNN
@op(
    r"h_t = \tanh(W x_t + b + U h_{t-1} + b') \text{, or } \max(0, \cdot)",
    many=True,
    keeps=("hidden",),
)
def rnn(input, hx, relu, batch_sizes, dropped, layers, bidirectional, batch_first, *weights):
    """The simple recurrent network: (output, h_n), with ReLU or tanh. Source: Elman (1990).

    Kept: `hidden`.
    """
    call = _Call(input, hx, batch_sizes, dropped, layers, bidirectional, batch_first, weights)
    lib, size = call.lib, hx.shape[-1]
    hidden = call.states(size, hx)
    sums = lib.empty((call.steps, call.batch, size), input.dtype)
    update = lib.empty_like(sums[0])
    for k, w in enumerate(call.weights):
        x = call.along(k, call.input(k // call.directions, hidden))
        _projected(lib, x, w.w_ih, None if w.b_ih is None else w.b_ih + w.b_hh, sums)
        recurrent, h_k = lib.ascontiguousarray(w.w_hh.T), call.along(k, hidden[k])
        hold_blas()  # small products
        for t, n in enumerate(call.sizes_along(k)):
            a = sums[t, :n]
            u = lib.matmul(h_k[t, :n], recurrent, out=update[:n])
            (_relu_state if relu else _tanh_state)(a, u, h_k[t + 1, :n])
    return *call.results(hidden), hidden


@fused
def _relu_state(a, u, h):
    a += u
    namespace(a).maximum(a, 0, out=h)


@fused
def _tanh_state(a, u, h):
    a += u
    namespace(a).tanh(a, out=h)


@rnn.vjps(
    "input",
    "hx",
    "weights",
    formula=r"\bar a_t = \bar h_t \odot (1 - h_t^2) \text{ or } \bar h_t \odot [h_t > 0], \;"
    r" \bar h_{t-1} \mathrel{+}= \bar a_t U, \; \bar x_t = \bar a_t W, \;"
    r" \bar W = \textstyle\sum_t \bar a_t^{\top} x_t",
)
def _(
    g, input, hx, relu, batch_sizes, dropped, layers, bidirectional, batch_first, weights, needs,
    hidden,
):  # fmt: skip
    settings = (batch_sizes, dropped, layers, bidirectional, batch_first)
    if hidden is None:
        step = rnn_step("relu" if relu else "tanh")
        found = gradients_of_unrolled(step, g, input, (hx,), settings, weights, needs)
        return [*found[:2], None, *found[2:]]
    call = _Call(input, hx, *settings, weights)

    def kernel(k: int, x: Any, above: Any, dh: Any) -> tuple[Any, list]:
        return _rnn_back(call, k, x, above, dh[0], call.along(k, hidden[k]), relu)

    found = _back(call, g, hidden, kernel, needs)
    return [*found[:2], None, *found[2:]]


def _rnn_back(
    call: _Call, k: int, x: Any, above: Any, dh: Any, hidden: Any, relu: bool
) -> tuple[Any, list]:
    """One layer in one direction, in its order of time."""
    w, after = call.weights[k], hidden[1:]
    d = (after > 0).astype(after.dtype) if relu else 1 - after * after
    if call.sizes is not None:
        d *= call.along(k, call.active)[:, :, None]
    hold_blas()  # small products
    for t, n in reversed(list(enumerate(call.sizes_along(k)))):
        h = dh[:n]
        _rnn_state_back(h, above[t, :n], d[t, :n])
        call.lib.matmul(d[t, :n], w.w_hh, out=h)
    return d, _affine_gradients(d, x, hidden[:-1], w)


@fused
def _rnn_state_back(dh, above, d):
    dh += above
    d *= dh
