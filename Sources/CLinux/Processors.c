#define _GNU_SOURCE
#include "CLinux.h"
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

int clinux_allowed_processors(int *numbers, int capacity) {
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return -1;
    for (int number = 0; number < CPU_SETSIZE && count < capacity; number++)
        if (CPU_ISSET(number, &set)) numbers[count++] = number;
    return count;
}

int clinux_keep_to_processors(const int *numbers, int count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int index = 0; index < count; index++) CPU_SET(numbers[index], &set);
    // The caller's own first: threads that are made from now on inherit it.
    if (sched_setaffinity(0, sizeof set, &set) != 0) return -1;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return -1;
    for (struct dirent *entry; (entry = readdir(tasks));) {
        pid_t thread = (pid_t)atoi(entry->d_name);
        // One that has ended meanwhile is no failure.
        if (thread > 0) sched_setaffinity(thread, sizeof set, &set);
    }
    closedir(tasks);
    return 0;
}
