/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata: the padded plaintext, an unpadded message, and sealed bytes. */
#include "common/transfer/metadata.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sample/sample.h"

static void use(struct part plain)
{
    struct metadata m = {0}, again = {0};
    struct buf raw = {0};
    struct err err;

    if (metadata_unpack(plain, &m, &err) != ERR_OK)
        return;
    MUST(metadata_check_name(part_str(m.name), NULL) == ERR_OK);
    MUST(metadata_pack(&m, &raw, NULL) == ERR_OK);
    MUST(metadata_unpack(part(raw.data, raw.len), &again, NULL) == ERR_OK);
    MUST(strcmp(m.name, again.name) == 0 && m.length == again.length);
    metadata_free(&m);
    metadata_free(&again);
    buf_free(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secret mek;
    static const struct tid tid;
    struct metadata m = {0};
    size_t padded = (4 + size + METADATA_STEP - 1) / METADATA_STEP * METADATA_STEP;
    uint8_t *plain;

    if (mek.data == NULL)
        sample_secret("mek", &mek);
    MUST(metadata_open(&mek, &tid, part(data, size), &m, NULL) != ERR_OK);
    use(part(data, size));
    if (size > METADATA_PLAIN_MAX)
        return 0;
    plain = calloc(1, padded);
    MUST(plain != NULL);
    put_be32(plain, (uint32_t)size);
    memcpy(plain + 4, data, size);
    use(part(plain, padded));
    free(plain);
    return 0;
}
