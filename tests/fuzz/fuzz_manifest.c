/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: as they come, and signed by the right key, so that what lies behind the signature is
 * reached. */
#include "common/transfer/chain.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sample/sample.h"

static void use(struct manifest *m)
{
    const struct manifest_ek *ek;
    enum chain_change change;
    struct chain chain = {.uid = m->uid};
    struct manifest *again = NULL;
    struct buf raw = {0};
    bool lapsed;

    MUST(m->n_devices > 0 && m->n_eks > 0 && m->sequence > 0);
    MUST(manifest_pack(m, &raw, NULL) == ERR_OK);
    MUST(manifest_parse_signed(part(raw.data, raw.len), &again, NULL) == ERR_OK);
    MUST(memcmp(&again->hash, &m->hash, sizeof(m->hash)) == 0);
    MUST(manifest_follows(m, again, NULL) == ERR_KEYCHANGED);
    if (manifest_choose_ek(m, SAMPLE_TIME, &ek, &lapsed, NULL) == ERR_OK)
        MUST(ek->suite == IDS_SUITE_X25519 && ek->key.len == IDS_KEY_LEN);
    if (chain_add(&chain, again, &change, NULL) == ERR_OK)
        MUST(chain_newest(&chain)->sequence == 1);
    chain_free(&chain);
    manifest_free(m);
    buf_free(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sample_user alice;
    uint8_t sig[SIGNED_SIG_LEN];
    struct manifest *m = NULL;
    struct err err;

    if (alice.name == NULL)
        sample_user(&alice, "alice");
    if (manifest_parse_signed(part(data, size), &m, &err) == ERR_OK)
        use(m);
    m = NULL;
    MUST(signed_make(SIGNED_MANIFEST, &alice.isk, part(data, size), sig, NULL) == ERR_OK);
    if (manifest_parse(part(data, size), PART_OF(sig), &m, &err) == ERR_OK)
        use(m);
    return 0;
}
