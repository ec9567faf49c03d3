/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunked_msg - a whole message of C2SP chunked encryption in memory, in its published form, which
 * vectors are in: salt || commitment || chunks.  No program has it so.  Errors as in chunked.h.
 */
#ifndef TESTS_CHUNKED_MSG_H
#define TESTS_CHUNKED_MSG_H

#include <string.h>

#include "common/crypto/chunked.h"

/* ${out} takes CHUNKED_PREFIX_LEN + chunked_sealed_len(msg.len) bytes and must not overlap ${msg}.
 */
static inline int chunked_msg_seal(const uint8_t key[CHUNKED_KEY_LEN],
                                   const uint8_t salt[CHUNKED_SALT_LEN], struct part context,
                                   struct part msg, uint8_t *out)
{
    const struct chunked_run run = {.first = 0, .final = true, .in = msg};
    struct chunked *c = NULL;
    int rc = chunked_new(&c, key, salt, context);

    if (rc == ERR_OK) {
        memcpy(out, salt, CHUNKED_SALT_LEN);
        memcpy(out + CHUNKED_SALT_LEN, chunked_commitment(c), CHUNKED_COMMITMENT_LEN);
        rc = chunked_seal_run(c, &run, out + CHUNKED_PREFIX_LEN);
    }
    chunked_free(c);
    return rc;
}

/* ${out} takes in.len bytes (less is written) and must not overlap ${in}. */
static inline int chunked_msg_open(const uint8_t key[CHUNKED_KEY_LEN], struct part context,
                                   struct part in, uint8_t *out, size_t *ret_len)
{
    const uint8_t *bytes = in.data;
    struct chunked_run run = {.first = 0, .final = true};
    struct chunked *c = NULL;
    int rc;

    if (in.len < CHUNKED_PREFIX_LEN)
        return ERR_INTEGRITY;
    rc = chunked_new(&c, key, bytes, context);
    if (rc == ERR_OK)
        rc = chunked_check(c, bytes + CHUNKED_SALT_LEN);
    if (rc == ERR_OK) {
        run.in = part(bytes + CHUNKED_PREFIX_LEN, in.len - CHUNKED_PREFIX_LEN);
        rc = chunked_open_run(c, &run, out, ret_len);
    }
    chunked_free(c);
    return rc;
}

#endif /* TESTS_CHUNKED_MSG_H */
