/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunked encryption: messages that were changed, hostile lengths.
 *
 * The input: 1 byte what to do with the sealed message, 4 bytes where, 1 byte
 * of change, 8 bytes of a length, 8 of a number, then the message.
 */
#include "common/buf.h"
#include "tests/chunked_msg.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t key[CHUNKED_KEY_LEN] = {1, 2, 3};
static const uint8_t salt[CHUNKED_SALT_LEN] = {4, 5, 6};

enum change { KEEP, FLIP, CUT, LENGTHEN, CONTEXT, CHANGES };

struct edit {
    enum change change;
    size_t at;
    uint8_t bits;
};

/* Arithmetic over lengths as a hostile header or store could give them. */
static void check_lengths(uint64_t len, uint64_t piece, struct part in)
{
    struct chunked_run run;
    uint64_t plain = 0;

    if (chunked_plain_len(&plain, len) == ERR_OK) {
        MUST(plain <= CHUNKED_PLAIN_MAX && chunked_sealed_len(plain) == len);
        MUST(chunked_piece_sealed(plain, chunked_pieces(plain) - 1) >= CHUNK_TAG_LEN);
    }
    MUST(chunked_piece_plain(len, piece) <= PIECE_PLAIN);
    MUST(chunked_piece_sealed(len, piece) <= PIECE_SEALED);
    for (int sealed = 0; sealed < 2; sealed++)
        if (chunked_piece_run(&run, len, piece, in, sealed != 0) == ERR_OK)
            MUST(len <= CHUNKED_PLAIN_MAX && run.first < CHUNKED_CHUNKS_MAX);
}

/* Bytes that nobody has sealed, wherever they are said to be. */
static void open_hostile(uint64_t first, bool final, struct part in)
{
    const struct chunked_run run = {.first = first, .final = final, .in = in};
    struct chunked *c = NULL;
    uint8_t *out = malloc(in.len + 1);
    size_t len = 0;

    MUST(out != NULL && chunked_new(&c, key, salt, part(NULL, 0)) == ERR_OK);
    if (chunked_open_run(c, &run, out, &len) == ERR_OK)
        MUST(in.len == 0 && len == 0 && !final); /* no chunks at all */
    MUST(chunked_msg_open(key, part(NULL, 0), in, out, &len) == ERR_INTEGRITY);
    chunked_free(c);
    free(out);
}

static void open_changed(const struct edit *edit, struct part msg)
{
    size_t sealed = CHUNKED_PREFIX_LEN + (size_t)chunked_sealed_len(msg.len), len = sealed, got = 0;
    uint8_t *raw = calloc(1, sealed + 256), *out = malloc(sealed + 256);
    struct part context = part(NULL, 0);
    enum change change = edit->change;
    int rc;

    MUST(raw != NULL && out != NULL);
    MUST(chunked_msg_seal(key, salt, context, msg, raw) == ERR_OK);
    if (change == FLIP)
        raw[edit->at % sealed] ^= edit->bits;
    else if (change == CUT)
        len = edit->at % sealed;
    else if (change == LENGTHEN)
        len += edit->bits;
    else if (change == CONTEXT)
        context = part(&edit->bits, 1);
    rc = chunked_msg_open(key, context, part(raw, len), out, &got);
    if (change == KEEP || (edit->bits == 0 && (change == FLIP || change == LENGTHEN)))
        MUST(rc == ERR_OK && got == msg.len && memcmp(out, part_bytes(msg), got) == 0);
    else
        MUST(rc == ERR_INTEGRITY);
    free(raw);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    struct edit edit = {.change = rd_u8(&r) % CHANGES, .at = rd_u32(&r), .bits = rd_u8(&r)};
    uint64_t len = rd_u64(&r), number = rd_u64(&r);
    struct part rest = part(r.p, r.left);

    if (r.bad)
        return 0;
    check_lengths(len, number, rest);
    check_lengths(rest.len, number % 2, rest);
    open_hostile(number, (edit.bits & 1) != 0, rest);
    open_changed(&edit, rest);
    return 0;
}
