/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload_entry - the bytes of an upload's log (proto/FORMATS.md section 15.4).
 * Bytes in, bytes out.  Threads: any.  Never blocks.
 * Errors: ERR_CORRUPT, ERR_NOMEM, ERR_INTERNAL.
 */
#ifndef CLIENT_LOCAL_UPLOAD_ENTRY_H
#define CLIENT_LOCAL_UPLOAD_ENTRY_H

#include "client/local/upload.h"

enum {
    UPLOAD_ENTRY_MAX = 1 << 20, /* bytes of a sealed entry */
    UPLOAD_LOG_MAX = 512 << 20, /* bytes of a log */
    UPLOAD_PATH_MAX = 8192,
};

enum upload_kind { UPLOAD_BEGIN = 1, UPLOAD_LEAVES = 2, UPLOAD_SEALED = 3 };

/* Where an entry stands, to which it is bound. */
struct upload_place {
    const uint8_t *id; /* of the log, VAULT_RECORD_ID_LEN bytes */
    uint64_t number;   /* from 1 */
    enum upload_kind kind;
};

/* Append an entry to ${out}. */
MUST_CHECK int upload_entry_seal(const struct vault_keys *keys, const struct upload_place *place,
                                 struct part plain, struct buf *out, struct err *err);

struct upload_entry {
    enum upload_kind kind;
    struct secret plain; /* the caller frees it */
};

/*
 * Open the entry of ${place}, whose kind is not read, at the front of ${r}, which moves behind it.
 * ERR_NOTFOUND: the log ends here, whole or torn.
 */
MUST_CHECK int upload_entry_open(const struct vault_keys *keys, const struct upload_place *place,
                                 struct rd *r, struct upload_entry *ret, struct err *err);

/* The first entry's plaintext. */
MUST_CHECK int upload_entry_pack(const struct upload *u, struct secret *ret, struct err *err);
MUST_CHECK int upload_entry_parse(const struct secret *plain, struct upload *ret, struct err *err);

#endif /* CLIENT_LOCAL_UPLOAD_ENTRY_H */
