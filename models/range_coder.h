/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range_coder - symbols with integer probabilities to bytes and back; the same
 * on every machine.
 *
 * Probabilities are counts out of 2^RANGE_BITS.  The bytes are the first ones
 * of a number; zeros follow it without end, so that an encoding may be padded
 * with zeros and a reader never reads beyond its bytes.
 *
 * Threads: any, each with its own coder.
 */
#ifndef MODELS_RANGE_CODER_H
#define MODELS_RANGE_CODER_H

#include <stddef.h>
#include <stdint.h>

enum { RANGE_BITS = 16 };

struct range_enc {
    uint64_t low;
    uint32_t range;
    uint8_t cache;
    uint64_t pending; /* bytes that a carry may still change */
    uint8_t *out;
    size_t len, size; /* len may pass size: bytes that did not fit are only counted */
    size_t needed;    /* up to the last byte that is not 0 */
};

/* Write into ${out}, ${size} zero bytes. */
void range_enc_start(struct range_enc *e, uint8_t *out, size_t size);

/* A symbol that begins at ${low} and has ${count} > 0; low + count <= 2^RANGE_BITS. */
void range_enc_put(struct range_enc *e, uint32_t low, uint32_t count);

/* The low ${n} bits of ${value}, all equally likely; n <= 16. */
void range_enc_bits(struct range_enc *e, uint32_t value, unsigned n);

/* End it.  Returns how many bytes are needed; more than the size if they did not fit. */
size_t range_enc_end(struct range_enc *e);

struct range_dec {
    uint32_t code, range;
    const uint8_t *at, *end;
};

/* Read from ${data}; it must stay as long as the coder is used. */
void range_dec_start(struct range_dec *d, const uint8_t *data, size_t len);

/*
 * Read one of ${symbols} symbols, where ${sums} has symbols + 1 entries: symbol
 * i is sums[i] to sums[i + 1] - 1, sums[0] is 0, the last one 2^RANGE_BITS.
 */
unsigned range_dec_get(struct range_dec *d, const uint32_t *sums, unsigned symbols);

/* ${n} equally likely bits; n <= 16. */
uint32_t range_dec_bits(struct range_dec *d, unsigned n);

#endif /* MODELS_RANGE_CODER_H */
