/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault_file - the bytes of a vault's key file (proto/FORMATS.md
 * section 15.1), which wraps the master key under factors.  Bytes in, bytes out.
 *
 * Errors: ERR_PASSPHRASE for everything that does not open (a wrong factor and
 * damage are not told apart), ERR_UNSUPPORTED (an undamaged vault of another
 * version, or with a factor that is not known), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any.  With a passphrase opening and making take 128 MiB and
 * about half a second: not for the loop thread.
 */
#ifndef CLIENT_LOCAL_VAULT_FILE_H
#define CLIENT_LOCAL_VAULT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/crypto/part.h"
#include "common/err.h"
#include "common/secret.h"

enum {
    VAULT_FILE_VERSION = 1,
    VAULT_FILE_ID_LEN = 16,
    VAULT_FILE_KEY_LEN = 32, /* master key, device secret */
    VAULT_FILE_MAX = 4096,   /* bytes of the file */
    VAULT_FILE_FACTORS_MAX = 8
};

/*
 * Which factors a vault has; every one of them is needed.  VAULT_KEYRING is the device secret too,
 * kept in the desktop's keyring instead of a file; no vault has both.
 */
enum vault_factor { VAULT_PASSPHRASE = 1, VAULT_DEVICE = 2, VAULT_KEYRING = 3 };

/* What the factors are opened with; NULL: not at hand, or not to be used. */
struct vault_factors {
    const struct secret *passphrase; /* 1 byte or more */
    const struct secret *device;     /* VAULT_FILE_KEY_LEN bytes */
    bool keyring;                    /* wrapping: that is where ${device} is kept */
};

/* What a vault says about itself; public. */
struct vault_view {
    uint8_t id[VAULT_FILE_ID_LEN];
    bool passphrase; /* opening needs one */
    bool keyring;    /* the device secret is in the desktop's keyring */
};

/* An opened vault's keys. */
struct vault_keys {
    uint8_t id[VAULT_FILE_ID_LEN];
    struct secret master;
};

void vault_keys_free(struct vault_keys *k); /* NULL is fine */

/* Draw a vault ID and a master key. */
MUST_CHECK int vault_file_new(struct vault_keys *ret, struct err *err);

/* Append a vault that wraps the keys under the factors given, at least one. */
MUST_CHECK int vault_file_wrap(const struct vault_keys *keys, const struct vault_factors *factors,
                               struct buf *out, struct err *err);

/* Unwrap.  A factor that is not given although the vault has it: ERR_PASSPHRASE. */
MUST_CHECK int vault_file_unwrap(struct part file, const struct vault_factors *factors,
                                 struct vault_keys *ret, struct err *err);

/* Say that a vault does not open, and what can be done: ERR_PASSPHRASE. */
int vault_file_shut(struct err *err);

/* What is needed for opening?  The same errors. */
MUST_CHECK int vault_file_look(struct part file, struct vault_view *ret, struct err *err);

#endif /* CLIENT_LOCAL_VAULT_FILE_H */
