/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

uint8_t *buf_reserve(struct buf *b, size_t more)
{
    if (b->failed || more > SIZE_MAX / 2 - b->len) {
        b->failed = true;
        return NULL;
    }
    if (b->data == NULL || b->len + more > b->cap) {
        size_t cap = b->cap * 2 > b->len + more ? b->cap * 2 : b->len + more + 64;
        uint8_t *data = realloc(b->data, cap);

        if (data == NULL) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_put(struct buf *b, const void *data, size_t len)
{
    uint8_t *to = buf_reserve(b, len);

    if (to == NULL || len == 0)
        return;
    memcpy(to, data, len);
    b->len += len;
}

void buf_u8(struct buf *b, uint8_t v)
{
    buf_put(b, &v, 1);
}

void buf_u16(struct buf *b, uint16_t v)
{
    uint8_t raw[2] = {(uint8_t)(v >> 8), (uint8_t)v};

    buf_put(b, raw, sizeof(raw));
}

void buf_u32(struct buf *b, uint32_t v)
{
    uint8_t raw[4];

    put_be32(raw, v);
    buf_put(b, raw, sizeof(raw));
}

void buf_u64(struct buf *b, uint64_t v)
{
    uint8_t raw[8];

    put_be64(raw, v);
    buf_put(b, raw, sizeof(raw));
}

void buf_lp(struct buf *b, const void *data, size_t len)
{
    if (len > UINT32_MAX) {
        b->failed = true;
        return;
    }
    buf_u32(b, (uint32_t)len);
    buf_put(b, data, len);
}

void buf_lp_str(struct buf *b, const char *s)
{
    buf_lp(b, s, strlen(s));
}

void buf_lp_u32(struct buf *b, uint32_t v)
{
    buf_u32(b, 4);
    buf_u32(b, v);
}

void buf_lp_u64(struct buf *b, uint64_t v)
{
    buf_u32(b, 8);
    buf_u64(b, v);
}

int buf_check(const struct buf *b, struct err *err)
{
    if (b->failed)
        return err_set(err, ERR_NOMEM, "out of memory");
    return ERR_OK;
}

struct rd rd_make(const void *data, size_t len)
{
    return (struct rd){.p = data, .left = len, .bad = false};
}

const uint8_t *rd_take(struct rd *r, size_t len)
{
    const uint8_t *at = r->p;

    if (r->bad || len > r->left) {
        r->bad = true;
        return NULL;
    }
    if (len > 0)
        r->p += len;
    r->left -= len;
    return at;
}

void rd_get(struct rd *r, void *out, size_t len)
{
    const uint8_t *at = rd_take(r, len);

    if (len == 0)
        return;
    if (at != NULL)
        memcpy(out, at, len);
    else
        memset(out, 0, len);
}

uint8_t rd_u8(struct rd *r)
{
    uint8_t v;

    rd_get(r, &v, 1);
    return v;
}

uint16_t rd_u16(struct rd *r)
{
    uint8_t raw[2];

    rd_get(r, raw, sizeof(raw));
    return (uint16_t)(raw[0] << 8 | raw[1]);
}

uint32_t rd_u32(struct rd *r)
{
    uint8_t raw[4];

    rd_get(r, raw, sizeof(raw));
    return get_be32(raw);
}

uint64_t rd_u64(struct rd *r)
{
    uint8_t raw[8];

    rd_get(r, raw, sizeof(raw));
    return get_be64(raw);
}

bool rd_done(const struct rd *r)
{
    return !r->bad && r->left == 0;
}

void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void put_be64(uint8_t *p, uint64_t v)
{
    put_be32(p, (uint32_t)(v >> 32));
    put_be32(p + 4, (uint32_t)v);
}

uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t get_be64(const uint8_t *p)
{
    return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}
