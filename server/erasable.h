/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erasable - keys that can be destroyed, on a loop.
 *
 * The file is erasable_file.h's; a thread of its own does the work.  All writes that
 * wait share one fdatasync, all erasures one more for their journal.
 *
 * Asynchronous: a start call that returns ERR_OK is followed by exactly one callback on the loop,
 * never from inside the start call; ERR_OK there means durable.  ERR_BUSY from a start
 * call: too many under way.  There is no cancel: operations take a fraction of a millisecond.
 * Threads: everything on the loop's thread.
 */
#ifndef SERVER_ERASABLE_H
#define SERVER_ERASABLE_H

#include <uv.h>

#include "common/err.h"
#include "common/secret.h"
#include "server/erasable_file.h"

struct erasable;

enum { ERASABLE_MAX = ERASABLE_JOURNAL_MAX }; /* cells of one request */

/* The callback owns it and frees it with erasable_result_free(), which wipes the keys. */
struct erasable_result {
    int code;      /* each kind of request says which */
    char why[128]; /* for the log; no keys */
    uint64_t day_cell;
    struct secret day_key;
    size_t n;
    uint64_t *cells;
    int *codes;         /* erasable_read(): of each cell */
    struct secret keys; /* n times ERASABLE_KEY_LEN bytes, in the order of ${cells} */
    unsigned days;      /* erasable_destroy_days(): keys destroyed */
};

typedef void erasable_cb(void *arg, struct erasable_result *res);

void erasable_result_free(struct erasable_result *res); /* NULL is fine */

/* Blocks; errors of erasable_file_open(). */
MUST_CHECK int erasable_open(struct erasable **ret_e, const char *path, uv_loop_t *loop,
                             struct err *err);

/* No start call after this one; callbacks under way still come, then ${on_closed} (may be NULL). */
void erasable_close(struct erasable *e, void (*on_closed)(void *arg), void *arg);

/*
 * New keys for ${n} (1 to ERASABLE_MAX) recipient slots that expire on ${day} (UTC days since
 * 1970).
 * ${keys}: n times 32 bytes; ${day_key}: 32 bytes, used if the day has no key yet; NULL: drawn with
 * RAND_priv_bytes.  Both are copied.  Result: day_cell, day_key, cells, keys.  Codes: ERR_EXPIRED
 * (the day is destroyed), ERR_LIMIT, ERR_INVALID, ERR_NOMEM, ERR_IO, ERR_FULL.
 */
struct erasable_new {
    uint32_t day;
    size_t n;
    const struct secret *keys, *day_key;
};
MUST_CHECK int erasable_new(struct erasable *e, const struct erasable_new *in, erasable_cb *cb,
                            void *arg);

/*
 * Read ${n} cells.  Result: keys (zeros where there is none), codes: ERR_EXPIRED erased,
 * ERR_NOTFOUND, ERR_CORRUPT; res->code is the first of them that is not ERR_OK.
 */
MUST_CHECK int erasable_read(struct erasable *e, const uint64_t *cells, size_t n, erasable_cb *cb,
                             void *arg);

/*
 * Destroy ${n} keys: gone when the callback comes, a read before that may still find them.  Erased
 * or unknown ones are fine.  Codes: ERR_IO.
 */
MUST_CHECK int erasable_erase(struct erasable *e, const uint64_t *cells, size_t n, erasable_cb *cb,
                              void *arg);

/*
 * To be called every few minutes: erasable_file_destroy_days().  Codes: ERR_REFUSED: the clock has
 * jumped, an operator must look at it; ERR_IO.
 */
MUST_CHECK int erasable_destroy_days(struct erasable *e, uint64_t now, erasable_cb *cb, void *arg);

/* The operator confirms the time: erasable_file_confirm().  Codes: ERR_IO. */
MUST_CHECK int erasable_confirm(struct erasable *e, uint64_t now, erasable_cb *cb, void *arg);

#endif /* SERVER_ERASABLE_H */
