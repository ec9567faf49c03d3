/* SPDX-License-Identifier: Apache-2.0 */
/*
 * next_pin - the server's word for the key that will replace the one of its certificate
 * (proto/FORMATS.md section 5).
 *
 * Whoever has stolen a certificate's key can greet in the server's place, but the server key, which
 * the server ID is the hash of, is another one: without it he cannot name a successor.
 * Errors: ERR_INTEGRITY (signature), ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_NEXT_PIN_H
#define COMMON_TRANSFER_NEXT_PIN_H

#include "common/net/pin.h"
#include "common/secret.h"
#include "common/transfer/ids.h"
#include "common/transfer/signed.h"

struct next_pin {
    struct server_id server;
    struct pin now; /* of the connection's certificate, as one has seen or shown it oneself */
    struct pin next;
};

/* With the server key: the 32-byte seed to sign, the public key to check. */
MUST_CHECK int next_pin_sign(const struct next_pin *n, const struct secret *server_key,
                             uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err);
MUST_CHECK int next_pin_check(const struct next_pin *n, const uint8_t server_key[IDS_KEY_LEN],
                              struct part sig, struct err *err);

#endif /* COMMON_TRANSFER_NEXT_PIN_H */
