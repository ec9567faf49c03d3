/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_record - one sealed record of a vault (proto/FORMATS.md
 * section 15.2).  Bytes in, bytes out; every sealing has a key of its own.
 *
 * Errors: ERR_CORRUPT (damaged, of another vault or another place), ERR_NOMEM,
 * ERR_INTERNAL.  Threads: any.  Never blocks.
 */
#ifndef CLIENT_LOCAL_VAULT_RECORD_H
#define CLIENT_LOCAL_VAULT_RECORD_H

#include "client/local/vault_file.h"

enum { VAULT_RECORD_ID_LEN = 16, VAULT_RECORD_OVERHEAD = 56 /* bytes over its plaintext */ };

/* What a record is bound to besides the vault. */
struct vault_place {
    const char *table;
    const uint8_t *id; /* VAULT_RECORD_ID_LEN bytes */
    uint64_t number;   /* rises by 1 with each writing of the record */
};

/* Append the sealed record to ${out}. */
MUST_CHECK int vault_record_seal(const struct vault_keys *keys, const struct vault_place *place,
                                 struct part plain, struct buf *out, struct err *err);

/* The number it says it has and the length of its plaintext; only its shape is checked. */
MUST_CHECK int vault_record_look(struct part sealed, uint64_t *ret_number, size_t *ret_len,
                                 struct err *err);

/* Open into ${out}, which takes the plaintext; the number is the record's own, not the place's. */
MUST_CHECK int vault_record_open(const struct vault_keys *keys, const struct vault_place *place,
                                 struct part sealed, uint8_t *out, struct err *err);

#endif /* CLIENT_LOCAL_VAULT_RECORD_H */
