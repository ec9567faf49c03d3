/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How libFuzzer changes an input that is 1 byte and then items of u8 what,
 * u16 length and so many bytes: item by item, so that a change in one does
 * not make another thing of those behind it.
 */
#include <string.h>

#include "common/buf.h"
#include "tests/fuzz/fuzz.h"

enum { ITEM_HEAD = 3, ITEMS_MAX = 64, ITEM_DATA = 2048, WHATS = 12 };

/* libFuzzer's own, and the two that it calls. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
                                 uint8_t *out, size_t max, unsigned seed);

struct item {
    uint8_t what;
    size_t len;
    const uint8_t *data;
};

struct items {
    uint8_t first;
    size_t n;
    struct item item[ITEMS_MAX];
};

static void cut(const uint8_t *data, size_t size, struct items *ret)
{
    struct rd r = rd_make(data, size);

    *ret = (struct items){.first = rd_u8(&r)};
    while (r.left >= ITEM_HEAD && ret->n < ITEMS_MAX) {
        struct item *i = &ret->item[ret->n++];

        i->what = rd_u8(&r);
        i->len = rd_u16(&r);
        i->len = i->len < r.left ? i->len : r.left;
        i->data = rd_take(&r, i->len);
    }
}

/* Those that fit. */
static size_t join(const struct items *all, uint8_t *out, size_t max)
{
    struct buf b = {0};
    size_t len;

    buf_u8(&b, all->first);
    for (size_t i = 0; i < all->n && b.len + ITEM_HEAD + all->item[i].len <= max; i++) {
        buf_u8(&b, all->item[i].what);
        buf_u16(&b, (uint16_t)all->item[i].len);
        buf_put(&b, all->item[i].data, all->item[i].len);
    }
    MUST(buf_check(&b, NULL) == ERR_OK);
    len = b.len < max ? b.len : max;
    memcpy(out, b.data, len);
    buf_free(&b);
    return len;
}

static unsigned draw(unsigned *seed, size_t below)
{
    *seed = *seed * 1664525U + 1013904223U;
    return below > 0 ? (*seed >> 8) % (unsigned)below : 0;
}

/* The bytes of one item, in memory of ours. */
static void change_data(struct item *i, uint8_t bytes[ITEM_DATA])
{
    size_t len = i->len < ITEM_DATA ? i->len : ITEM_DATA;

    memcpy(bytes, i->data != NULL ? i->data : bytes, len);
    i->len = LLVMFuzzerMutate(bytes, len, ITEM_DATA);
    i->data = bytes;
}

static void insert(struct items *all, size_t at, struct item item)
{
    if (all->n == ITEMS_MAX)
        return;
    memmove(&all->item[at + 1], &all->item[at], (all->n - at) * sizeof(item));
    all->item[at] = item;
    all->n++;
}

static void take_out(struct items *all, size_t at)
{
    all->n--;
    memmove(&all->item[at], &all->item[at + 1], (all->n - at) * sizeof(all->item[0]));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint8_t bytes[ITEM_DATA] = {0};
    struct items all;
    size_t at, other;
    struct item keep;

    cut(data, size, &all);
    at = draw(&seed, all.n);
    other = draw(&seed, all.n);
    keep = all.item[other];
    if (all.n == 0) {
        insert(&all, 0, (struct item){1, 0, NULL});
        change_data(&all.item[0], bytes);
        return join(&all, data, max);
    }
    switch (draw(&seed, 12)) {
    case 0:
        all.first = (uint8_t)draw(&seed, 256);
        break;
    case 1:
        all.item[at].what = (uint8_t)draw(&seed, WHATS);
        break;
    case 2:
        take_out(&all, at);
        break;
    case 3:
        insert(&all, at, keep);
        break;
    case 4:
        all.item[other] = all.item[at];
        all.item[at] = keep;
        break;
    case 5: /* without data: a turn, for instance */
        insert(&all, at, (struct item){(uint8_t)draw(&seed, WHATS), 0, NULL});
        break;
    default:
        change_data(&all.item[at], bytes);
        break;
    }
    return join(&all, data, max);
}

/* The beginning of one, the end of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
                                 uint8_t *out, size_t max, unsigned seed)
{
    struct items one, two;
    size_t from;

    cut(a, a_len, &one);
    cut(b, b_len, &two);
    one.n = draw(&seed, one.n + 1);
    for (from = draw(&seed, two.n + 1); from < two.n && one.n < ITEMS_MAX; from++)
        one.item[one.n++] = two.item[from];
    return join(&one, out, max);
}
