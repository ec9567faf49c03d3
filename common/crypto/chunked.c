/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crypto/chunked.h"

#include <stdlib.h>

#include "common/crypto/gcm.h"
#include "common/crypto/hkdf.h"

#define INFO_PREFIX "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"

enum { INFO_PREFIX_LEN = sizeof(INFO_PREFIX) }; /* with the NUL, which is part of it */

struct chunked {
    struct gcm *gcm;
    struct secret base_nonce;
    uint8_t commitment[CHUNKED_COMMITMENT_LEN];
};

uint64_t chunked_pieces(uint64_t plain)
{
    return plain / PIECE_PLAIN + 1;
}

uint64_t chunked_sealed_len(uint64_t plain)
{
    return plain + (plain / CHUNK_LEN + 1) * CHUNK_TAG_LEN;
}

size_t chunked_piece_plain(uint64_t plain, uint64_t piece)
{
    const uint64_t last = plain / PIECE_PLAIN;

    if (piece > last)
        return 0;
    return piece < last ? PIECE_PLAIN : (size_t)(plain % PIECE_PLAIN);
}

size_t chunked_piece_sealed(uint64_t plain, uint64_t piece)
{
    const uint64_t last = plain / PIECE_PLAIN;

    if (piece > last)
        return 0;
    return chunked_run_sealed(chunked_piece_plain(plain, piece), piece == last);
}

int chunked_plain_len(uint64_t *ret_plain, uint64_t sealed)
{
    const uint64_t full = sealed / CHUNK_SEALED, rest = sealed % CHUNK_SEALED;

    /* Without at least a tag behind the full chunks the final chunk is missing or cut. */
    if (rest < CHUNK_TAG_LEN || full >= CHUNKED_CHUNKS_MAX)
        return ERR_INTEGRITY;
    *ret_plain = full * CHUNK_LEN + rest - CHUNK_TAG_LEN;
    return ERR_OK;
}

/* key || base nonce || commitment */
static int derive(struct secret *keys, const uint8_t *key, const uint8_t *salt, struct part context)
{
    uint8_t info[INFO_PREFIX_LEN + CHUNKED_SALT_LEN + CHUNKED_CONTEXT_MAX];
    const size_t head = INFO_PREFIX_LEN + CHUNKED_SALT_LEN;
    int rc;

    if (context.len > CHUNKED_CONTEXT_MAX)
        return ERR_INVALID;
    memcpy(info, INFO_PREFIX, INFO_PREFIX_LEN);
    memcpy(info + INFO_PREFIX_LEN, salt, CHUNKED_SALT_LEN);
    memcpy(info + head, part_bytes(context), context.len);
    rc = secret_new(keys, GCM_KEY_LEN + GCM_NONCE_LEN + CHUNKED_COMMITMENT_LEN, NULL);
    if (rc != ERR_OK)
        return rc;
    return hkdf_expand(HASH_SHA512, part(key, CHUNKED_KEY_LEN), part(info, head + context.len),
                       keys->data, keys->len);
}

int chunked_new(struct chunked **ret_c, const uint8_t key[CHUNKED_KEY_LEN],
                const uint8_t salt[CHUNKED_SALT_LEN], struct part context)
{
    struct chunked *c = calloc(1, sizeof(*c));
    struct secret keys = {0};
    int rc;

    if (c == NULL)
        return ERR_NOMEM;
    rc = derive(&keys, key, salt, context);
    if (rc == ERR_OK)
        rc = gcm_new(&c->gcm, keys.data);
    if (rc == ERR_OK)
        rc = secret_copy(&c->base_nonce, keys.data + GCM_KEY_LEN, GCM_NONCE_LEN, NULL);
    if (rc == ERR_OK) {
        memcpy(c->commitment, keys.data + GCM_KEY_LEN + GCM_NONCE_LEN, sizeof(c->commitment));
        *ret_c = c;
        c = NULL;
    }
    secret_free(&keys);
    chunked_free(c);
    return rc;
}

void chunked_free(struct chunked *c)
{
    if (c == NULL)
        return;
    gcm_free(c->gcm);
    secret_free(&c->base_nonce);
    free(c);
}

const uint8_t *chunked_commitment(const struct chunked *c)
{
    return c->commitment;
}

int chunked_check(const struct chunked *c, const uint8_t commitment[CHUNKED_COMMITMENT_LEN])
{
    return secret_equal(c->commitment, commitment, CHUNKED_COMMITMENT_LEN) ? ERR_OK : ERR_INTEGRITY;
}

/* Base nonce, exclusive or the chunk's number as a big-endian integer. */
static void chunk_nonce(const struct chunked *c, uint64_t number, uint8_t nonce[GCM_NONCE_LEN])
{
    memcpy(nonce, c->base_nonce.data, GCM_NONCE_LEN);
    for (size_t i = 0; i < 8; i++)
        nonce[GCM_NONCE_LEN - 1 - i] ^= (uint8_t)(number >> (8 * i));
}

size_t chunked_run_sealed(size_t plain, bool final)
{
    return plain + (plain / CHUNK_LEN + (final ? 1 : 0)) * CHUNK_TAG_LEN;
}

static bool numbers_fit(uint64_t first, uint64_t chunks)
{
    return first < CHUNKED_CHUNKS_MAX && chunks <= CHUNKED_CHUNKS_MAX - first;
}

int chunked_seal_run(struct chunked *c, const struct chunked_run *run, uint8_t *out)
{
    const size_t full = run->in.len / CHUNK_LEN, rest = run->in.len % CHUNK_LEN;
    const size_t chunks = full + (run->final ? 1 : 0);
    uint8_t nonce[GCM_NONCE_LEN];
    int rc = ERR_OK;

    if ((!run->final && rest != 0) || !numbers_fit(run->first, chunks))
        return ERR_INVALID;
    /* From the end, so that sealing in place never overwrites what is still to be sealed. */
    for (size_t i = chunks; rc == ERR_OK && i-- > 0;) {
        const size_t len = i < full ? CHUNK_LEN : rest;
        uint8_t *to = out + i * CHUNK_SEALED;
        const uint8_t *from = part_bytes(run->in) + i * CHUNK_LEN;

        if (run->in.data == out && len > 0) {
            /* Bytes are never at NULL.  NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
            memmove(to, from, len);
            from = to;
        }
        chunk_nonce(c, run->first + i, nonce);
        rc = gcm_seal(c->gcm, nonce, part(NULL, 0), part(from, len), to);
    }
    return rc;
}

/* How a run of ${len} sealed bytes divides; false if it cannot. */
static bool divide(size_t len, bool final, size_t *full, size_t *rest)
{
    *full = len / CHUNK_SEALED;
    *rest = len % CHUNK_SEALED;
    return final ? *rest >= CHUNK_TAG_LEN : *rest == 0;
}

int chunked_open_run(struct chunked *c, const struct chunked_run *run, uint8_t *out,
                     size_t *ret_len)
{
    size_t full = 0, rest = 0, done = 0, chunks;
    const bool in_place = run->in.data == out;
    uint8_t nonce[GCM_NONCE_LEN];
    int rc = ERR_OK;

    if (!divide(run->in.len, run->final, &full, &rest))
        return ERR_INTEGRITY;
    chunks = full + (run->final ? 1 : 0);
    if (!numbers_fit(run->first, chunks))
        return ERR_INVALID;
    for (size_t i = 0; rc == ERR_OK && i < chunks; i++) {
        const size_t len = i < full ? CHUNK_SEALED : rest;
        const uint8_t *from = part_bytes(run->in) + i * CHUNK_SEALED;
        uint8_t *to = out + i * (in_place ? CHUNK_SEALED : CHUNK_LEN);

        chunk_nonce(c, run->first + i, nonce);
        rc = gcm_open(c->gcm, nonce, part(NULL, 0), part(from, len), to);
        if (in_place && len > CHUNK_TAG_LEN)
            memmove(out + done, to, len - CHUNK_TAG_LEN);
        done += len - CHUNK_TAG_LEN;
    }
    if (rc == ERR_OK)
        *ret_len = done;
    else
        secret_wipe(out, in_place ? run->in.len : run->in.len - chunks * CHUNK_TAG_LEN);
    return rc;
}

int chunked_piece_run(struct chunked_run *ret_run, uint64_t plain, uint64_t piece, struct part in,
                      bool sealed)
{
    if (plain > CHUNKED_PLAIN_MAX || piece >= chunked_pieces(plain))
        return ERR_INVALID;
    if (in.len != (sealed ? chunked_piece_sealed(plain, piece) : chunked_piece_plain(plain, piece)))
        return sealed ? ERR_INTEGRITY : ERR_INVALID;
    *ret_run = (struct chunked_run){
        .first = piece * PIECE_CHUNKS,
        .final = piece + 1 == chunked_pieces(plain),
        .in = in,
    };
    return ERR_OK;
}
