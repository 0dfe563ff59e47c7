#define _GNU_SOURCE
#include "CSystemd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

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

static int read_property(sd_bus_message *reply, const char *name, csystemd_service *service) {
    const char *result = NULL;
    if (strcmp(name, "ExecMainPID") == 0) return sd_bus_message_read(reply, "v", "u", &service->main_pid);
    if (strcmp(name, "ExecMainCode") == 0) return sd_bus_message_read(reply, "v", "i", &service->main_code);
    if (strcmp(name, "ExecMainStatus") == 0) return sd_bus_message_read(reply, "v", "i", &service->main_status);
    if (strcmp(name, "ControlPID") == 0) return sd_bus_message_read(reply, "v", "u", &service->control_pid);
    if (strcmp(name, "Result") != 0) return sd_bus_message_skip(reply, "v");
    int found = sd_bus_message_read(reply, "v", "s", &result);
    if (found > 0) snprintf(service->result, sizeof service->result, "%s", result);
    return found;
}

static int read_properties(sd_bus_message *reply, csystemd_service *service) {
    const char *name = NULL;
    int result = sd_bus_message_enter_container(reply, 'a', "{sv}");
    while (result >= 0 && (result = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        result = sd_bus_message_read_basic(reply, 's', &name);
        if (result >= 0) result = read_property(reply, name, service);
        if (result >= 0) result = sd_bus_message_exit_container(reply);
    }
    return result;
}

int csystemd_service_status(sd_bus *bus, const char *object, csystemd_service *service) {
    sd_bus_message *reply = NULL;
    *service = (csystemd_service){0};
    int result = sd_bus_call_method(
        bus, "org.freedesktop.systemd1", object, "org.freedesktop.DBus.Properties", "GetAll", NULL, &reply, "s",
        "org.freedesktop.systemd1.Service");
    if (result >= 0) result = read_properties(reply, service);
    sd_bus_message_unref(reply);
    return result;
}
