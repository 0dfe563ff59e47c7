#include "CTLS.h"

const uint64_t ctls_no_renegotiation = SSL_OP_NO_RENEGOTIATION;
const uint64_t ctls_no_tickets = SSL_OP_NO_TICKET;
const uint64_t ctls_own_preference = SSL_OP_CIPHER_SERVER_PREFERENCE;

int ctls_set_minimum_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}

void ctls_set_options(SSL_CTX *context, uint64_t options) { SSL_CTX_set_options(context, options); }
void ctls_set_modes(SSL_CTX *context, long modes) { SSL_CTX_set_mode(context, modes); }
void ctls_set_session_cache(SSL_CTX *context, long mode) { SSL_CTX_set_session_cache_mode(context, mode); }

static int no_passphrase(char *buffer, int size, int is_writing, void *context) {
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return 0;
}

void ctls_ask_for_no_passphrase(SSL_CTX *context) { SSL_CTX_set_default_passwd_cb(context, no_passphrase); }

const char *ctls_take_reason(void) {
    unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    return code == 0 ? NULL : ERR_reason_error_string(code);
}
