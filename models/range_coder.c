/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte-wise range coder of LZMA (I. Pavlov), for many symbols instead of
 * bits.  Its first byte is always 0 and is left out.
 */
#include "models/range_coder.h"

#include <stdbool.h>

enum { TOP = 1 << 24 };

void range_enc_start(struct range_enc *e, uint8_t *out, size_t size)
{
    *e = (struct range_enc){.range = UINT32_MAX, .pending = 1, .out = out, .size = size};
}

static void emit(struct range_enc *e, uint8_t byte)
{
    if (e->len > 0 && e->len <= e->size) /* number 0 is the one left out */
        e->out[e->len - 1] = byte;
    if (e->len > 0 && byte != 0)
        e->needed = e->len;
    e->len++;
}

static void shift(struct range_enc *e)
{
    if (e->low < 0xFF000000U || e->low > UINT32_MAX) {
        uint8_t carry = (uint8_t)(e->low >> 32), byte = e->cache;

        for (; e->pending > 0; e->pending--, byte = 0xFF)
            emit(e, (uint8_t)(byte + carry));
        e->cache = (uint8_t)(e->low >> 24);
    }
    e->pending++;
    e->low = (e->low & 0x00FFFFFFU) << 8;
}

static void narrow(struct range_enc *e, uint32_t unit, uint32_t low, uint32_t count)
{
    e->low += (uint64_t)low * unit;
    e->range = count * unit;
    while (e->range < TOP) {
        e->range <<= 8;
        shift(e);
    }
}

void range_enc_put(struct range_enc *e, uint32_t low, uint32_t count)
{
    narrow(e, e->range >> RANGE_BITS, low, count);
}

void range_enc_bits(struct range_enc *e, uint32_t value, unsigned n)
{
    narrow(e, e->range >> n, value & ((1U << n) - 1), 1);
}

/* The number in the range with the most zeros at its end. */
static uint64_t roundest(uint64_t low, uint32_t range)
{
    for (unsigned zeros = 32; zeros > 0; zeros--) {
        uint64_t mask = ((uint64_t)1 << zeros) - 1, value = (low + mask) & ~mask;

        if (value - low < range)
            return value;
    }
    return low;
}

size_t range_enc_end(struct range_enc *e)
{
    e->low = roundest(e->low, e->range);
    for (int i = 0; i < 5; i++)
        shift(e);
    return e->needed;
}

static uint8_t next(struct range_dec *d)
{
    return d->at < d->end ? *d->at++ : 0;
}

void range_dec_start(struct range_dec *d, const uint8_t *data, size_t len)
{
    *d = (struct range_dec){.range = UINT32_MAX, .at = data, .end = data + len};
    for (int i = 0; i < 4; i++)
        d->code = d->code << 8 | next(d);
}

/* Which of the ${total} units the code is in; damaged bytes are led back into the range. */
static uint32_t unit_of(const struct range_dec *d, uint32_t unit, uint32_t total)
{
    uint32_t v = d->code / unit;

    return v < total ? v : total - 1;
}

static void take(struct range_dec *d, uint32_t unit, uint32_t low, uint32_t count)
{
    d->code -= low * unit;
    d->range = count * unit;
    while (d->range < TOP) {
        d->code = d->code << 8 | next(d);
        d->range <<= 8;
    }
}

unsigned range_dec_get(struct range_dec *d, const uint32_t *sums, unsigned symbols)
{
    uint32_t unit = d->range >> RANGE_BITS, v = unit_of(d, unit, 1U << RANGE_BITS);
    unsigned low = 0, high = symbols;

    while (high - low > 1) {
        unsigned middle = (low + high) / 2;

        if (v >= sums[middle])
            low = middle;
        else
            high = middle;
    }
    take(d, unit, sums[low], sums[low + 1] - sums[low]);
    return low;
}

uint32_t range_dec_bits(struct range_dec *d, unsigned n)
{
    uint32_t unit = d->range >> n, v = unit_of(d, unit, 1U << n);

    take(d, unit, v, 1);
    return v;
}
