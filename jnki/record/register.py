"""The handle of a register: what `nisa.register_alloc` returns, and what the body of a loop on the device is given."""

from typing import Any, NoReturn

from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.dtypes import int32
from jnki.errors import RuleError
from jnki.record.blocks import Scope
from jnki.record.recorder import Recorder, current
from jnki.record.while_register import holds
from jnki.source import asked_by_user


class VirtualRegister:
    """A register of 32 bits, whose value is known when the kernel runs, and not while it is recorded.

    It is a scalar offset of operands, a bound or a condition of loops, and an operand of register instructions. Python
    cannot compute with it: `int(register)`, `if register`, `register == 0` are a `TypeError`.
    """

    __slots__ = ("_access", "_frozen", "_recorder", "_scope")

    def __init__(self, access: Access, scope: Scope, recorder: Recorder, frozen: bool = False):
        self._access = access
        self._scope = scope
        self._recorder = recorder
        self._frozen = frozen

    @property
    def name(self) -> str:
        return self._access.buffer.name

    @property
    def frozen(self) -> bool:
        """Whether it is the index of a loop, which nothing but the loop writes to."""
        return self._frozen

    @property
    def access(self) -> Access:
        """The register as an operand that is read.

        Raises:
            RuleError: `err_local_variable_used_out_of_scope`; `register.unwritten`, where nothing has been written to
                it yet.
        """
        self._check_scope()
        if self.name not in self._recorder.written:
            raise RuleError(
                "register.unwritten",
                f"register '{self.name}' is used before anything is written to it",
                given=f"register '{self.name}', allocated without a value",
                allowed="nisa.register_alloc(0), nisa.register_move or nisa.register_load before it is used",
            )
        return self._access

    @property
    def destination(self) -> Access:
        """The register as an operand that is written.

        Raises:
            RuleError: `err_local_variable_used_out_of_scope`; `register.frozen`, where it is the index of a loop.
        """
        self._check_scope()
        if self._frozen:
            raise RuleError(
                "register.frozen",
                f"register '{self.name}' is the index of a loop, which alone writes to it",
                given=f"a write to register '{self.name}'",
                allowed="another register, from nisa.register_alloc",
            )
        return self._access

    def _check_scope(self) -> None:
        if not self._scope.is_open:
            raise RuleError(
                "err_local_variable_used_out_of_scope",
                f"register '{self.name}' is used outside of the loop or kernel that made it",
                given=f"register '{self.name}'",
                allowed="a register allocated before the loop",
            )

    def __carried__(self) -> tuple[Any, ...]:
        """What a loop can carry in this handle from one iteration to the next."""
        return (self._access, self._scope if self._scope.is_open else None)

    def __bool__(self) -> bool:
        """At the head of a plain `while register:`, whether its body is to be recorded (again).

        Raises:
            TypeError: anywhere else.
        """
        return holds(current("while"), self)

    def __eq__(self, other: object) -> bool:
        if other is None or self is other:
            return self is other
        raise self._no_value("a comparison")

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = object.__hash__

    def _no_value(self, what: str) -> TypeError:
        return TypeError(
            f"register '{self.name}' has no value while its kernel is recorded, which {what} needs; registers are "
            "offsets of operands (.ap(scalar_offset=register)), bounds of nl.fori_loop and conditions of "
            "nl.while_loop; nisa.register_store brings one to a tile for computing"
        )

    def __int__(self) -> NoReturn:
        raise self._no_value("int()")

    def __index__(self) -> NoReturn:
        raise self._no_value("range(), an index or another use as a Python integer")

    def __float__(self) -> NoReturn:
        raise self._no_value("float()")

    def _compare(self, _: object) -> NoReturn:
        raise self._no_value("a comparison")

    __lt__ = __le__ = __gt__ = __ge__ = _compare

    def _compute(self, *_: object) -> NoReturn:
        raise self._no_value("arithmetic")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __rfloordiv__ = _compute
    __mod__ = __rmod__ = __neg__ = _compute

    def __repr__(self) -> str:
        text = f"register '{self.name}'"
        is_shown = self._recorder.steps and self._scope.is_open and asked_by_user()
        if is_shown and self.name in self._recorder.written:
            return f"{text} = {self._recorder.number(self._access)}"
        return text


def new_register(recorder: Recorder, name: str, *, frozen: bool = False) -> VirtualRegister:
    """A register in the open block."""
    buffer: Buffer = recorder.make_buffer(Space.REGISTER, (1, 1), int32, name=name)
    return VirtualRegister(Access.whole(buffer), recorder.scope, recorder, frozen)
