/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - bytes that grow, and a reader that cannot run past the end.
 *
 * Both carry a sticky failure flag: a run of puts or gets needs one check, at
 * its end.  All numbers are big-endian.  For public bytes only: secrets live
 * in struct secret.
 *
 * Threads: one at a time for each object.  Never blocks.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Zero-initialise to make an empty one; free with buf_free(). */
struct buf {
    uint8_t *data;
    size_t len, cap;
    bool failed; /* memory ran out; later puts do nothing */
};

void buf_free(struct buf *b);  /* frees the bytes and makes it empty again */
void buf_reset(struct buf *b); /* keeps the memory, forgets the bytes */

/* Make room for ${more} further bytes and return where they start; NULL when out of memory. */
uint8_t *buf_reserve(struct buf *b, size_t more);

/* Append bytes, or a number in big-endian order; a failure shows in buf_check(). */
void buf_put(struct buf *b, const void *data, size_t len);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v);
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);

/* LP(data) of FORMATS.md: u32 length, then the bytes. */
void buf_lp(struct buf *b, const void *data, size_t len);
void buf_lp_str(struct buf *b, const char *s); /* without the final NUL */
void buf_lp_u32(struct buf *b, uint32_t v);    /* LP of the 4 bytes */
void buf_lp_u64(struct buf *b, uint64_t v);

/* ERR_OK, or ERR_NOMEM if any put failed. */
MUST_CHECK int buf_check(const struct buf *b, struct err *err);

/* A view of bytes owned by somebody else, read from the front. */
struct rd {
    const uint8_t *p;
    size_t left;
    bool bad; /* asked for more than there was; later gets give zeros */
};

/* A view of ${len} bytes at ${data}, which must stay there while it is read. */
struct rd rd_make(const void *data, size_t len);
const uint8_t *rd_take(struct rd *r, size_t len); /* NULL and bad when short */
void rd_get(struct rd *r, void *out, size_t len); /* zeros when short */
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);

/* True if nothing was short and nothing is left. */
bool rd_done(const struct rd *r);

/* Big-endian numbers at fixed places. */
void put_be32(uint8_t *p, uint32_t v);
void put_be64(uint8_t *p, uint64_t v);
uint32_t get_be32(const uint8_t *p);
uint64_t get_be64(const uint8_t *p);

#endif /* COMMON_BUF_H */
