/* Short tasks, each in numbered parts that a thread and whoever helps it take one by one.
 *
 * Nobody waits for a helper that has not taken a part: where the machine is busy, the thread does all the work itself.
 * Needs the atomic builtins of GCC or Clang, for 64 bits; without them nobody helps.
 */
#ifndef FR_TEAM_H
#define FR_TEAM_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#if defined(__GNUC__) && UINTPTR_MAX > 0xffffffff && (defined(__linux__) || defined(__APPLE__))
#define FR_TEAMS 1
#include <sched.h>
#else
#define FR_TEAMS 0
#endif

#if defined(__x86_64__) || defined(__i386__)
#define FR_PAUSE() __builtin_ia32_pause()
#else
#define FR_PAUSE() ((void)0)
#endif

enum { FR_SPINS = 1000, FR_YIELDS = 1000 };  /* then a helper sleeps between looks, */
enum { FR_NAP = 20000, FR_LONG_NAP = 500000 };  /* ever longer ones (nanoseconds) */

typedef void (*fr_task)(void *context, int part);

typedef struct {
    uint64_t ticket;  /* number of the task (32 bits), its parts (16), those taken (16): compared and swapped as one */
    int32_t done;     /* parts of the task */
    int32_t open;     /* whether helpers are to stay */
    fr_task task;
    void *context;
} fr_team;

#if FR_TEAMS
/* Take a part of the present task and do it; 0: there is none. */
static int fr_team_take(fr_team *team)
{
    uint64_t ticket = __atomic_load_n(&team->ticket, __ATOMIC_ACQUIRE);
    while ((ticket & 0xffff) < (ticket >> 16 & 0xffff)) {
        if (__atomic_compare_exchange_n(&team->ticket, &ticket, ticket + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            team->task(team->context, (int)(ticket & 0xffff)); /* stays what it is while a part is not done */
            __atomic_fetch_add(&team->done, 1, __ATOMIC_RELEASE);
            return 1;
        }
    }
    return 0;
}
#endif

/* A clock. */
static double fr_seconds(void)
{
#if FR_TEAMS
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

/* Set a task, which helpers take parts of from here on; team NULL: nobody does. */
static void fr_team_set(fr_team *team, fr_task task, void *context, int parts)
{
#if FR_TEAMS
    if (team && parts > 1) {
        uint64_t number = (__atomic_load_n(&team->ticket, __ATOMIC_RELAXED) >> 32) + 1;
        team->task = task;
        team->context = context;
        __atomic_store_n(&team->done, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&team->ticket, number << 32 | (uint64_t)parts << 16, __ATOMIC_RELEASE);
    }
#else
    (void)team, (void)task, (void)context, (void)parts;
#endif
}

/* Do parts of the task that is set until none is left that nobody has taken; all of them if nobody helps. */
static void fr_team_work(fr_team *team, fr_task task, void *context, int parts)
{
#if FR_TEAMS
    if (team && parts > 1) {
        while (fr_team_take(team)) {}
        return;
    }
#endif
    for (int part = 0; part < parts; part++) task(context, part);
}

/* Wait until all parts of that task are done, but not much longer than so many seconds; returns whether they are. */
static int fr_team_end(fr_team *team, int parts, double seconds)
{
#if FR_TEAMS
    double until = 0.0;
    if (!team || parts <= 1) return 1;
    for (int spins = 0; __atomic_load_n(&team->done, __ATOMIC_ACQUIRE) < parts; spins++) {
        if (spins < FR_SPINS) FR_PAUSE();
        else if (spins < FR_SPINS + FR_YIELDS) sched_yield();
        else {
            const struct timespec nap = {0, FR_NAP};
            const double now = fr_seconds();
            if (until == 0.0) until = now + seconds;
            if (now >= until) return 0;
            nanosleep(&nap, NULL);
        }
    }
#endif
    return 1;
}

/* Do all parts of a task; team NULL: alone. */
static void fr_team_run(fr_team *team, fr_task task, void *context, int parts)
{
    fr_team_set(team, task, context, parts);
    fr_team_work(team, task, context, parts);
    while (!fr_team_end(team, parts, 1.0)) {}
}

/* Take parts of tasks until the team is closed. */
static void fr_team_help(fr_team *team)
{
#if FR_TEAMS
    int idle = 0;
    struct timespec nap = {0, FR_NAP};
    while (__atomic_load_n(&team->open, __ATOMIC_ACQUIRE)) {
        if (fr_team_take(team)) {
            idle = 0;
            nap.tv_nsec = FR_NAP;
        }
        else if (++idle < FR_SPINS) FR_PAUSE();
        else if (idle < FR_SPINS + FR_YIELDS) sched_yield();
        else {
            idle = FR_SPINS + FR_YIELDS;
            nanosleep(&nap, NULL);
            if (nap.tv_nsec < FR_LONG_NAP) nap.tv_nsec += nap.tv_nsec / 16;
        }
    }
#else
    (void)team;
#endif
}

/* A flag that any thread may set. */
static void fr_set(int *flag)
{
#if FR_TEAMS
    __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
#else
    *flag = 1;
#endif
}

static int fr_is_set(int *flag)
{
#if FR_TEAMS
    return __atomic_load_n(flag, __ATOMIC_RELAXED);
#else
    return *flag;
#endif
}

static void fr_team_open(fr_team *team, int open)
{
#if FR_TEAMS
    __atomic_store_n(&team->open, open, __ATOMIC_RELEASE);
#else
    team->open = open;
#endif
}

#endif /* FR_TEAM_H */
