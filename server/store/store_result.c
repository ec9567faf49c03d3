/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store_result.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/store_engine.h"

enum { CHUNK = 2048 };

/* Memory of a result: handed out from the front, freed all at once. */
struct store_chunk {
    struct store_chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
};

void *store_result_alloc(struct store_result *res, size_t len)
{
    struct store_chunk *c = res->memory;
    size_t size;
    void *p;

    if (len > SIZE_MAX / 2)
        return NULL;
    len = (len + 15) & ~(size_t)15;
    if (c == NULL || c->size - c->used < len) {
        size = len > CHUNK ? len : CHUNK;
        c = malloc(sizeof(*c) + size);
        if (c == NULL)
            return NULL;
        c->next = res->memory;
        c->used = 0;
        c->size = size;
        res->memory = c;
    }
    p = c->bytes + c->used;
    c->used += len;
    res->bytes += len;
    memset(p, 0, len);
    return p;
}

void store_result_reset(struct store_result *res)
{
    struct store_chunk *next;

    if (res->pieces_inside)
        for (size_t i = 0; i < res->count; i++)
            free(res->u.pieces[i].data);
    for (struct store_chunk *c = res->memory; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    *res = (struct store_result){0};
}

void store_result_free(struct store_result *res)
{
    if (res == NULL)
        return;
    store_result_reset(res);
    free(res);
}

uint8_t *store_piece_take(struct store_result *res, size_t i)
{
    uint8_t *data = NULL;

    if (res->pieces_inside && i < res->count) {
        data = res->u.pieces[i].data;
        res->u.pieces[i].data = NULL;
    }
    return data;
}

int store_fail(struct store_result *res, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(res->why, sizeof(res->why), fmt, ap);
    va_end(ap);
    res->code = code;
    return code;
}
