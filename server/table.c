/* SPDX-License-Identifier: Apache-2.0 */
#include "server/table.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/rng.h"

enum { SMALLEST = 16 }; /* places; a power of two */

struct head {
    uint8_t used, len;
    uint8_t key[TABLE_KEY_MAX];
};

struct table {
    uint8_t *places; /* each a struct head, then the value */
    size_t cap, len, value_at, stride;
    uint64_t seed;
};

int table_new(struct table **ret_t, size_t value_size, struct err *err)
{
    const size_t a = alignof(max_align_t);
    struct table *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a table");
    t->value_at = (sizeof(struct head) + a - 1) / a * a;
    t->stride = t->value_at + (value_size + a - 1) / a * a;
    if (rng_bytes(&t->seed, sizeof(t->seed)) != ERR_OK) {
        free(t);
        return err_set(err, ERR_INTERNAL, "the random number generator failed");
    }
    *ret_t = t;
    return ERR_OK;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    free(t->places);
    free(t);
}

size_t table_len(const struct table *t)
{
    return t->len;
}

static struct head *place(const struct table *t, size_t i)
{
    return (struct head *)(void *)(t->places + i * t->stride);
}

static void *value(const struct table *t, size_t i)
{
    return t->places + i * t->stride + t->value_at;
}

/* Multiply and fold 128 bits: one round for each 8 bytes. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static size_t home(const struct table *t, const void *key, size_t len)
{
    uint64_t h = t->seed ^ 0x9e3779b97f4a7c15ULL, word;
    const uint8_t *p = key;

    for (size_t left = len; left > 0;) {
        size_t n = left < sizeof(word) ? left : sizeof(word);

        word = 0;
        memcpy(&word, p, n);
        h = mix(h ^ word, t->seed | 1) + n;
        p += n;
        left -= n;
    }
    return (size_t)mix(h, 0xd6e8feb86659fd93ULL) & (t->cap - 1);
}

static bool is_key(const struct head *h, const void *key, size_t len)
{
    return h->len == len && memcmp(h->key, key, len) == 0;
}

/* The place of the key, or the free one where it belongs.  There is always a free one. */
static size_t find(const struct table *t, const void *key, size_t len)
{
    size_t i = home(t, key, len);

    while (place(t, i)->used && !is_key(place(t, i), key, len))
        i = (i + 1) & (t->cap - 1);
    return i;
}

void *table_get(const struct table *t, const void *key, size_t len)
{
    size_t i;

    if (t->len == 0 || len > TABLE_KEY_MAX)
        return NULL;
    i = find(t, key, len);
    return place(t, i)->used ? value(t, i) : NULL;
}

static bool grow(struct table *t)
{
    struct table old = *t;

    t->cap = old.cap > 0 ? old.cap * 2 : SMALLEST;
    t->places = calloc(t->cap, t->stride);
    if (t->places == NULL) {
        *t = old;
        return false;
    }
    for (size_t i = 0; i < old.cap; i++) {
        const struct head *h = place(&old, i);

        if (h->used)
            memcpy(place(t, find(t, h->key, h->len)), h, t->stride);
    }
    free(old.places);
    return true;
}

void *table_add(struct table *t, const void *key, size_t len)
{
    size_t i;

    if (len > TABLE_KEY_MAX || ((t->len + 1) * 4 > t->cap * 3 && !grow(t)))
        return NULL;
    i = find(t, key, len);
    if (!place(t, i)->used) {
        struct head *h = place(t, i);

        memset(h, 0, t->stride);
        h->used = 1;
        h->len = (uint8_t)len;
        memcpy(h->key, key, len);
        t->len++;
    }
    return value(t, i);
}

/* Linear probing without gravestones: move up what would no longer be found. */
static void remove_place(struct table *t, size_t hole)
{
    size_t i = hole;

    for (;;) {
        size_t want;

        place(t, hole)->used = 0;
        do {
            i = (i + 1) & (t->cap - 1);
            if (!place(t, i)->used) {
                t->len--;
                return;
            }
            want = home(t, place(t, i)->key, place(t, i)->len);
        } while (((i - want) & (t->cap - 1)) < ((i - hole) & (t->cap - 1)));
        memcpy(place(t, hole), place(t, i), t->stride);
        hole = i;
    }
}

void table_remove(struct table *t, const void *key, size_t len)
{
    size_t i;

    if (t->len == 0 || len > TABLE_KEY_MAX)
        return;
    i = find(t, key, len);
    if (place(t, i)->used)
        remove_place(t, i);
}

void *table_next(const struct table *t, size_t *pos)
{
    while (*pos < t->cap) {
        size_t i = (*pos)++;

        if (place(t, i)->used)
            return value(t, i);
    }
    return NULL;
}

void table_remove_at(struct table *t, size_t *pos)
{
    (*pos)--;
    remove_place(t, *pos);
}
