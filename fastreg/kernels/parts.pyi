from collections.abc import Callable

HAS_TEAMS: bool

class Team:
    def help(self) -> None: ...
    def close(self) -> None: ...

class Part:
    def do(self) -> None: ...

class Call(Part):
    error: BaseException | None
    def __init__(self, function: Callable[[], object]) -> None: ...

def do_all(
    parts: list[Part], team: Team | None, watch: Callable[[], object], cancel: Callable[[], object] | None = None
) -> None: ...
