"""Work in parts that threads take one by one without Python's lock: waiting for it takes longer than a short part."""
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cdef extern from "team.h" nogil:
    enum: FR_TEAMS
    void help_out "fr_team_help"(TeamState* team)
    void set_open "fr_team_open"(TeamState* team, int open)
    void begin_parts "fr_team_begin"(TeamState* team, Task task, void* context, int parts)
    bint end_parts "fr_team_end"(TeamState* team, int parts, double seconds)
    void set_flag "fr_set"(int* flag)
    bint is_set "fr_is_set"(int* flag)
    double seconds "fr_seconds"()

cdef double PATIENCE = 0.05     # seconds after which no more parts are taken, until the caller has looked around

cdef enum:
    MOST = 1 << 15              # parts at a time
    UNDONE = 0
    DONE = 1
    FAILED = 2

HAS_TEAMS = FR_TEAMS            # whether more than one thread takes parts on this machine


cdef class Team:
    """A thread that sets tasks, and those that help it with their parts."""

    def __cinit__(self):
        memset(&self.state, 0, sizeof(TeamState))
        set_open(&self.state, True)

    def help(self):
        """Take parts of what is shared out, until the team is closed."""
        with nogil:
            help_out(&self.state)

    def close(self):
        """Let the helpers go."""
        set_open(&self.state, False)


cdef class Part:
    """A call of a kernel that is yet to be made; parts of one list do not depend on one another."""

    cdef int run(self) noexcept nogil:
        return 0

    def do(self):
        """Do it in this thread; MemoryError if there is no room for its work space."""
        cdef int failed
        with nogil:
            failed = self.run()
        if failed:
            raise MemoryError


cdef class Call(Part):
    """A call of a Python function, which takes the lock; `error` is what it raised."""
    cdef object function
    cdef readonly object error

    def __init__(self, function):
        self.function, self.error = function, None

    cdef int run(self) noexcept nogil:
        with gil:
            try:
                self.function()
            except BaseException as error:
                self.error = error
        return 0


ctypedef struct Round:
    void** parts
    unsigned char* states
    double deadline
    int late


cdef void take(void* context, int k) noexcept nogil:
    cdef Round* now = <Round*>context
    if not is_set(&now.late):
        now.states[k] = FAILED if (<Part>now.parts[k]).run() else DONE
        if seconds() > now.deadline:
            set_flag(&now.late)


def do_all(list parts, Team team, watch, cancel=None):
    """Do all parts, with a team or in this thread alone (None); `watch()`, which may raise, is called now and then.

    If it raises while others are at work, `cancel()` is to make them stop; they are waited for.
    """
    cdef Round now
    cdef TeamState* state = NULL if team is None else &team.state
    cdef int k, count
    cdef bint over
    while parts:
        count = min(<int>len(parts), <int>MOST)
        error, now.late = None, False
        now.parts, now.states = <void**>malloc(count * sizeof(void*)), <unsigned char*>malloc(count)
        try:
            if now.parts == NULL or now.states == NULL:
                raise MemoryError
            for k in range(count):
                now.parts[k], now.states[k] = <void*><Part?>parts[k], UNDONE
            with nogil:
                now.deadline = seconds() + PATIENCE
                begin_parts(state, take, &now, count)
                over = end_parts(state, count, PATIENCE)
            while not over:
                try:
                    watch()
                except BaseException as reason:
                    error = error or reason
                    set_flag(&now.late)
                    if cancel is not None:
                        cancel()
                with nogil:
                    over = end_parts(state, count, PATIENCE)
            if error is not None:
                raise error
            if any([now.states[k] == FAILED for k in range(count)]):
                raise MemoryError
            parts = [parts[k] for k in range(count) if now.states[k] == UNDONE] + parts[count:]
        finally:
            free(now.parts)
            free(now.states)
        watch()


cdef void* reserve(double** room, Py_ssize_t size) noexcept nogil:
    """What to `free` after use of the room for `size` doubles, which starts on a cache line; NULL: there is none."""
    cdef void* raw = malloc(size * sizeof(double) + 64)
    room[0] = <double*>((<uintptr_t>raw + 63) & ~<uintptr_t>63)
    return raw
