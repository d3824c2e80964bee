"""How a batch of penalised problems over one X is solved."""

from .problem import Solution, Task
from .rounds import solve_tasks

__all__ = ["Solution", "Task", "solve_tasks"]
