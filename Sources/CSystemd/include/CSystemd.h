#pragma once
// libsystemd: sd_notify, journal, login inhibitor.
#include <stdbool.h>
#include <stdint.h>
// Without the macros that add the place in the source, which Swift cannot see.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

// sd-bus functions that are variadic, in the one form that is needed. Prefixed, no policy; all return a negative errno.

/// Takes a "delay" lock on shutdown; `descriptor` (close-on-exec) is the caller's, and closing it lets go.
int csystemd_logind_inhibit(sd_bus *bus, const char *who, const char *why, int *descriptor);

/// How long logind waits for the holders of such locks, in microseconds.
int csystemd_logind_delay(sd_bus *bus, uint64_t *microseconds);

/// Whether a shutdown is announced already.
int csystemd_logind_preparing(sd_bus *bus, bool *preparing);

/// Calls `handler` for each PrepareForShutdown.
int csystemd_logind_match(sd_bus *bus, sd_bus_message_handler_t handler, void *userdata);

/// The one boolean of a PrepareForShutdown.
int csystemd_logind_starts(sd_bus_message *message, bool *starts);

/// How a service is, as org.freedesktop.systemd1(5) has it.
typedef struct {
    uint32_t main_pid;
    /// `CLD_…`, 0 while it runs; and its exit code or signal.
    int32_t main_code, main_status;
    /// 0 where none runs.
    uint32_t control_pid;
    char result[32];
} csystemd_service;

/// Asks PID 1 with one message: it answers one at a time, and does other things in between. `object` is the unit's.
int csystemd_service_status(sd_bus *bus, const char *object, csystemd_service *service);
