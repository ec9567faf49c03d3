/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/rng.h"

#include <openssl/rand.h>

#include "common/buf.h"
#include "common/crypto/kdf.h"

int rng_bytes(void *out, size_t len)
{
    uint8_t *p = out;

    while (len > 0) {
        const int now = len < 1 << 20 ? (int)len : 1 << 20;

        if (RAND_priv_bytes(p, now) != 1)
            return ERR_INTERNAL;
        p += now;
        len -= (size_t)now;
    }
    return ERR_OK;
}

int rng_hedged_from(struct rng_hedge *h, const char *label, struct part transcript,
                    const uint8_t rand[RNG_RAND_LEN], uint8_t ret_out[RNG_HEDGED_LEN])
{
    uint8_t counter[8];
    int rc;

    if (h->key.len != KDF_LEN || h->counter == UINT64_MAX)
        return ERR_INVALID;
    put_be64(counter, h->counter);
    rc = kdf_f(ret_out, part_secret(&h->key), label,
               PARTS({rand, RNG_RAND_LEN}, PART_OF(counter), transcript));
    if (rc == ERR_OK)
        h->counter++;
    return rc;
}

int rng_hedged(struct rng_hedge *h, const char *label, struct part transcript,
               uint8_t ret_out[RNG_HEDGED_LEN])
{
    uint8_t rand[RNG_RAND_LEN];
    int rc = rng_bytes(rand, sizeof(rand));

    if (rc == ERR_OK)
        rc = rng_hedged_from(h, label, transcript, rand, ret_out);
    secret_wipe(rand, sizeof(rand));
    return rc;
}
