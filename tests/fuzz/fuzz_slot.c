/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: as they come, and in the tree of a signed header. */
#include "common/transfer/receive.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sample/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sample s;
    struct sample_row row;
    struct receive r = {0};
    struct body *b = NULL;
    struct slot slot;
    struct buf raw = {0};
    struct err err;

    if (s.plain == NULL)
        sample_make(&s, 5);
    if (slot_parse(part(data, size), &slot, &err) == ERR_OK) {
        MUST(slot_pack(&slot, &raw, NULL) == ERR_OK && raw.len <= SLOT_MAX);
        MUST(slot_parse(part(raw.data, raw.len), &slot, NULL) == ERR_OK);
    }
    buf_free(&raw);
    s.slot_part[SAMPLE_BOB] = part(data, size);
    MUST(slot_root(s.slot_part, SAMPLE_RECIPIENTS, &s.header.slots_root) == ERR_OK);
    sample_sign(&s);
    sample_row(&s, SAMPLE_BOB, &row);
    if (receive_check(&row.in, &r, &err) == ERR_OK) {
        /* Whatever else the bytes are: what they open is what was sealed. */
        MUST(secret_equal(r.mek.data, s.mek.data, SLOT_KEY_LEN));
        if (receive_body(&row.in, &r, &s.share[SAMPLE_BOB].body, &b, &err) != ERR_OK)
            MUST(err.code == ERR_INTEGRITY);
    } else {
        MUST(err.code == ERR_INTEGRITY && r.mek.data == NULL);
    }
    body_free(b);
    receive_free(&r);
    return 0;
}
