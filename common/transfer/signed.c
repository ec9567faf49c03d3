/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/signed.h"

#include <pthread.h>
#include <string.h>

#include "common/crypto/ed25519.h"
#include "common/crypto/hash.h"
#include "common/transfer/wire.h"

enum { KNOWN = 256 }; /* 8 KiB */

_Static_assert((int)SIGNED_SIG_LEN == ED25519_SIG_LEN, "Ed25519 signs");

static const char *const purposes[] = {
    [SIGNED_MANIFEST] = "manifest", [SIGNED_SUCCESSION] = "succession",
    [SIGNED_REGISTER] = "register", [SIGNED_LOGIN] = "login",
    [SIGNED_TRANSFER] = "transfer", [SIGNED_RECEIPT] = "receipt",
    [SIGNED_EXTEND] = "extend",     [SIGNED_EVENTS] = "events",
    [SIGNED_ACCOUNT] = "account",   [SIGNED_RECOVER] = "recover",
    [SIGNED_FACTOR] = "factor",     [SIGNED_NEXT_PIN] = "next pin",
    [SIGNED_DELETE] = "delete",
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

int signed_make_ready(enum signed_purpose purpose, const struct ed25519_key *key, struct part body,
                      uint8_t ret_sig[SIGNED_SIG_LEN], struct err *err)
{
    int rc = ed25519_key_sign_for(ret_sig, key, purposes[purpose], body);

    return rc == ERR_OK ? rc : err_set(err, rc, "cannot sign a %s", purposes[purpose]);
}

/*
 * Manifests that were found good, by the hash of everything that decides it.  The same ones come
 * again with every send and every seal, and a signature costs as much as all the rest of a small
 * send.  Of what is not good nothing is kept.
 */
static struct {
    pthread_mutex_t lock;
    uint8_t good[KNOWN][HASH_SHA256_LEN]; /* under lock */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int check_known(enum signed_purpose purpose, const uint8_t public_key[32], struct part body,
                       struct part sig)
{
    uint8_t id[HASH_SHA256_LEN], *at;
    bool hit;
    int rc = hash_lp(HASH_SHA256, id,
                     PARTS(part_str(purposes[purpose]), part(public_key, 32), sig, body));

    if (rc != ERR_OK)
        return rc;
    at = known.good[(id[0] | (unsigned)id[1] << 8) % KNOWN];
    pthread_mutex_lock(&known.lock);
    hit = memcmp(at, id, sizeof(id)) == 0;
    pthread_mutex_unlock(&known.lock);
    if (hit)
        return ERR_OK;
    rc = ed25519_verify_for(public_key, sig.data, purposes[purpose], body);
    if (rc != ERR_OK)
        return rc;
    pthread_mutex_lock(&known.lock);
    memcpy(at, id, sizeof(id));
    pthread_mutex_unlock(&known.lock);
    return ERR_OK;
}

int signed_check(enum signed_purpose purpose, const uint8_t public_key[32], struct part body,
                 struct part sig, struct err *err)
{
    int rc = ERR_INTEGRITY;

    if (sig.len == SIGNED_SIG_LEN && (purpose == SIGNED_MANIFEST || purpose == SIGNED_SUCCESSION))
        rc = check_known(purpose, public_key, body, sig);
    else if (sig.len == SIGNED_SIG_LEN)
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
