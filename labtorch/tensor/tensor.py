"""The Tensor class: construction, attributes, operators, autograd methods.

Methods that are ops under another spelling (`x.exp()`) are attached in `labtorch.tensor.methods`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import ref

import numpy as np

import labtorch.engine.variable as variable
from labtorch.backend import devices, dtypes, layouts
from labtorch.backend.arrays import is_array, namespace
from labtorch.engine import backward as engine_backward
from labtorch.engine import errors, events
from labtorch.engine.apply import apply
from labtorch.engine.inplace import apply_inplace, check_writable, former, write
from labtorch.engine.node import RemovableHandle, named
from labtorch.engine.thread import local
from labtorch.engine.variable import Variable
from labtorch.ops import arithmetic, compare, elementwise, indexing, linear, reduction, shape


class Size(tuple):
    """The shape of a tensor: a tuple of ints that prints as PyTorch's."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def numel(self) -> int:
        n = 1
        for each in self:
            n *= each
        return n

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(tuple.__add__(self, tuple(other)))


def _reversed(op: Any, *rest: Any) -> Any:
    """`other op self`, where `other` is no tensor."""

    def call(self: Tensor, other: Any) -> Tensor:
        if not isinstance(self, Tensor):
            raise TypeError(f"a reversed operator is a Tensor's, not a {type(self).__name__}'s")
        return apply(op, (other, self, *rest))

    return call


def constructed(args: tuple, dtype: dtypes.dtype) -> Any:
    """The array of `Tensor(2, 3)`, `Tensor([1, 2])`, `Tensor(array)` or `Tensor(tensor)`."""
    kind = dtypes.as_numpy(dtype)
    if not args or isinstance(args[0], (int, np.integer)):
        return np.empty(args or (0,), kind)
    data = args[0]
    if isinstance(data, Size):
        return np.empty(data, kind)
    if isinstance(data, Tensor):
        return data._array
    if is_array(data):
        return data.astype(kind, copy=False)
    if not hasattr(data, "__len__"):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    return np.array(_plain(data), kind)


def _plain(data: Any) -> Any:
    """Nested sequences with their tensors as plain numbers."""
    if isinstance(data, Tensor):
        return data.tolist()
    if isinstance(data, (list, tuple)):
        return [_plain(each) for each in data]
    return data


class Tensor(Variable):
    """A multi-dimensional array of one dtype on one device, which may take part in a graph.

    Make one with `labtorch.tensor(data)`; `Tensor(2, 3)` makes an uninitialised one of that shape.
    """

    if TYPE_CHECKING:  # the methods that labtorch.tensor.methods attaches

        def __getattr__(self, name: str) -> Any: ...

    __array_priority__ = 1000  # array * tensor is the tensor's business
    __hash__ = object.__hash__

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        self = object.__new__(cls)
        self._array = constructed(args, dtypes.get_default_dtype())
        return self

    # ---------------------------------------------------------------- attributes
    @property
    def shape(self) -> Size:
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.FROM_NUMPY[self._array.dtype]

    @property
    def device(self) -> devices.device:
        return devices.of_array(self._array)

    @property
    def ndim(self) -> int:
        return self._array.ndim

    def dim(self) -> int:
        return self._array.ndim

    def size(self, dim: int | None = None) -> Any:
        if dim is None:
            return Size(self._array.shape)
        return self._array.shape[reduction.wrap_dim(dim, self._array.ndim)]

    def numel(self) -> int:
        return self._array.size

    nelement = numel

    def stride(self, dim: int | None = None) -> Any:
        strides = tuple(s // self._array.itemsize for s in self._array.strides)
        return strides if dim is None else strides[dim]

    def element_size(self) -> int:
        return self._array.itemsize

    @property
    def itemsize(self) -> int:
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return bool(self._array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        return self._array.dtype.kind == "f"

    def is_complex(self) -> bool:
        return self._array.dtype.kind == "c"

    @property
    def is_cuda(self) -> bool:
        return not isinstance(self._array, np.ndarray)

    def get_device(self) -> int | None:
        return -1 if not self.is_cuda else self.device.index

    def data_ptr(self) -> int:
        return self._array.ctypes.data if not self.is_cuda else self._array.data.ptr

    def storage_offset(self) -> int:
        owner = self._array
        while getattr(owner, "base", None) is not None and is_array(owner.base):
            owner = owner.base
        start = owner.ctypes.data if isinstance(owner, np.ndarray) else owner.data.ptr
        return (self.data_ptr() - start) // self._array.itemsize

    is_sparse = False
    is_quantized = False
    layout = layouts.strided
    is_cpu = property(lambda self: not self.is_cuda)
    is_mps = is_xla = is_xpu = is_mkldnn = is_meta = is_nested = is_sparse_csr = False

    @property
    def T(self) -> Tensor:
        return shape.permute(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        if self.ndim < 2:
            raise RuntimeError(
                "tensor.mT is only supported on matrices or batches of matrices. "
                f"Got {self.ndim}-D tensor."
            )
        return shape.transpose(self, -2, -1)

    @property
    def mH(self) -> Tensor:
        return arithmetic.conj(self.mT)

    @property
    def H(self) -> Tensor:
        return shape.transpose(arithmetic.conj(self), 0, 1)

    @property
    def real(self) -> Tensor:
        return apply(arithmetic.real, (self,)) if self.is_complex() else self

    @property
    def imag(self) -> Tensor:
        return apply(arithmetic.imag, (self,))

    # ---------------------------------------------------------------- autograd
    @property
    def requires_grad(self) -> bool:
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self._node is not None:
            if not value:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use "
                    "a computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach()."
                )
            return
        if value and self._array.dtype.kind not in "fc":
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients; this one "
                f"has dtype {self.dtype}"
            )
        if value and self.is_inference() and not local.thread.inference:
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed. Make it a normal tensor with x.clone()"
            )
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        return self._grad  # type: ignore[return-value]  # the engine knows it as a Variable

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got grad of type "
                    f"{type(value).__name__}"
                )
            if value._array.shape != self._array.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: {list(value.shape)} for a tensor "
                    f"of shape {list(self.shape)}"
                )
            if value._array.dtype != self._array.dtype:
                raise RuntimeError(
                    f"assigned grad has data of a different type: {value.dtype} for {self.dtype}"
                )
        self._grad = value

    @property
    def grad_fn(self) -> Any:
        return None if self._node is None else named(self._node)

    @property
    def is_leaf(self) -> bool:
        return self._node is None

    @property
    def output_nr(self) -> int:
        return self._output

    @property
    def _version(self) -> int:
        if self.is_inference():
            raise RuntimeError("Inference tensors do not track version counter.")
        return 0 if self._counter is None else self._counter.count

    @property
    def retains_grad(self) -> bool:
        return self._retains

    @property
    def data(self) -> Tensor:
        return variable.wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        self._array = value._array

    def detach(self) -> Tensor:
        """The same memory outside the graph."""
        out = variable.wrap(self._array)
        out._counter = self.version()
        return out

    def detach_(self) -> Tensor:
        self._node, self._output, self._requires_grad = None, 0, False
        return self

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Accumulate d(self)/d(leaf) into the `.grad` of the leaves; see `labtorch.autograd`."""
        engine_backward.require_graph(self)
        keep = create_graph if retain_graph is None else retain_graph
        if gradient is None:
            seed = engine_backward.implicit_cotangent(self)
        else:
            seed = _cotangent(self, gradient)
        if create_graph:
            seed = gradient if isinstance(gradient, Tensor) else variable.wrap(seed)
        if isinstance(inputs, Tensor):
            inputs = [inputs]
        elif inputs is not None and len(inputs) == 0:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        engine_backward.backward(
            [self],
            [seed],
            retain_graph=keep,
            create_graph=create_graph,
            inputs=None if inputs is None else list(inputs),
        )

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook(gradient)` when the gradient of this tensor is complete; it may replace it."""
        if not self._requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._node is None:
            hooks = self.own_hooks("_hooks")
        else:
            hooks = self._node.own_hooks().tensors.setdefault(self._output, OrderedDict())
        return RemovableHandle.of(hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(self)` after a backward pass has added to `.grad`; leaves only."""
        if self._node is not None:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        return RemovableHandle.of(self.own_hooks("_post_accumulate"), hook)

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf in its `.grad`, too."""
        if not self._requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self._node is not None and not self._retains:
            self._retains = True
            self._node.own_hooks().retained[self._output] = ref(self)

    # ---------------------------------------------------------------- conversion
    def item(self) -> Any:
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return self._array.item()

    def tolist(self) -> Any:
        return self._array.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The array itself: it shares memory with the tensor."""
        if force:
            return self.detach().cpu()._array
        if self._requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        if self.is_cuda:
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        if self._requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """Convert to a dtype, a device, or those of another tensor; itself if nothing changes."""
        where, kind = kwargs.pop("device", None), kwargs.pop("dtype", None)
        copy = kwargs.pop("copy", False)
        non_blocking = kwargs.pop("non_blocking", False)
        kwargs.pop("memory_format", None)
        if kwargs:
            raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
        rest = list(args)
        if rest and isinstance(rest[0], Tensor):
            where, kind = rest[0].device, rest[0].dtype
        else:
            for each in rest:
                if isinstance(each, dtypes.dtype) or each in (float, int, bool):
                    kind = each
                elif isinstance(each, (str, devices.device)):
                    where = each
                elif isinstance(each, int) and not isinstance(each, bool) and each is rest[0]:
                    where = each
                elif isinstance(each, bool):  # to(device, dtype, non_blocking, copy)
                    non_blocking = each
        out = self
        if where is not None:
            target = devices.device(where)
            here = self.device
            elsewhere = target.index is not None and target.index != here.index
            if target.type != here.type or (elsewhere and target.type != "cpu"):
                out = apply(transfer, (out, target, bool(non_blocking)))
        if kind is not None:
            to = dtypes.as_numpy(kind)
            if to != out._array.dtype:
                return apply(shape.cast, (out, to))
        return out.clone() if copy and out is self else out

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Tensor:
        return self.to("cuda" if device is None else device, non_blocking=non_blocking)

    def type(self, dtype: Any = None) -> Any:
        if dtype is None:
            name = dtypes.LEGACY.get(self.dtype, self.dtype.name.replace("uint", "UInt"))
            return f"torch.{'cuda.' if self.is_cuda else ''}{name}Tensor"
        if isinstance(dtype, str):
            names = {f"torch.{name}Tensor": kind for kind, name in dtypes.LEGACY.items()}
            if dtype not in names:
                raise ValueError(f"invalid type: '{dtype}'")
            dtype = names[dtype]
        return self.to(getattr(dtype, "dtype", dtype))  # LongTensor and its kind know theirs

    def type_as(self, other: Tensor) -> Tensor:
        return self.to(other.dtype)

    def __deepcopy__(self, memo: dict) -> Tensor:
        if self._node is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment. Copy x.detach() instead."
            )
        out = object.__new__(type(self))
        memo[id(self)] = out
        out.__dict__.update(self._own_state())
        out._array = self._array.copy()
        if self._grad is not None:
            out._grad = variable.wrap(self._grad._array.copy())
        return out

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._node is not None:
            raise RuntimeError("only leaf tensors can be pickled; pickle x.detach() instead")
        return _rebuild, (
            type(self),
            {"_array": namespace(self._array).ascontiguousarray(self._array)} | self._own_state(),
        )

    def _own_state(self) -> dict:
        """Attributes that a copy shares: not memory, gradient, hooks or identity."""
        apart = {
            "_array",
            "_grad",
            "_counter",
            "_base",
            "_view",
            "_hooks",
            "_identity",
            "_post_accumulate",
        }
        return {k: v for k, v in self.__dict__.items() if k not in apart}

    def __bool__(self) -> bool:
        if self._array.size != 1:
            if self._array.size == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError(
                "Boolean value of Tensor with more than one value is ambiguous. "
                "Use x.any() or x.all()."
            )
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "biu" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._array.item())

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self._array)))

    def __contains__(self, element: Any) -> bool:
        return bool((self == element).any())  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        from labtorch.tensor.printing import text

        return text(self)

    def __format__(self, spec: str) -> str:
        if self._array.ndim == 0:
            return format(self.item(), spec)
        return object.__format__(self, "") if not spec else format(repr(self), spec)

    # ---------------------------------------------------------------- indexing
    def __getitem__(self, index: Any) -> Tensor:
        index = self._checked(index)
        if index.__class__ is tuple and (parts := indexing.ints_first(index)) is not None:
            return apply(indexing.getitem, (self[parts[0]], parts[1]))
        return apply(indexing.getitem, (self, index))

    def __setitem__(self, index: Any, value: Any) -> None:
        index = self._checked(index)
        if index.__class__ is tuple and (parts := indexing.ints_first(index)) is not None:
            self[parts[0]][parts[1]] = value
            return
        thread = local.thread
        needs = self._requires_grad or isinstance(value, Tensor) and value._requires_grad
        if needs and thread.grad_enabled:
            check_writable(self, "setitem")
            write(self, apply(indexing.setitem, (former(self), value, index)), "x[...] = y")
            return
        if thread.watchers and events.writes_are_followed(thread):
            write(self, apply(indexing.setitem, (former(self), value, index)), "x[...] = y")
            return
        self.version().written("x[...] = y", errors.user_line())
        try:
            self._array[index] = value._array if isinstance(value, Tensor) else value
        except ValueError as error:
            raise errors.located(RuntimeError(f"setitem: {error}")) from None
        if thread.watchers:
            events.mutated(thread, self)

    def _checked(self, index: Any) -> Any:
        index = indexing.plain_index(index)
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            if isinstance(part, slice) and part.step is not None and part.step < 0:
                raise ValueError("step must be greater than zero: flip the tensor with x.flip(dim)")
        if index.__class__ is tuple and len(index) > 2:
            return indexing.without_ellipsis(index, self._array.ndim)
        return index

    # ---------------------------------------------------------------- operators
    def __add__(self, other: Any) -> Tensor:
        return apply(arithmetic.add, (self, other, 1))

    __radd__ = _reversed(arithmetic.add, 1)

    def __sub__(self, other: Any) -> Tensor:
        return apply(arithmetic.sub, (self, other, 1))

    __rsub__ = _reversed(arithmetic.sub, 1)

    def __mul__(self, other: Any) -> Tensor:
        return apply(arithmetic.mul, (self, other))

    __rmul__ = _reversed(arithmetic.mul)

    def __truediv__(self, other: Any) -> Tensor:
        return apply(arithmetic.div, (self, other, None))

    __rtruediv__ = _reversed(arithmetic.div, None)

    __rdiv__ = __rtruediv__

    def __floordiv__(self, other: Any) -> Tensor:
        return apply(arithmetic.floor_divide, (self, other))

    __rfloordiv__ = _reversed(arithmetic.floor_divide)

    def __mod__(self, other: Any) -> Tensor:
        return apply(arithmetic.remainder, (self, other))

    __rmod__ = _reversed(arithmetic.remainder)

    def __pow__(self, other: Any) -> Tensor:
        return apply(arithmetic.pow, (self, other))

    __rpow__ = _reversed(arithmetic.pow)

    def __matmul__(self, other: Any) -> Tensor:
        return apply(linear.matmul, (self, other))

    __rmatmul__ = _reversed(linear.matmul)

    def __neg__(self) -> Tensor:
        return apply(arithmetic.neg, (self,))

    def __pos__(self) -> Tensor:
        return self

    def __abs__(self) -> Tensor:
        return apply(arithmetic.abs, (self,))

    def __invert__(self) -> Tensor:
        return apply(compare.bitwise_not, (self,))

    def __and__(self, other: Any) -> Tensor:
        return apply(compare.bitwise_and, (self, other))

    __rand__ = _reversed(compare.bitwise_and)

    def __or__(self, other: Any) -> Tensor:
        return apply(compare.bitwise_or, (self, other))

    __ror__ = _reversed(compare.bitwise_or)

    def __xor__(self, other: Any) -> Tensor:
        return apply(compare.bitwise_xor, (self, other))

    __rxor__ = _reversed(compare.bitwise_xor)

    def __lshift__(self, other: Any) -> Tensor:
        return apply(elementwise.bitwise_left_shift, (self, other))

    __rlshift__ = _reversed(elementwise.bitwise_left_shift)

    def __rshift__(self, other: Any) -> Tensor:
        return apply(elementwise.bitwise_right_shift, (self, other))

    __rrshift__ = _reversed(elementwise.bitwise_right_shift)

    def __eq__(self, other: Any) -> Any:
        return apply(compare.eq, (self, other)) if _comparable(other) else NotImplemented

    def __ne__(self, other: Any) -> Any:
        return apply(compare.ne, (self, other)) if _comparable(other) else NotImplemented

    def __lt__(self, other: Any) -> Tensor:
        return apply(compare.lt, (self, other))

    def __le__(self, other: Any) -> Tensor:
        return apply(compare.le, (self, other))

    def __gt__(self, other: Any) -> Tensor:
        return apply(compare.gt, (self, other))

    def __ge__(self, other: Any) -> Tensor:
        return apply(compare.ge, (self, other))

    def __iadd__(self, other: Any) -> Tensor:
        return apply_inplace(arithmetic.add, (self, other, 1))

    def __isub__(self, other: Any) -> Tensor:
        return apply_inplace(arithmetic.sub, (self, other, 1))

    def __imul__(self, other: Any) -> Tensor:
        return apply_inplace(arithmetic.mul, (self, other))

    def __itruediv__(self, other: Any) -> Tensor:
        return apply_inplace(arithmetic.div, (self, other, None))

    def __ipow__(self, other: Any) -> Tensor:
        return apply_inplace(arithmetic.pow, (self, other))

    def __ifloordiv__(self, other: Any) -> Tensor:
        return apply_inplace(arithmetic.floor_divide, (self, other))

    def __imod__(self, other: Any) -> Tensor:
        return apply_inplace(arithmetic.remainder, (self, other))

    def __iand__(self, other: Any) -> Tensor:
        return apply_inplace(compare.bitwise_and, (self, other))

    def __ior__(self, other: Any) -> Tensor:
        return apply_inplace(compare.bitwise_or, (self, other))

    def __ixor__(self, other: Any) -> Tensor:
        return apply_inplace(compare.bitwise_xor, (self, other))

    def __ilshift__(self, other: Any) -> Tensor:
        return apply_inplace(elementwise.bitwise_left_shift, (self, other))

    def __irshift__(self, other: Any) -> Tensor:
        return apply_inplace(elementwise.bitwise_right_shift, (self, other))


def _comparable(other: Any) -> bool:
    return isinstance(other, (Tensor, int, float, complex, np.ndarray, np.generic))


def _cotangent(root: Tensor, gradient: Any) -> Any:
    """The array of a gradient that the user passes to backward, checked against the root."""
    array = gradient._array if isinstance(gradient, Tensor) else gradient
    if not is_array(array) or isinstance(array, np.generic):
        array = np.asarray(array)
    if array.shape != root._array.shape:
        raise errors.located(
            RuntimeError(
                f"Mismatch in shape: grad_output[0] has a shape of {Size(array.shape)} and "
                f"output[0] has a shape of {root.shape}. The gradient to start from has the shape "
                "of the tensor that backward() is called on."
            )
        )
    return array if array.dtype == root._array.dtype else array.astype(root._array.dtype)


def _rebuild(cls: type, state: dict) -> Tensor:
    out: Tensor = object.__new__(cls)
    out.__dict__.update(state)
    return out


@shape.op(r"y = x \text{ on another device}", name="to")
def transfer(input, device, non_blocking=False):
    return devices.move(input, device, non_blocking)


@transfer.vjp("input", r"\bar x = \bar y \text{ on the device of } x")
def _(g, input):
    return transfer(g, devices.of_array(getattr(input, "_array", input)))


variable.tensor_class, variable.to_device = Tensor, transfer
