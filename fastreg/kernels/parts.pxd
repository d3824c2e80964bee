"""Work in parts that threads take one by one without Python's lock."""


cdef extern from "team.h" nogil:
    ctypedef struct TeamState "fr_team":
        pass
    ctypedef void (*Task "fr_task")(void* context, int part) noexcept nogil
    void run_parts "fr_team_run"(TeamState* team, Task task, void* context, int parts)


cdef class Team:
    cdef TeamState state


cdef class Part:
    cdef int run(self) noexcept nogil   # 0, or -1 where there is no memory


cdef void* reserve(double** room, Py_ssize_t size) noexcept nogil
