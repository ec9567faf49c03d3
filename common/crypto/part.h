/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part - a borrowed view of bytes, and lists of them, so that what is hashed
 * need not be copied together first.
 *
 *     kdf_f(out, PART_OF(seed), "base", PARTS(PART_OF(tid), PART_OF(uid)));
 */
#ifndef COMMON_CRYPTO_PART_H
#define COMMON_CRYPTO_PART_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/secret.h"

/* ${data} may be NULL only when ${len} is 0. */
struct part {
    const void *data;
    size_t len;
};

/* The whole of an array (not of a pointer). */
#define PART_OF(array) ((struct part){(array), sizeof(array)})

/* A list of at least one part, as the two arguments "parts, n". */
#define PARTS(...)                                                                                 \
    (const struct part[]){__VA_ARGS__},                                                            \
        sizeof((const struct part[]){__VA_ARGS__}) / sizeof(struct part)

/* ${len} bytes at ${data}, borrowed. */
static inline struct part part(const void *data, size_t len)
{
    return (struct part){data, len};
}

/* Without the final NUL. */
static inline struct part part_str(const char *s)
{
    return (struct part){s, strlen(s)};
}

/* The bytes of a secret, borrowed. */
static inline struct part part_secret(const struct secret *s)
{
    return (struct part){s->data, s->len};
}

/* Functions of libraries that take NULL for "unchanged" get an address even for nothing. */
static inline const uint8_t *part_bytes(struct part p)
{
    return p.data != NULL ? p.data : (const uint8_t *)"";
}

#endif /* COMMON_CRYPTO_PART_H */
