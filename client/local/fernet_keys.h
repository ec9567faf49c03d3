/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fernet_keys - the key files of 'satchel fernet' (FORMATS.md section 20.2):
 * keys as text, one a line, or the salt and count that make one from a
 * passphrase.  Bytes in, bytes out, read strictly.
 *
 * Errors: ERR_INVALID (no key file; says which line), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any.  With a passphrase it takes a quarter of a second: not for a loop.
 */
#ifndef CLIENT_LOCAL_FERNET_KEYS_H
#define CLIENT_LOCAL_FERNET_KEYS_H

#include "common/buf.h"
#include "common/crypto/fernet.h"

enum {
    FERNET_KEYS_MAX = 64,        /* of one list */
    FERNET_KEYS_SALT_LEN = 16,   /* bytes */
    FERNET_KEYS_ROUNDS = 600000, /* written, and the fewest that are read */
    FERNET_KEYS_ROUNDS_MAX = 100000000,
    FERNET_KEYS_FILE_MAX = FERNET_KEYS_MAX * (FERNET_KEY_TEXT + 1)
};

/* A list of keys: FERNET_KEY_LEN bytes each, the first seals.  Zeroed is empty. */
struct fernet_keys {
    struct secret bytes;
};

void fernet_keys_free(struct fernet_keys *k); /* wipes */

/* Gives the passphrase for a file that needs one. */
typedef int fernet_keys_ask(void *cookie, struct secret *ret_passphrase, struct err *err);

struct fernet_keys_file {
    struct part bytes;
    const char *name; /* for messages */
    fernet_keys_ask *ask;
    void *cookie; /* for `ask` */
};

/* Add the keys of a file behind those there. */
MUST_CHECK int fernet_keys_add(struct fernet_keys *k, const struct fernet_keys_file *file,
                               struct err *err);

/* Append the file of a passphrase, with a new salt. */
MUST_CHECK int fernet_keys_salt_file(struct buf *out, struct err *err);

/* A file with one new key. */
MUST_CHECK int fernet_keys_new_file(struct secret *ret, struct err *err);

#endif /* CLIENT_LOCAL_FERNET_KEYS_H */
