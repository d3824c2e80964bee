/* Many short tasks shared by four threads: what the thread sanitizer watches. */
#include "../fastreg/kernels/team.h"

#include <pthread.h>
#include <stdio.h>

enum { SIZE = 64, HELPERS = 3, TASKS = 20000 };

typedef struct {
    double in[SIZE], out[SIZE];
    int parts;
} job;

static fr_team team;

static void twice(void *context, int part)
{
    job *j = (job *)context;
    for (int i = part * SIZE / j->parts; i < (part + 1) * SIZE / j->parts; i++) j->out[i] = 2 * j->in[i];
}

static void *help(void *unused)
{
    fr_team_help(&team);
    return unused;
}

int main(void)
{
    pthread_t helpers[HELPERS];
    long wrong = 0;
    fr_team_open(&team, 1);
    for (int i = 0; i < HELPERS; i++) pthread_create(&helpers[i], NULL, help, NULL);
    for (int k = 0; k < TASKS; k++) {
        job j;
        j.parts = 1 + k % 8;
        for (int i = 0; i < SIZE; i++) j.in[i] = k + i, j.out[i] = 0;
        if (k % 2) fr_team_run(&team, twice, &j, j.parts);
        else { /* helpers begin while this thread is elsewhere */
            fr_team_set(&team, twice, &j, j.parts);
            for (volatile int i = k % 1000; i > 0; i--) {}
            fr_team_work(&team, twice, &j, j.parts);
            while (!fr_team_end(&team, j.parts, 0.001)) {}
        }
        for (int i = 0; i < SIZE; i++) wrong += j.out[i] != 2 * j.in[i];
    }
    fr_team_open(&team, 0);
    for (int i = 0; i < HELPERS; i++) pthread_join(helpers[i], NULL);
    printf("%d tasks, %ld wrong numbers\n", TASKS, wrong);
    return wrong != 0;
}
