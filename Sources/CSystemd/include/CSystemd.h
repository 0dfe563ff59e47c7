#pragma once
// libsystemd: sd_notify, journal, login inhibitor.
// Without the macros that add the place in the source, which Swift cannot see.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
