/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factor_row - a user's second factor: a TOTP key, the last code that was
 * taken, and the hashes of recovery codes that were not (FORMATS.md section 19).
 *
 * It is stored sealed under the daemon's factor key, so that a copy of the
 * store alone gives nobody's codes.  Pure but for random bytes.
 *
 * Errors: ERR_CORRUPT (it does not open), ERR_FACTOR (not a code that counts), ERR_RATE,
 * ERR_NOMEM, ERR_INTERNAL.  Threads: any.
 */
#ifndef SERVER_FACTOR_ROW_H
#define SERVER_FACTOR_ROW_H

#include "common/buf.h"
#include "common/crypto/totp.h"
#include "common/transfer/factor_code.h"
#include "common/transfer/ids.h"
#include "server/store/store_types.h"

enum {
    FACTOR_KEY_LEN = 20,       /* of HMAC-SHA1, as authenticator programs expect it */
    FACTOR_STEP = 30,          /* seconds */
    FACTOR_CODES = 10,         /* recovery codes */
    FACTOR_CODE_LEN = 16,      /* their characters, base32: 80 bits */
    FACTOR_CODE_TEXT = 16 + 4, /* in groups of four with '-' between, and a NUL */
    FACTOR_SEALED_MAX = STORE_FACTOR_MAX
};

/* A factor that was enrolled so long ago, in ms, is its owner's: see factor_row_settled(). */
#define FACTOR_SETTLED_MS ((uint64_t)FACTOR_SETTLED_DAYS * 24 * 3600 * 1000)

enum factor_state { FACTOR_NONE, FACTOR_PENDING, FACTOR_ACTIVE };

/* Zeroed: there is none. */
struct factor_row {
    enum factor_state state;
    struct secret key;
    uint64_t since;          /* ms since 1970: when it was enrolled, or became active */
    uint64_t enrolled;       /* the same as `since`, which is earlier in rows of former versions */
    struct device_id device; /* that made it active; zeros: not known */
    struct secret next;      /* of an active one: the key that waits to replace it; or empty */
    uint64_t next_last;      /* as last, of that key; not stored */
    uint64_t last;           /* number of the last step whose code was taken; 0: none */
    uint32_t n;              /* recovery codes that are left */
    uint32_t failed;         /* wrong one-time passwords since the last code that was taken */
    uint64_t failed_at;      /* ms since 1970: the newest of them; 0: none */
    uint8_t codes[FACTOR_CODES][HASH_SHA256_LEN];
};

void factor_row_free(struct factor_row *r); /* wipes */

/* Draw a new key: pending until a code of it has come. */
MUST_CHECK int factor_row_enrol(struct factor_row *r, uint64_t now_ms);

/* Of an active one: draw the key that replaces it as soon as a code of it has come. */
MUST_CHECK int factor_row_renew(struct factor_row *r);

/*
 * Take a one-time password of the key that waits, as factor_row_take() does.  Of a renewal wrong
 * ones are counted and wait as those of the active key do; the fifth in a row ends it.
 * ERR_BADSTATE: none waits.
 */
MUST_CHECK int factor_row_take_new(struct factor_row *r, const struct uid *uid, const char *code,
                                   uint64_t now_ms);

/* By whom and when a row becomes active. */
struct factor_confirm {
    struct uid uid;
    struct device_id device;
    uint64_t now_ms;
};

/*
 * The key that waits becomes the active one; ${codes} are its recovery codes, whose hashes alone it
 * keeps.  Its 7 days begin now, also where it takes the place of one that is settled.
 */
MUST_CHECK int factor_row_confirm(struct factor_row *r, const struct factor_confirm *by,
                                  char codes[FACTOR_CODES][FACTOR_CODE_TEXT]);

/*
 * Take ${code}, as somebody typed it: a one-time password of the step before,
 * now, or behind, newer than the last one taken; or, of an active row, a recovery code. Then
 * the row has changed and must be stored before anything is granted for it.
 *
 * A wrong one-time password of an active row is counted: ${r}->failed rises, and must be stored
 * before it is answered.  ERR_RATE: so many were wrong that the next has to wait, nothing was
 * looked at.  Recovery codes never wait: nobody guesses 80 bits.
 */
MUST_CHECK int factor_row_take(struct factor_row *r, const struct uid *uid, const char *code,
                               uint64_t now_ms);

/*
 * Is it active, and has it been for FACTOR_SETTLED_MS?  A younger one proves nothing of the
 * account's owner: whoever has got hold of a device could enrol one a moment ago.
 */
bool factor_row_settled(const struct factor_row *r, uint64_t now_ms);

/* So many ms until the next one-time password is looked at; 0: now. */
uint64_t factor_row_wait(const struct factor_row *r, uint64_t now_ms);

/* To and from the bytes that are stored as number ${number} of ${uid}; ${key} is 32 bytes. */
MUST_CHECK int factor_row_seal(const struct factor_row *r, const struct secret *key,
                               const struct uid *uid, uint64_t number, struct buf *out);
MUST_CHECK int factor_row_open(struct factor_row *ret, const struct secret *key,
                               const struct uid *uid, const struct store_factor *stored);

#endif /* SERVER_FACTOR_ROW_H */
