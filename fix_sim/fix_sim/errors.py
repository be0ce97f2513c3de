"""What the caller or the world did wrong. Each keeps its facts as attributes and builds its own text."""


class StartError(Exception):
    """The simulator cannot start. Its text is the one line that the operator sees."""

    def __init__(self, where: str, wrong: str, right: str) -> None:
        super().__init__(f"{where}: {wrong}; {right}")
        self.where = where
        self.wrong = wrong
        self.right = right


class UnknownOrder(LookupError):
    def __init__(self, order_id: str) -> None:
        super().__init__(f"no order {order_id!r}")
        self.order_id = order_id


class UnknownSymbol(LookupError):
    def __init__(self, symbol: str) -> None:
        super().__init__(f"no symbol {symbol!r} in the universe")
        self.symbol = symbol


class NotFillable(ValueError):
    def __init__(self, order_id: str, why: str) -> None:
        super().__init__(f"order {order_id} cannot be filled: {why}")
        self.order_id = order_id
        self.why = why


class JournalFailed(Exception):
    def __init__(self, name: str, cause: OSError) -> None:
        super().__init__(f"{name}: cannot be written ({cause.strerror})")
        self.name = name


class NotPlayable(ValueError):
    """A step of a scenario that makes no sense as the order stands."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(f"{step} cannot be played: {why}")
        self.step = step
        self.why = why


class UnknownSession(LookupError):
    def __init__(self, session: str) -> None:
        super().__init__(f"no session {session!r}")
        self.session = session
