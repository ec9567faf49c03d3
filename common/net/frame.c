/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/frame.h"

#include <assert.h>
#include <stdlib.h>

int frame_prefix(uint8_t ret_prefix[FRAME_PREFIX], size_t head_len, size_t tail_len,
                 struct err *err)
{
    if (head_len > FRAME_HEAD_MAX || tail_len > FRAME_TAIL_MAX)
        return err_set(err, ERR_TOOLARGE, "a frame of %zu and %zu bytes", head_len, tail_len);
    if (head_len == 0)
        return err_set(err, ERR_INVALID, "a frame without a head");
    put_be32(ret_prefix, (uint32_t)head_len);
    put_be32(ret_prefix + 4, (uint32_t)tail_len);
    return ERR_OK;
}

void frame_free(struct frame *f)
{
    buf_free(&f->head);
    buf_free(&f->tail);
}

void frame_reader_init(struct frame_reader *r)
{
    *r = (struct frame_reader){.head_max = FRAME_HEAD_MAX, .tail_max = FRAME_TAIL_MAX};
}

void frame_reader_free(struct frame_reader *r)
{
    frame_free(&r->frame);
}

void frame_reader_limit(struct frame_reader *r, size_t head_max, size_t tail_max)
{
    r->head_max = (uint32_t)(head_max < FRAME_HEAD_MAX ? head_max : FRAME_HEAD_MAX);
    r->tail_max = (uint32_t)(tail_max < FRAME_TAIL_MAX ? tail_max : FRAME_TAIL_MAX);
}

/* Exactly ${len} bytes: buf_reserve() would take more than the frame asks for. */
static int part_alloc(struct buf *part, uint32_t len, struct err *err)
{
    uint8_t *data;

    if (part->data != NULL)
        return ERR_OK;
    data = malloc(len);
    if (data == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a frame of %u bytes", (unsigned)len);
    part->data = data;
    part->cap = len;
    return ERR_OK;
}

int frame_reader_want(struct frame_reader *r, uint8_t **ret_at, size_t *ret_len, struct err *err)
{
    struct buf *part = &r->frame.head;
    uint32_t len = r->head_len;
    int rc;

    if (r->failed)
        return err_set(err, ERR_PROTO, "a frame was refused before");
    if (r->prefix_have < FRAME_PREFIX) {
        *ret_at = r->prefix + r->prefix_have;
        *ret_len = (size_t)(FRAME_PREFIX - r->prefix_have);
        return ERR_OK;
    }
    if (part->len == len) {
        part = &r->frame.tail;
        len = r->tail_len;
    }
    assert(part->len < len);
    rc = part_alloc(part, len, err);
    if (rc != ERR_OK)
        return rc;
    *ret_at = part->data + part->len;
    *ret_len = len - part->len;
    return ERR_OK;
}

static int on_prefix(struct frame_reader *r, struct err *err)
{
    r->head_len = get_be32(r->prefix);
    r->tail_len = get_be32(r->prefix + 4);
    if (r->head_len >= 1 && r->head_len <= r->head_max && r->tail_len <= r->tail_max)
        return ERR_OK;
    r->failed = true;
    return err_set(err, ERR_PROTO, "a frame of %u and %u bytes where %u and %u are allowed",
                   (unsigned)r->head_len, (unsigned)r->tail_len, (unsigned)r->head_max,
                   (unsigned)r->tail_max);
}

int frame_reader_got(struct frame_reader *r, size_t n, struct frame *ret, struct err *err)
{
    int rc = ERR_OK;

    if (r->prefix_have < FRAME_PREFIX) {
        assert(n <= (size_t)(FRAME_PREFIX - r->prefix_have));
        r->prefix_have = (uint8_t)(r->prefix_have + n);
        if (r->prefix_have < FRAME_PREFIX)
            return ERR_AGAIN;
        rc = on_prefix(r, err);
    } else {
        struct buf *part = r->frame.head.len < r->head_len ? &r->frame.head : &r->frame.tail;

        assert(n <= part->cap - part->len);
        part->len += n;
    }
    if (rc != ERR_OK)
        return rc;
    if (r->frame.head.len < r->head_len || r->frame.tail.len < r->tail_len)
        return ERR_AGAIN;
    *ret = r->frame;
    r->frame = (struct frame){{0}, {0}};
    r->prefix_have = 0;
    return ERR_OK;
}

enum frame_stage frame_reader_stage(const struct frame_reader *r)
{
    if (r->prefix_have == 0)
        return FRAME_NONE;
    if (r->prefix_have < FRAME_PREFIX || r->frame.head.len < r->head_len)
        return FRAME_IN_HEAD;
    return FRAME_IN_TAIL;
}
