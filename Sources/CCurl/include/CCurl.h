#pragma once
// libcurl, and non-variadic forms of its variadic functions. Prefixed, no policy.

// CURLOPT_PROTOCOLS is marked deprecated since 7.85 in favour of a string form that 7.74 does not know.
#ifndef CURL_DISABLE_DEPRECATION
#define CURL_DISABLE_DEPRECATION
#endif
#include <curl/curl.h>

CURLcode ccurl_global_init(void);

CURLcode ccurl_easy_set_long(CURL *handle, CURLoption option, long value);
CURLcode ccurl_easy_set_offset(CURL *handle, CURLoption option, curl_off_t value);
/// NULL resets the option.
CURLcode ccurl_easy_set_string(CURL *handle, CURLoption option, const char *value);
CURLcode ccurl_easy_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode ccurl_easy_set_write_callback(CURL *handle, CURLoption option, curl_write_callback callback);
CURLcode ccurl_easy_set_open_socket_callback(CURL *handle, curl_opensocket_callback callback);
/// CURLOPT_QUICK_EXIT where the headers and the library know it (7.87), else CURLE_UNKNOWN_OPTION.
CURLcode ccurl_easy_set_quick_exit(CURL *handle, long value);

CURLcode ccurl_easy_get_long(CURL *handle, CURLINFO info, long *value);

CURLMcode ccurl_multi_set_long(CURLM *handle, CURLMoption option, long value);

/// CURLPROTO_HTTP | CURLPROTO_HTTPS
extern const long ccurl_protocols_http_and_https;
