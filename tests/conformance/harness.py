"""Run PyTorch's own samples of one operator in both engines, and say where they differ.

The operators and their samples are PyTorch's (`op_db`), rebuilt in labtorch from the same arrays.
`problems(name)` is a list of sentences, empty for an operator that behaves as PyTorch's does;
with a device, labtorch computes there, PyTorch on the CPU.
"""

from __future__ import annotations

import functools
import itertools
import operator
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import labtorch

HERE = Path(__file__).parent
SAMPLES = 6  # per operator, dtype and spelling of the operator, spread over those that PyTorch has
DTYPES = (torch.float32, torch.int64, torch.bool)
LAYOUT = {"memory_format", "layout", "pin_memory", "non_blocking"}  # NumPy has one
RANDOM = re.compile(
    r"dropout|rrelu|^rand|normal|bernoulli|multinomial|cauchy|exponential|geometric|uniform|empty"
)
IN_PLACE_ONLY = {"cauchy", "exponential", "geometric", "log_normal", "uniform"}
TIES = {"sort", "argsort", "topk", "kthvalue", "median", "mode"}  # which of equals is unspecified
# Where rounding in float32 is larger, PyTorch's own as well: so many times the tolerance
LOOSER = {"logcumsumexp": 100, "nn.functional.layer_norm": 20}
PHASE_FREE = {"svd", "linalg.svd", "linalg.eigh", "linalg.eig"}  # vectors up to a sign


class Unposable(Exception):
    """A sample that labtorch cannot be asked: sparse, quantised, bfloat16."""


def names(file: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in (HERE / file).read_text().splitlines())
    return [line for line in lines if line]


def known_gaps() -> dict[str, str]:
    lines = (HERE / "known_gaps.txt").read_text().splitlines()
    pairs = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {name: reason for name, _, reason in pairs}


class Translation:
    """PyTorch's values as labtorch's on a device; one tensor stays one tensor."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.seen: dict[int, tuple[torch.Tensor, labtorch.Tensor]] = {}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if id(value) not in self.seen:
                self.seen[id(value)] = (value, self._tensor(value))
            return self.seen[id(value)][1]
        if isinstance(value, torch.Size):
            return labtorch.Size(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self(each) for each in value)
        if isinstance(value, dict):
            return {
                key: self.device if key == "device" else self(each)
                for key, each in value.items()
                if key not in LAYOUT
            }
        if isinstance(value, torch.dtype):
            self._refuse(value)
            return getattr(labtorch, str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return labtorch.device(self.device)
        if value == "cpu":
            return self.device
        plain = (bool, int, float, complex, str, slice, np.generic, np.ndarray, type(None))
        if isinstance(value, plain) or value is ...:
            return value
        name = getattr(value, "__name__", "")
        if value is getattr(torch.nn.functional, name, None):
            return getattr(labtorch.nn.functional, name)
        if isinstance(value, torch.nn.Module):
            try:
                return getattr(labtorch.nn, type(value).__name__)()
            except TypeError:  # it needs sizes, which the object does not tell
                raise Unposable(type(value).__name__) from None
        raise Unposable(type(value).__name__)

    def _tensor(self, value: torch.Tensor) -> labtorch.Tensor:
        self._refuse(value.dtype)
        if value.layout is not torch.strided or value.device.type != "cpu":
            raise Unposable(str(value.layout))
        array = value.detach().resolve_conj().resolve_neg().numpy().copy()
        if 0 in value.stride() and value.numel() > 1:  # several elements in one place: here, too
            once = tuple(slice(None if stride else 1) for stride in value.stride())
            made = labtorch.from_numpy(array[once].copy()).to(self.device).expand(value.shape)
        else:
            made = labtorch.from_numpy(array).to(self.device)
        return made.requires_grad_(value.requires_grad)

    @staticmethod
    def _refuse(dtype: torch.dtype) -> None:
        if dtype in (torch.bfloat16, torch.complex32):
            raise Unposable(str(dtype))


def find(module: Any, path: str) -> Any:
    return functools.reduce(lambda at, part: getattr(at, part, None), path.split("."), module)


def spellings(info: Any) -> Iterator[tuple[str, Callable[[Any], Callable | None]]]:
    """How an operator is called: by its function, its method, in place, by Python's symbol."""

    def method(name: str, clone: bool = False) -> Callable[[Any], Callable | None]:
        def of(module: Any) -> Callable | None:
            if name not in dir(module.Tensor):
                return None

            def call(x: Any, *args: Any, **kwargs: Any) -> Any:
                attribute = getattr(x.clone() if clone else x, name)
                return attribute(*args, **kwargs) if callable(attribute) else attribute

            return call

        return of

    if info.name in IN_PLACE_ONLY or info.variant_test_name == "in_place":
        yield "in place", method(info.name + "_", clone=True)
        return
    if callable(find(torch, info.name)):
        yield "function", lambda module: adapted(info, find(module, info.name))
        if info.method_variant:
            yield "method", method(info.name)
    else:
        yield "method", method(info.name, clone=info.name.endswith("_"))
    if info.inplace_variant:
        yield "in place", method(info.name + "_", clone=True)
    if info.operator_variant and not isinstance(info.operator_variant, torch._ops.OpOverload):
        if getattr(operator, getattr(info.operator_variant, "__name__", ""), None):
            yield "symbol", lambda module: info.operator_variant


def adapted(info: Any, function: Callable | None) -> Callable | None:
    """The function, for samples whose arguments stand in another order than the function's."""
    if function is None:
        return None
    if info.name == "einsum":
        return lambda tensors, equation: function(equation, *tensors)
    if info.name == "nn.functional.multi_head_attention_forward":  # its sample drops out a half
        return lambda *args, **kwargs: function(*args[:10], 0.0, *args[11:], **kwargs)
    if info.name in ("where", "polygamma", "special.polygamma", "nn.functional.embedding") or (
        info.name == "nn.functional.embedding_bag" or info.variant_test_name == "number_mean"
    ):
        return lambda x, y, *args, **kwargs: function(y, x, *args, **kwargs)
    return function


def problems(
    name: str,
    device: str = "cpu",
    most: int = SAMPLES,
    dtypes: tuple[torch.dtype, ...] = DTYPES,
) -> list[str]:
    """What differs from PyTorch in the operator `name`; at most so many samples of each dtype."""
    found = []
    for info in (each for each in op_db if each.name == name):
        for dtype in dtypes:
            kinds = info.supported_dtypes("cpu")
            if dtype not in kinds or name in TIES and dtype != torch.float32:
                continue
            for i, sample in enumerate(samples(info, dtype, most)):
                for spelling, of in spellings(info):
                    if spelling != "function" and i > 1 and of is not next(spellings(info))[1]:
                        continue  # other spellings: the first two samples
                    said = trial(info, of, sample, device)
                    if said:
                        found.append(f"{spelling}, {str(dtype)[6:]}, sample {i}: {said}")
        found += errors(info, device)
    return found


def samples(info: Any, dtype: torch.dtype, most: int = SAMPLES) -> list[Any]:
    torch.manual_seed(0)
    np.random.seed(0)
    needs = dtype.is_floating_point and info.supports_autograd
    made = list(itertools.islice(info.sample_inputs("cpu", dtype, requires_grad=needs), 100))
    chosen = sorted({i * len(made) // most for i in range(most)})
    return [made[i] for i in chosen] if len(made) > most else made


def trial(
    info: Any, of: Callable[[Any], Callable | None], sample: Any, device: str = "cpu"
) -> str | None:
    """One sample in both engines: what is different, or None."""
    translate = Translation(device)
    if sample.kwargs.get("dropout_p"):
        return None  # each engine draws its own
    try:
        args = translate([sample.input, *sample.args])
        kwargs = translate(dict(sample.kwargs))
        torch.manual_seed(0)
        with warnings.catch_warnings(action="ignore"):
            expected = of(torch)(sample.input, *sample.args, **sample.kwargs)
    except Exception:
        return None  # PyTorch refuses it in this spelling
    ours = of(labtorch)
    if ours is None:
        return "is not there"
    try:
        with warnings.catch_warnings(action="ignore"):
            result = ours(*args, **kwargs)
        if translate.seen:
            wrong = {str(each.device) for each in flat(result)} - {device}
            assert not wrong, f"result is on {wrong.pop()}"
        _same(result, expected, info, "result")
        if not RANDOM.search(info.name) and info.name not in PHASE_FREE:
            _same_gradients(result, expected, translate, info)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return None


def flat(value: Any) -> list[Any]:
    if isinstance(value, (torch.Tensor, labtorch.Tensor)):
        return [value]
    inner = value if isinstance(value, (list, tuple)) else []
    return [tensor for each in inner for tensor in flat(each)]


def _same(result: Any, expected: Any, info: Any, where: str) -> None:
    if isinstance(expected, torch.Tensor):
        assert isinstance(result, labtorch.Tensor), f"{where} is a {type(result).__name__}"
        have, want = str(result.dtype), str(expected.dtype)
        assert have == want, f"{where} is {have}, PyTorch's {want}"
        shapes = tuple(result.shape), tuple(expected.shape)
        assert shapes[0] == shapes[1], f"{where} has shape {shapes[0]}, PyTorch's {shapes[1]}"
        if RANDOM.search(info.name):
            return
        mine = result.detach().cpu().numpy()
        theirs = expected.detach().resolve_conj().resolve_neg().numpy()
        if info.name in PHASE_FREE:
            mine, theirs = abs(mine), abs(theirs)
        exact = theirs.dtype.kind in "biu"
        times = LOOSER.get(info.name, 1)
        finite = np.abs(theirs[np.isfinite(theirs)])
        scale = 1 if exact or not finite.size else max(1.0, float(finite.max()))
        rtol, atol = (0, 0) if exact else (2e-5 * times, 2e-5 * times * scale)
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol, err_msg=where)
    elif isinstance(expected, (list, tuple)):
        lengths = len(result), len(expected)
        assert lengths[0] == lengths[1], f"{where} has {lengths[0]} parts, PyTorch's {lengths[1]}"
        for i, (one, other) in enumerate(zip(result, expected)):
            _same(one, other, info, f"{where}[{i}]")
    elif isinstance(expected, (bool, int, float, complex)):
        assert type(result) is type(expected), f"{where} is a {type(result).__name__}"
        assert np.isclose(result, expected, 1e-5, equal_nan=True), f"{result}, PyTorch {expected}"


def _same_gradients(result: Any, expected: Any, translate: Translation, info: Any) -> None:
    """Gradients of all inputs for the same random cotangents."""
    leaves = [pair for pair in translate.seen.values() if pair[0].requires_grad]
    roots = [pair for pair in zip(flat(result), flat(expected)) if pair[1].requires_grad]
    if not leaves or not roots:
        return
    cotangents = [torch.randn_like(root) for _, root in roots]
    try:
        wanted = torch.autograd.grad(
            [root for _, root in roots],
            [leaf for leaf, _ in leaves],
            cotangents,
            allow_unused=True,
        )
    except (RuntimeError, NotImplementedError):
        return  # PyTorch has no derivative here
    given = labtorch.autograd.grad(
        [root for root, _ in roots],
        [leaf for _, leaf in leaves],
        [labtorch.from_numpy(c.resolve_conj().numpy()).to(translate.device) for c in cotangents],
        allow_unused=True,
    )
    for i, (mine, want) in enumerate(zip(given, wanted)):
        if want is None or mine is None:
            rest = want if mine is None else mine
            assert rest is None or not rest.any(), f"gradient {i}: {mine}, PyTorch {want}"
        else:
            _same(mine, want, info, f"gradient {i}")


def errors(info: Any, device: str = "cpu") -> list[str]:
    """Calls that PyTorch refuses: labtorch refuses them with an exception of the same type."""
    found = []
    if info.error_inputs_func is None:
        return found
    for i, error in enumerate(info.error_inputs("cpu")):
        sample, of = error.sample_input, next(spellings(info))[1]
        translate = Translation(device)
        try:
            args = translate([sample.input, *sample.args])
            kwargs = translate(dict(sample.kwargs))
        except Exception:
            continue
        stores = [each.untyped_storage().data_ptr() for each, _ in translate.seen.values()]
        fixed = any(not each.untyped_storage().resizable() for each, _ in translate.seen.values())
        if fixed or len(set(stores)) < len(stores):
            continue  # arguments that share memory, or borrow it, do not come across
        theirs = _raised(of(torch), [sample.input, *sample.args], sample.kwargs)
        if theirs is None or of(labtorch) is None:
            continue
        ours = _raised(of(labtorch), args, kwargs)
        if ours is None:
            found.append(f"bad input {i} is accepted; PyTorch: {str(theirs)[:100]!r}")
        elif not isinstance(ours, type(theirs)):
            kinds = type(ours).__name__, type(theirs).__name__
            found.append(f"bad input {i} raises {kinds[0]}, PyTorch {kinds[1]}: {ours}"[:160])
    return found


def _raised(call: Callable, args: list, kwargs: dict) -> Exception | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            call(*args, **kwargs)
    except Exception as error:
        return error
    return None
