#define _GNU_SOURCE
#include "CSystemd.h"
#include <errno.h>
#include <fcntl.h>

static const char service[] = "org.freedesktop.login1";
static const char path[] = "/org/freedesktop/login1";
static const char interface[] = "org.freedesktop.login1.Manager";

int csystemd_logind_inhibit(sd_bus *bus, const char *who, const char *why, int *descriptor) {
    sd_bus_message *reply = NULL;
    int result = sd_bus_call_method(
        bus, service, path, interface, "Inhibit", NULL, &reply, "ssss", "shutdown", who, why, "delay");
    if (result < 0) return result;
    int received = -1;
    result = sd_bus_message_read(reply, "h", &received);
    if (result >= 0) {
        // The message owns what it carries.
        *descriptor = fcntl(received, F_DUPFD_CLOEXEC, 3);
        result = *descriptor < 0 ? -errno : 0;
    }
    sd_bus_message_unref(reply);
    return result;
}

int csystemd_logind_delay(sd_bus *bus, uint64_t *microseconds) {
    return sd_bus_get_property_trivial(bus, service, path, interface, "InhibitDelayMaxUSec", NULL, 't', microseconds);
}

int csystemd_logind_preparing(sd_bus *bus, bool *preparing) {
    int value = 0;
    int result = sd_bus_get_property_trivial(bus, service, path, interface, "PreparingForShutdown", NULL, 'b', &value);
    *preparing = value != 0;
    return result;
}

int csystemd_logind_match(sd_bus *bus, sd_bus_message_handler_t handler, void *userdata) {
    return sd_bus_match_signal(bus, NULL, service, path, interface, "PrepareForShutdown", handler, userdata);
}

int csystemd_logind_starts(sd_bus_message *message, bool *starts) {
    int value = 0;
    int result = sd_bus_message_read(message, "b", &value);
    *starts = value != 0;
    return result;
}
