/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pin - the fingerprint of a server's key: SHA-256 of the certificate's
 * SubjectPublicKeyInfo (RFC 7469 section 2.4 hashes the same bytes).  A new
 * certificate for the same key keeps its pin.
 *
 * As text: 43 characters of base64url without padding (RFC 4648 section 5).
 * A pin is public.  Threads: any.
 */
#ifndef COMMON_NET_PIN_H
#define COMMON_NET_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "common/err.h"

enum { PIN_BYTES = 32, PIN_CHARS = 43 };

struct pin {
    uint8_t b[PIN_BYTES];
};

/* Write the text of ${pin} and a NUL. */
void pin_encode(const struct pin *pin, char ret_text[PIN_CHARS + 1]);

/* Read exactly one pin.  ERR_INVALID: other length, other characters, or unused bits that are set.
 */
MUST_CHECK int pin_decode(struct pin *ret, const char *text, struct err *err);

/* The pin of a certificate.  ERR_TLS when its key cannot be encoded. */
MUST_CHECK int pin_of_cert(struct pin *ret, X509 *cert, struct err *err);

/* The pin of the first certificate in ${len} bytes of PEM.  ERR_INVALID when there is none. */
MUST_CHECK int pin_of_pem(struct pin *ret, const void *pem, size_t len, struct err *err);

bool pin_equal(const struct pin *a, const struct pin *b);

#endif /* COMMON_NET_PIN_H */
