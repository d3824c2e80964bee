"""Work in parts that threads take one by one without Python's lock: waiting for it takes longer than a short part."""
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cdef extern from "team.h" nogil:
    enum: FR_TEAMS
    void help_out "fr_team_help"(TeamState* team)
    void set_open "fr_team_open"(TeamState* team, int open)
    void set_parts "fr_team_set"(TeamState* team, Task task, void* context, int parts)
    void work_on "fr_team_work"(TeamState* team, Task task, void* context, int parts)
    int end_parts "fr_team_end"(TeamState* team, int parts, double seconds)
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


ctypedef struct List:
    void** parts
    unsigned char* states
    double deadline
    int late


cdef void take(void* context, int k) noexcept nogil:
    cdef List* now = <List*>context
    if not is_set(&now.late):
        now.states[k] = FAILED if (<Part>now.parts[k]).run() else DONE
        if seconds() > now.deadline:
            set_flag(&now.late)


cdef class Errand:
    """Parts that a team is to do: helpers begin with `start`, and with `finish` the thread that set them helps.

    Without a team (None) that thread does them all, in `finish`.  Until then the team takes no other errand.
    """
    cdef list parts, now_held
    cdef Team team
    cdef TeamState* state
    cdef List now
    cdef int count
    cdef bint started

    def __init__(self, list parts, Team team):
        self.parts, self.team, self.started = parts, team, False
        self.state = NULL if team is None else &team.state
        self.now.parts, self.now.states = NULL, NULL

    def __dealloc__(self):
        self.release()

    cdef void release(self) noexcept:
        free(self.now.parts)
        free(self.now.states)
        self.now.parts, self.now.states = NULL, NULL

    def start(self):
        """Let the helpers begin."""
        cdef int k
        if self.started or not self.parts:
            return
        self.now_held = self.parts[:MOST]
        self.count = <int>len(self.now_held)
        self.now.parts = <void**>malloc(self.count * sizeof(void*))
        self.now.states = <unsigned char*>malloc(self.count)
        if self.now.parts == NULL or self.now.states == NULL:
            self.release()
            raise MemoryError
        for k in range(self.count):
            self.now.parts[k], self.now.states[k] = <void*><Part?>self.now_held[k], UNDONE
        self.now.late, self.now.deadline, self.started = False, seconds() + PATIENCE, True
        set_parts(self.state, take, &self.now, self.count)

    def finish(self, watch, cancel=None):
        """Do what is left, and wait for the helpers; `watch()`, which may raise, is called now and then.

        If it raises while others are at work, `cancel()` is to make them stop; they are waited for.
        """
        cdef int k
        cdef bint over
        while self.parts:
            error = None
            self.start()
            with nogil:
                work_on(self.state, take, &self.now, self.count)
                over = end_parts(self.state, self.count, PATIENCE)
            while not over:
                try:
                    watch()
                except BaseException as reason:
                    error = error or reason
                    set_flag(&self.now.late)
                    if cancel is not None:
                        cancel()
                with nogil:
                    over = end_parts(self.state, self.count, PATIENCE)
            self.started = False
            if error is None and any([self.now.states[k] == FAILED for k in range(self.count)]):
                error = MemoryError()
            undone = [self.now_held[k] for k in range(self.count) if self.now.states[k] == UNDONE]
            self.parts = undone + self.parts[self.count:]
            self.release()
            if error is not None:
                raise error
            watch()

    def drop(self):
        """Have no more parts done, and wait for those that are."""
        if self.started:
            set_flag(&self.now.late)
            with nogil:
                work_on(self.state, take, &self.now, self.count)
                while not end_parts(self.state, self.count, PATIENCE):
                    pass
            self.started = False
        self.parts = []


def do_all(list parts, Team team, watch, cancel=None):
    """Do all parts, with a team or in this thread alone (None); for the others see `Errand.finish`."""
    Errand(parts, team).finish(watch, cancel)


cdef void* reserve(double** room, Py_ssize_t size) noexcept nogil:
    """What to `free` after use of the room for `size` doubles, which starts on a cache line; NULL: there is none."""
    cdef void* raw = malloc(size * sizeof(double) + 64)
    room[0] = <double*>((<uintptr_t>raw + 63) & ~<uintptr_t>63)
    return raw
