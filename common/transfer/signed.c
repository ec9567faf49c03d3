/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/signed.h"

#include "common/crypto/ed25519.h"
#include "common/transfer/wire.h"

_Static_assert((int)SIGNED_SIG_LEN == ED25519_SIG_LEN, "Ed25519 signs");

static const char *const purposes[] = {
    [SIGNED_MANIFEST] = "manifest", [SIGNED_SUCCESSION] = "succession",
    [SIGNED_REGISTER] = "register", [SIGNED_LOGIN] = "login",
    [SIGNED_TRANSFER] = "transfer", [SIGNED_RECEIPT] = "receipt",
    [SIGNED_EXTEND] = "extend",     [SIGNED_EVENTS] = "events",
    [SIGNED_FACTOR] = "factor",
};

int signed_make(enum signed_purpose purpose, const struct secret *key, struct part body,
                uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    int rc;

    if (key->len != ED25519_SEED_LEN)
        return err_set(err, ERR_INVALID, "a signing key has %d bytes", ED25519_SEED_LEN);
    rc = ed25519_sign_for(ret_sig, key->data, purposes[purpose], body);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot sign a %s", purposes[purpose]);
}

int signed_check(enum signed_purpose purpose, const uint8_t public_key[32], struct part body,
                 struct part sig, struct err *err)
{
    int rc = ERR_INTEGRITY;

    if (sig.len == SIGNED_SIG_LEN)
        rc = ed25519_verify_for(public_key, sig.data, purposes[purpose], body);
    if (rc == ERR_INTEGRITY)
        return err_set(err, rc, "the signature of the %s is not good", purposes[purpose]);
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot check a signature");
}

int signed_pack(struct part body, struct part sig, struct buf *out, struct err *err)
{
    Satchel__Signed message = SATCHEL__SIGNED__INIT;

    message.body = wire_data(body);
    message.signature = wire_data(sig);
    return wire_pack(&message.base, out, err);
}

int signed_unpack(struct part raw, size_t max, struct buf *ret_body,
                  uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    Satchel__Signed *message = NULL;
    int rc = wire_unpack(&satchel__signed__descriptor, raw, max + SIGNED_OVERHEAD, &message, err);

    if (rc != ERR_OK)
        return rc;
    if (message->signature.len != SIGNED_SIG_LEN) {
        rc = err_set(err, ERR_INVALID, "Signed.signature: %zu bytes instead of %d",
                     message->signature.len, SIGNED_SIG_LEN);
    } else if (message->body.len > max) {
        rc = err_set(err, ERR_INVALID, "Signed.body: %zu bytes, over %zu", message->body.len, max);
    } else {
        buf_put(ret_body, message->body.data, message->body.len);
        rc = buf_check(ret_body, err);
    }
    if (rc == ERR_OK)
        memcpy(ret_sig, message->signature.data, SIGNED_SIG_LEN);
    satchel__signed__free_unpacked(message, NULL);
    return rc;
}
