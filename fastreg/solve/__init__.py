"""How a batch of problems over one X is solved."""

from .problem import Solution, Task
from .support import SupportCertificate, certify
from .tasks import grids_of, solve_tasks
from .threads import n_threads

__all__ = ["Solution", "SupportCertificate", "Task", "certify", "grids_of", "n_threads", "solve_tasks"]
