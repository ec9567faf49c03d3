/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled with -O3 (CMakeLists.txt), for the speed is the compiler's: 16-bit
 * products of pairs become one instruction.  The variants are chosen by a
 * table and not by ifuncs, which run before sanitizers are ready.
 */
#include "models/keynet_plain.h"

#include <stddef.h>

#include "models/hot.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The bounds are constants (keynet_shapes), the sums stay below 2^22. */
ALWAYS_INLINE HOT_UNCHECKED void sums_body(const int8_t *weights, unsigned k, unsigned n,
                                           const uint8_t *in, int32_t *sums)
{
    int16_t wide[KEYNET_WIDEST];

    for (unsigned i = 0; i < k; i++)
        wide[i] = in[i];
    for (unsigned j = 0; j < n; j++) {
        const int8_t *row = weights + (size_t)j * k;
        int32_t sum = 0;

        for (unsigned i = 0; i < k; i++) {
            int16_t w = row[i];

            sum += wide[i] * w;
        }
        sums[j] = sum;
    }
}

ALWAYS_INLINE void finish_body(const struct keynet_params *p, unsigned layer, const int32_t *sums,
                               uint8_t *out)
{
    const struct keynet_shape *s = &keynet_shapes[layer];
    const int32_t *bias = p->bias + s->bias;
    int32_t max = (int32_t)s->max;
    unsigned shift = p->shift[layer];
    int32_t half = 1 << (shift - 1);

    for (unsigned j = 0; j < s->n; j++) {
        int32_t v = sums[j] + bias[j];

        v = ((v > 0 ? v : 0) + half) >> shift;
        out[j] = (uint8_t)(v < max ? v : max);
    }
}

#define VARIANT(tag, attributes)                                                                   \
    attributes HOT_UNCHECKED static void sums_##tag(const int8_t *weights, unsigned k, unsigned n, \
                                                    const uint8_t *in, int32_t *sums)              \
    {                                                                                              \
        sums_body(weights, k, n, in, sums);                                                        \
    }                                                                                              \
    attributes static void finish_##tag(const struct keynet_params *p, unsigned layer,             \
                                        const int32_t *sums, uint8_t *out)                         \
    {                                                                                              \
        finish_body(p, layer, sums, out);                                                          \
    }

VARIANT(portable, )
static const struct keynet_plain portable_code = {"plain C", sums_portable, finish_portable};

#ifdef __x86_64__
VARIANT(avx2, __attribute__((target("avx2"))))
static const struct keynet_plain avx2_code = {"plain C (avx2)", sums_avx2, finish_avx2};
#endif

const struct keynet_plain *keynet_plain_pick(bool portable)
{
#ifdef __x86_64__
    if (!portable && __builtin_cpu_supports("avx2"))
        return &avx2_code;
#endif
    (void)portable;
    return &portable_code;
}

void keynet_plain_forward(const struct keynet_plain *c, const struct keynet_params *p,
                          unsigned layers, const uint8_t *in, uint8_t *out)
{
    int32_t sums[KEYNET_WIDEST * 2];
    uint8_t hidden[KEYNET_HIDDEN];

    for (unsigned l = 0; l < layers; l++) {
        const struct keynet_shape *s = &keynet_shapes[l];

        c->sums(p->weights + s->weights, s->k, s->n, l == 0 ? in : hidden, sums);
        c->finish(p, l, sums, l + 1 == layers ? out : hidden);
    }
}
