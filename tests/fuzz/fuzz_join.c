/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server could put between two devices of a user: the first byte says what is changed.
 *   0  a code as somebody types it: what is read can be shown, and is read again
 *   1  changes to a good request (u16 place, u8 bits each): what opens is what was sealed
 *   2  the same for an answer
 *   3  bytes as they come, as a request and as an answer: nothing opens
 */
#include <string.h>

#include "client/local/join.h"
#include "common/crypto/x25519.h"
#include "tests/fuzz/fuzz.h"

static struct join_code code;
static struct server_id server;
static struct join_request request;
static struct secret key;
static struct buf good_request, good_answer;
static struct join_meeting meeting = {.code = &code};

static void make(void)
{
    struct secret s = {0}, ephemeral = {0};
    struct join_answer a = {.username = "a", .email = "a@b"};

    MUST(secret_new(&s, JOIN_SECRET_LEN, NULL) == ERR_OK);
    MUST(join_code_make(&code, &s, NULL) == ERR_OK);
    MUST(secret_new(&key, 32, NULL) == ERR_OK && secret_new(&ephemeral, 32, NULL) == ERR_OK);
    key.data[0] = 1;
    MUST(x25519_public(request.key, key.data) == ERR_OK);
    MUST(join_request_seal(&request, &code, &server, &good_request, NULL) == ERR_OK);
    MUST(secret_new(&a.isk, 32, NULL) == ERR_OK && secret_new(&a.account, 8, NULL) == ERR_OK);
    meeting.request = part(good_request.data, good_request.len);
    MUST(join_answer_seal(&a, &meeting, request.key, &ephemeral, &good_answer, NULL) == ERR_OK);
    join_answer_free(&a);
    secret_free(&ephemeral);
}

static void try_code(struct part typed)
{
    struct join_code c = {0}, again = {0};
    struct secret text = {0};
    char in[256];

    if (typed.len >= sizeof(in))
        return;
    memcpy(in, typed.data, typed.len);
    in[typed.len] = '\0';
    if (join_code_read(&c, in, NULL) == ERR_OK) {
        MUST(join_code_show(&c, &text, NULL) == ERR_OK);
        MUST(join_code_read(&again, (char *)text.data, NULL) == ERR_OK);
        MUST(memcmp(c.id, again.id, sizeof(c.id)) == 0);
    }
    secret_free(&text);
    join_code_free(&c);
    join_code_free(&again);
}

static void spoil(const struct buf *from, struct rd *r, struct buf *out)
{
    buf_put(out, from->data, from->len);
    MUST(buf_check(out, NULL) == ERR_OK);
    while (r->left >= 3) {
        size_t at = rd_u16(r);

        out->data[at % out->len] ^= rd_u8(r);
    }
}

static bool same(const struct buf *b, struct part p)
{
    return b->len == p.len && memcmp(b->data, p.data, p.len) == 0;
}

static void try_sealed(struct part sealed)
{
    struct join_request r;
    struct join_answer a = {0};

    if (join_request_open(&r, &code, &server, sealed, NULL) == ERR_OK)
        MUST(same(&good_request, sealed));
    if (join_answer_open(&a, &meeting, &key, sealed, NULL) == ERR_OK)
        MUST(same(&good_answer, sealed));
    join_answer_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    struct buf sealed = {0};
    uint8_t what = rd_u8(&r);

    if (good_answer.len == 0)
        make();
    if (what == 0)
        try_code(part(r.p, r.left));
    else if (what == 1 || what == 2)
        spoil(what == 1 ? &good_request : &good_answer, &r, &sealed);
    else
        buf_put(&sealed, r.p, r.left);
    if (what != 0)
        try_sealed(part(sealed.data, sealed.len));
    buf_free(&sealed);
    return 0;
}
