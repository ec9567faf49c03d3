/* SPDX-License-Identifier: Apache-2.0 */
/* Headers: as they come, and signed by the sender's device. */
#include "common/transfer/receive.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sample/sample.h"

static void check_round_trip(const struct header *h)
{
    struct buf raw = {0};
    struct header again;

    if (header_check(h, NULL) != ERR_OK)
        return;
    MUST(header_pack(h, &raw, NULL) == ERR_OK && raw.len <= HEADER_MAX);
    MUST(header_parse(part(raw.data, raw.len), &again, NULL) == ERR_OK);
    MUST(memcmp(&h->tid, &again.tid, sizeof(h->tid)) == 0 && h->body_length == again.body_length &&
         h->slots == again.slots);
    buf_free(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sample s;
    struct sample_row row;
    struct receive r = {0};
    struct receive_claim claim;
    struct header h;
    struct err err;

    if (s.plain == NULL)
        sample_make(&s, 5);
    if (header_parse(part(data, size), &h, &err) == ERR_OK)
        check_round_trip(&h);
    buf_reset(&s.header_raw);
    buf_put(&s.header_raw, data, size);
    sample_sign_raw(&s);
    sample_row(&s, SAMPLE_BOB, &row);
    if (receive_check(&row.in, &r, &err) == ERR_OK)
        MUST(receive_peek(row.in.header, row.in.slot, &claim, &err) == ERR_OK);
    else
        MUST(err.code < 0 && err.code != ERR_INVALID && r.mek.data == NULL);
    receive_free(&r);
    return 0;
}
