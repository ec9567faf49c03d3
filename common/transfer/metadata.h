/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata - file name, size, message: packed, padded and sealed
 * (proto/FORMATS.md section 8), and MKID of section 7.
 *
 * Errors: ERR_INVALID (the message names the field), ERR_UNSUPPORTED (version,
 * kind), ERR_INTEGRITY (does not open), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_METADATA_H
#define COMMON_TRANSFER_METADATA_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/secret.h"
#include "common/transfer/ids.h"

enum {
    METADATA_NAME_MAX = 255,
    METADATA_TYPE_MAX = 127,
    METADATA_MESSAGE_MAX = 16384,
    METADATA_PREVIEW_MAX = 2048,
    METADATA_WEIGHTS_LEN = 4,
    METADATA_STEP = 1024,
    METADATA_PLAIN_MAX = 32768,
    METADATA_SEALED_MAX = METADATA_PLAIN_MAX + 16
};

enum metadata_kind { METADATA_FILE = 0, METADATA_ARCHIVE = 1 };

/*
 * What a name or a message holds is as hostile as its sender: any bytes but
 * NUL (and '/' in names), control characters and escapes among them.
 */
struct metadata {
    char name[METADATA_NAME_MAX + 1];       /* any bytes; 1 to 255, no '/', not "." or ".." */
    char media_type[METADATA_TYPE_MAX + 1]; /* UTF-8; may be empty, as the two below */
    char *message;    /* UTF-8, at most METADATA_MESSAGE_MAX bytes; owned; NULL: none */
    uint8_t *preview; /* Fernet token; owned; NULL: none */
    size_t preview_len;
    bool weights_told; /* it says which weights the preview needs; never without a preview */
    uint8_t preview_weights[METADATA_WEIGHTS_LEN];
    uint64_t length;   /* true bytes of the body */
    uint64_t modified; /* milliseconds since 1970 UTC; 0: unknown */
    enum metadata_kind kind;
};

void metadata_free(struct metadata *m); /* wipes and empties; NULL is fine */

/* The rules of a name: 1 to 255 bytes, no '/', no NUL, not "." or "..". */
MUST_CHECK int metadata_check_name(struct part name, struct err *err);

/* MKID, which commits to ${mek} (32 bytes). */
MUST_CHECK int metadata_mkid(const struct secret *mek, const struct tid *tid,
                             struct hash32 *ret_mkid);

/* The key of the preview's Fernet token. */
MUST_CHECK int metadata_preview_key(const struct secret *mek, const struct tid *tid,
                                    struct secret *ret_key, struct err *err);

/* Seal; appends to ${out}.  ${mek} is drawn anew for every plaintext. */
MUST_CHECK int metadata_seal(const struct secret *mek, const struct tid *tid,
                             const struct metadata *m, struct buf *out, struct err *err);

/* Open; MKID and the ciphertext's hash have been checked before (receive.h does).  Free with
 * metadata_free(). */
MUST_CHECK int metadata_open(const struct secret *mek, const struct tid *tid, struct part sealed,
                             struct metadata *ret_m, struct err *err);

/* The parts of the two above, without encryption: for tests and other tools. */
MUST_CHECK int metadata_pack(const struct metadata *m, struct buf *out, struct err *err);
MUST_CHECK int metadata_unpack(struct part plain, struct metadata *ret_m, struct err *err);

#endif /* COMMON_TRANSFER_METADATA_H */
