#pragma once
// libcurl, and non-variadic forms of its variadic functions. Prefixed, no policy.
#include <curl/curl.h>
