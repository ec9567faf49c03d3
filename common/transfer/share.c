/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/share.h"

#include "common/crypto/gcm.h"
#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"

_Static_assert((int)SHARE_SEALED_LEN == SHARE_NONCE_LEN + SHARE_SEED_LEN + GCM_TAG_LEN &&
                   (int)SHARE_NONCE_LEN == GCM_NONCE_LEN,
               "layout of section 11");

static const char *const part_names[] = {[SHARE_META] = "meta", [SHARE_BODY] = "body"};

/* The last three arguments of every derivation here. */
#define PLACE(p) PART_OF((p)->tid.b), PART_OF((p)->uid.b), PART_OF((p)->ek_id.b)

int share_input(const struct secret *seed, const struct share_place *place,
                uint8_t ret_a[SHARE_INPUT_LEN])
{
    uint8_t prk[KDF_LEN];
    int rc;

    if (seed->len != SHARE_SEED_LEN)
        return ERR_INVALID;
    rc = kdf_f(prk, part_secret(seed), "nn-in", PARTS(PLACE(place)));
    if (rc == ERR_OK)
        rc = kdf_xpd(PART_OF(prk), "nn", part(NULL, 0), ret_a, SHARE_INPUT_LEN);
    secret_wipe(prk, sizeof(prk));
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < SHARE_INPUT_LEN; i++)
        ret_a[i] &= 0x7f;
    return ERR_OK;
}

static int room_for_share(struct secret *s)
{
    return s->len == SHARE_LEN ? ERR_OK : secret_new(s, SHARE_LEN, NULL);
}

int share_output_some(const struct share_from *from, unsigned want, struct share_pair *ret_pair)
{
    struct secret *to[] = {[SHARE_META] = &ret_pair->meta, [SHARE_BODY] = &ret_pair->body};
    uint8_t b[KDF_LEN], share[KDF_LEN];
    const struct part deep = part(from->o, SHARE_OUTPUT_LEN);
    int rc;

    if (from->seed->len != SHARE_SEED_LEN)
        return ERR_INVALID;
    rc = kdf_f(b, part_secret(from->seed), "base", PARTS(PLACE(from->place)));
    for (int i = SHARE_META; rc == ERR_OK && i <= SHARE_BODY; i++) {
        if ((want & SHARE_WANT(i)) == 0)
            continue;
        rc = kdf_f(
            share, PART_OF(b), "share",
            PARTS(part_str(part_names[i]), deep, PART_OF(from->instance->b), PLACE(from->place)));
        if (rc == ERR_OK)
            rc = room_for_share(to[i]);
        if (rc == ERR_OK)
            memcpy(to[i]->data, share, SHARE_LEN);
    }
    secret_wipe(b, sizeof(b));
    secret_wipe(share, sizeof(share));
    return rc;
}

int share_output(const struct secret *seed, const struct share_place *place,
                 const struct instance_id *instance, const uint8_t *o, struct share_pair *ret_pair)
{
    struct share_from from = {seed, place, instance, o};

    return share_output_some(&from, SHARE_WANT_BOTH, ret_pair);
}

void share_pair_free(struct share_pair *pair)
{
    if (pair == NULL)
        return;
    secret_free(&pair->meta);
    secret_free(&pair->body);
}

int share_commit(enum share_part part, const struct share_place *place, const struct secret *share,
                 struct hash32 *ret_commit)
{
    return hash_lp(HASH_SHA256, ret_commit->b,
                   PARTS(part_str("satchel/1 share commit"), part_str(part_names[part]),
                         PLACE(place), part_secret(share)));
}

/* The key of one seed, and the bytes that bind it to its place. */
struct seed_key {
    uint8_t key[KDF_LEN];
    struct buf aad;
};

static int seed_key(const struct share_cells *cells, const struct share_place *place,
                    struct seed_key *k)
{
    if (cells->day_key->len != SHARE_CELL_LEN || cells->slot_key->len != SHARE_CELL_LEN)
        return ERR_INVALID;
    buf_lp(&k->aad, place->tid.b, IDS_TID_LEN);
    buf_lp(&k->aad, place->uid.b, IDS_UID_LEN);
    buf_lp(&k->aad, place->ek_id.b, IDS_EK_LEN);
    if (k->aad.failed)
        return ERR_NOMEM;
    return kdf_f(k->key, part_secret(cells->day_key), "seed", PARTS(part_secret(cells->slot_key)));
}

static void seed_key_drop(struct seed_key *k)
{
    secret_wipe(k->key, sizeof(k->key));
    buf_free(&k->aad);
}

int share_seal_seed(const struct share_cells *cells, const struct share_place *place,
                    const struct secret *seed, const uint8_t nonce[SHARE_NONCE_LEN],
                    uint8_t ret_sealed[SHARE_SEALED_LEN])
{
    struct seed_key k = {0};
    int rc = seed->len == SHARE_SEED_LEN ? seed_key(cells, place, &k) : ERR_INVALID;

    if (rc == ERR_OK)
        rc = gcm_seal_once(k.key, nonce, part(k.aad.data, k.aad.len), part_secret(seed),
                           ret_sealed + SHARE_NONCE_LEN);
    if (rc == ERR_OK)
        memcpy(ret_sealed, nonce, SHARE_NONCE_LEN);
    seed_key_drop(&k);
    return rc;
}

int share_open_seed(const struct share_cells *cells, const struct share_place *place,
                    struct part sealed, struct secret *ret_seed, struct err *err)
{
    const uint8_t *raw = sealed.data;
    struct seed_key k = {0};
    struct secret seed = {0};
    int rc = sealed.len == SHARE_SEALED_LEN ? seed_key(cells, place, &k) : ERR_INTEGRITY;

    if (rc == ERR_OK)
        rc = secret_new(&seed, SHARE_SEED_LEN, NULL);
    if (rc == ERR_OK)
        rc = gcm_open_once(k.key, raw, part(k.aad.data, k.aad.len),
                           part(raw + SHARE_NONCE_LEN, SHARE_SEALED_LEN - SHARE_NONCE_LEN),
                           seed.data);
    if (rc == ERR_OK)
        secret_move(ret_seed, &seed);
    seed_key_drop(&k);
    secret_free(&seed);
    if (rc == ERR_INTEGRITY)
        return err_set(err, ERR_CORRUPT, "the sealed seed of a share does not open");
    return rc == ERR_OK ? rc : err_set(err, rc, "cannot open the sealed seed of a share");
}
