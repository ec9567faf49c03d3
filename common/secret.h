/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret - bytes that must not outlive their use.
 *
 * A key, seed, share, passphrase or token that is kept lives in a struct
 * secret.  Its memory comes from OpenSSL's secure heap: locked into RAM, left
 * out of core dumps, between guard pages, wiped when freed.  Where the system
 * refuses to lock memory the heap still keeps it out of dumps and wipes it.
 * What a function derives for its own use only may be an array on its stack,
 * which it wipes with secret_wipe() before it returns.
 *
 * Compare with secret_equal() (constant time); memcmp() on secrets and plain
 * free() of a structure that holds one are bugs that tests/lint looks for.
 *
 * Threads: the heap may be used from any thread; one object from one at a time.
 */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Zero-initialised is empty; a secret_free()d one is empty again. */
struct secret {
    uint8_t *data;
    size_t len;
};

/*
 * For programs that keep secrets, first in main(), before there are threads:
 * no core dumps, no other process of the same user that reads this one's
 * memory, and the heap is set up.  These are properties of the whole process,
 * so nothing in a library calls it.
 */
void secret_guard_process(void);

/*
 * Set up the heap (1 MiB), or take the one that the program has set up before.
 * The functions below do it themselves; who lets OpenSSL make a key in it
 * calls this first.  False: there is no such memory, now; asked again it
 * tries again.
 */
bool secret_setup(void);

/*
 * ${len} zero bytes; what ${s} held before is wiped.  ERR_NOMEM when there is
 * no heap, or it is used up.
 */
MUST_CHECK int secret_new(struct secret *s, size_t len, struct err *err);

/* As secret_new(), filled with a copy of ${data}. */
MUST_CHECK int secret_copy(struct secret *s, const void *data, size_t len, struct err *err);

/* Wipe and free; an empty one or NULL is fine. */
void secret_free(struct secret *s);

/* Move ${from} into ${to}: what ${to} held is wiped, ${from} becomes empty. */
void secret_move(struct secret *to, struct secret *from);

/* Cut to the first ${len} bytes (at most s->len); the rest is wiped. */
void secret_truncate(struct secret *s, size_t len);

/* Constant time in the contents; lengths are not secret. */
bool secret_equal(const void *a, const void *b, size_t len);

/* Wipe memory that is about to go out of scope and is not a struct secret. */
void secret_wipe(void *p, size_t len);

#endif /* COMMON_SECRET_H */
