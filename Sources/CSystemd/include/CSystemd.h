#pragma once
// libsystemd: sd_notify, journal, login inhibitor.
#include <systemd/sd-daemon.h>
