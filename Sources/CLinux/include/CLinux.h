#pragma once
// Kernel and libc things Swift's Glibc module map does not show. Prefixed, no policy.
#include <stdint.h>
#include <sys/types.h>
