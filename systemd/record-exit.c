// ExecStopPost= of the engine's two units: writes down how it ended, for an agent that may not have been there to see it,
// and forgets the environment that it was started with (take-environment).
// record-exit FILE ENVIRONMENT: their names in /var/lib/crosslogic and /run/crosslogic-environment.
//
// It has all the rights of root, and its environment is the engine's, which the agent writes: linked statically, so that
// no LD_… of it is heeded, and what it executes gets an environment of its own.
//
// Everything of the engine that can be killed is gone by now. An agent that is there may wait for this, so it is one
// program, without another for each step, until the record is in its place.
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char folder[] = "/var/lib/crosslogic";
static const char executed[] = "/run/crosslogic/engine.execution";
static const char environments[] = "/run/crosslogic-environment";

// A variable that PID 1 sets, all of it words and numbers. Empty for one that is anything else.
static const char *word(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) return "";
    for (const char *byte = value; *byte; byte++) {
        if (!isalnum((unsigned char)*byte) && *byte != '-') return "";
    }
    return value;
}

static FILE *open_in(const char *cgroup, const char *name) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", cgroup, name);
    return fopen(path, "re");
}

// Of this process, which PID 1 has put into the unit's.
static void find_cgroup(char *cgroup, size_t size) {
    char line[PATH_MAX];
    FILE *file = fopen("/proc/self/cgroup", "re");
    snprintf(cgroup, size, "/sys/fs/cgroup");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "0::", 3) != 0) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(cgroup, size, "/sys/fs/cgroup%.4000s", line + 3);
    }
    if (file != NULL) fclose(file);
}

// The number behind a name in a file of the cgroup (or the only one); `null` where there is none.
static void number(const char *cgroup, const char *name, const char *key, char value[24]) {
    char line[128], format[64];
    unsigned long long found;
    strcpy(value, "null");
    FILE *file = open_in(cgroup, name);
    if (file == NULL) return;
    snprintf(format, sizeof format, "%s%%llu", key);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, format, &found) == 1) snprintf(value, 24, "%llu", found);
    }
    fclose(file);
}

// Processes that SIGKILL has not ended: they hang in a driver.
static int count_left(const char *cgroup) {
    int left = 0, pid;
    FILE *file = open_in(cgroup, "cgroup.procs");
    while (file != NULL && fscanf(file, "%d", &pid) == 1) {
        if (pid != getpid()) left++;
    }
    if (file != NULL) fclose(file);
    return left;
}

static int record(const char *name) {
    char cgroup[PATH_MAX], peak[24], killed[24], new[NAME_MAX];
    find_cgroup(cgroup, sizeof cgroup);
    number(cgroup, "memory.peak", "", peak);
    number(cgroup, "memory.events", "oom_kill ", killed);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) return -1;
    int at = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (at < 0) return -1;
    snprintf(new, sizeof new, ".last-exit.%d", getpid());
    // The folder is the agent's: a name that is new cannot lead elsewhere, and renameat replaces a link.
    unlinkat(at, new, 0);
    umask(022);
    int file = openat(at, new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (file < 0) return -1;
    int written = dprintf(
        file,
        "{\"invocation\":\"%s\",\"result\":\"%s\",\"code\":\"%s\",\"status\":\"%s\",\"oom_kill\":%s,"
        "\"memory_peak\":%s,\"left\":%d}\n",
        word("INVOCATION_ID"), word("SERVICE_RESULT"), word("EXIT_CODE"), word("EXIT_STATUS"), killed, peak,
        count_left(cgroup));
    return written < 0 || close(file) != 0 ? -1 : renameat(at, new, at, name);
}

// Which of the two units is the engine, the agent has written down. The end of one that only waited changes nothing.
static int was_engine(void) {
    char engine[64] = "";
    // The folder is the agent's: a FIFO there must not hold this up.
    int descriptor = open(executed, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "r");
    if (file == NULL) return 1;
    if (fscanf(file, "%63s", engine) != 1) engine[0] = '\0';
    fclose(file);
    return engine[0] == '\0' || strcmp(engine, word("INVOCATION_ID")) == 0;
}

static void forget(const char *name) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", environments, name);
    if (unlink(path) != 0 && errno != ENOENT) fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

int main(int count, char **arguments) {
    if (count != 3 || strchr(arguments[1], '/') != NULL || strchr(arguments[2], '/') != NULL) {
        fprintf(stderr, "usage: record-exit FILE ENVIRONMENT\n");
        return 64;
    }
    forget(arguments[2]);
    if (record(arguments[1]) != 0) {
        fprintf(stderr, "%s/%s: %s\n", folder, arguments[1], strerror(errno));
        return 1;
    }
    if (!was_engine()) return 0;
    char *stop[] = {"systemctl", "stop", "--no-block", "crosslogic-serving.target", NULL};
    char *environment[] = {"PATH=/usr/bin:/bin", NULL};
    execve("/usr/bin/systemctl", stop, environment);
    fprintf(stderr, "/usr/bin/systemctl: %s\n", strerror(errno));
    return 1;
}
