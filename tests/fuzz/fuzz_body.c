/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies.  The input: 8 bytes of body length, 4 of index, 8 of file length,
 * then bytes that are taken as a piece, with a leaf that fits, and as plaintext.
 */
#include "common/transfer/body.h"
#include "tests/fuzz/fuzz.h"
#include "tests/sample/sample.h"

static void open_hostile(const struct body *b, uint32_t index, struct part sealed)
{
    uint8_t *out = malloc(sealed.len + 1);
    struct hash32 leaf;

    MUST(out != NULL && body_leaf(sealed, &leaf) == ERR_OK);
    MUST(body_open_piece(b, index, &leaf, sealed, out) != ERR_OK); /* made without the key */
    free(out);
}

static void round_trip(const struct body *b, uint32_t index, uint64_t file, struct part plain)
{
    uint8_t *out = malloc(BODY_PIECE_SEALED);
    struct hash32 leaf;
    size_t len = 0, sealed;

    MUST(out != NULL);
    if (body_seal_piece(b, index, plain, out, &leaf) == ERR_OK) {
        sealed = plain.len + (plain.len / 16384 + (plain.len < BODY_PIECE_PLAIN ? 1 : 0)) * 16;
        MUST(body_open_piece(b, index, &leaf, part(out, sealed), out) == ERR_OK);
        MUST(memcmp(out, plain.data, plain.len) == 0);
        if (body_file_part(b, file, index, plain, &len) == ERR_OK)
            MUST(len <= plain.len);
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct secret cek;
    struct rd r = rd_make(data, size);
    struct header h = {.body_length = rd_u64(&r)};
    uint32_t index = rd_u32(&r);
    uint64_t file = rd_u64(&r);
    struct body *b = NULL;

    if (cek.data == NULL)
        sample_secret("cek", &cek);
    if (r.bad || r.left > BODY_PIECE_SEALED)
        return 0;
    /* Half of the inputs are a body that is as long as they are. */
    if ((h.body_length & 1) != 0) {
        h.body_length = r.left;
        index = 0;
    }
    if (body_new(&cek, &h, &b, NULL) != ERR_OK)
        return 0;
    open_hostile(b, index, part(r.p, r.left));
    if (r.left <= BODY_PIECE_PLAIN)
        round_trip(b, index, file, part(r.p, r.left));
    body_free(b);
    return 0;
}
