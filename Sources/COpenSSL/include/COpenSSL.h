#pragma once
// OpenSSL libcrypto: HMAC and SHA-256.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
