#pragma once
// OpenSSL libssl, and what its headers have as macros. Prefixed, no policy.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdint.h>

int ctls_set_minimum_version(SSL_CTX *context, int version);
void ctls_set_options(SSL_CTX *context, uint64_t options);
void ctls_set_modes(SSL_CTX *context, long modes);
void ctls_set_session_cache(SSL_CTX *context, long mode);

/// A key that is encrypted cannot be read, instead of asking at the terminal.
void ctls_ask_for_no_passphrase(SSL_CTX *context);

/// SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET, SSL_OP_CIPHER_SERVER_PREFERENCE
extern const uint64_t ctls_no_renegotiation, ctls_no_tickets, ctls_own_preference;

/// What the last failure of this thread was, or NULL. Clears the thread's errors.
const char *ctls_take_reason(void);
