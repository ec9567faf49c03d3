/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server could put between two devices of a user, and what somebody could who has the code
 * as well: the first byte says what.
 *   0  a code as somebody types it: what is read can be shown, and is read again
 *   1  changes to a good request (u16 place, u8 bits each): what opens is what was sealed
 *   2  the same for an answer
 *   3  bytes as they come, as a request, an opening and an answer: nothing opens
 *   4  changes to a good opening
 *   5  what a request says, under a good seal: what opens can be sealed again, and says the same
 *   6  the same for an answer
 *   7  the same for an opening: none but the good one is taken
 */
#include <string.h>

#include "client/local/join.h"
#include "common/crypto/gcm.h"
#include "common/crypto/hash.h"
#include "common/crypto/hpke.h"
#include "common/crypto/kdf.h"
#include "common/crypto/x25519.h"
#include "tests/fuzz/fuzz.h"

enum { PLAIN_MAX = 64 * 1024 };

static const struct uid uid = {{1, 2, 3}};
static const uint8_t salt[JOIN_SALT_LEN];
static struct join_code code;
static struct join_request request;
static struct secret key, ephemeral;
static struct buf good_request, good_answer, good_opening;
static struct join_meeting meeting = {.code = &code, .joiner = &request};

static void make(void)
{
    struct secret nonce = {0};
    struct join_answer a = {.username = "a", .email = "a@b"};

    MUST(secret_new(&nonce, JOIN_NONCE_LEN, NULL) == ERR_OK);
    MUST(join_code_make(&code, &nonce, &uid, NULL) == ERR_OK);
    MUST(secret_new(&key, 32, NULL) == ERR_OK && secret_new(&ephemeral, 32, NULL) == ERR_OK);
    key.data[0] = 1;
    MUST(x25519_public(request.key, key.data) == ERR_OK);
    MUST(join_request_seal(&request, &meeting, salt, &good_request, NULL) == ERR_OK);
    MUST(secret_new(&a.isk, 32, NULL) == ERR_OK && secret_new(&a.account, 8, NULL) == ERR_OK);
    meeting.request = part(good_request.data, good_request.len);
    MUST(join_opening_seal(&meeting, &good_opening, NULL) == ERR_OK);
    MUST(join_answer_seal(&a, &meeting, &ephemeral, &good_answer, NULL) == ERR_OK);
    join_answer_free(&a);
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

/* ---- without the keys ---- */

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

/* Opens the good opening alone; the code is again what it was. */
static bool opens(struct part sealed)
{
    struct join_code reader = {.uid = {{9}}};
    struct join_meeting m = meeting;
    bool ok;

    MUST(secret_copy(&reader.secret, code.secret.data, code.secret.len, NULL) == ERR_OK);
    memcpy(reader.id, code.id, sizeof(code.id));
    m.code = &reader;
    ok = join_opening_open(&reader, &m, sealed, NULL) == ERR_OK;
    MUST(ok == (reader.nonce.len > 0));
    MUST(!ok || memcmp(&reader.uid, &uid, sizeof(uid)) == 0);
    join_code_free(&reader);
    return ok;
}

static void try_sealed(struct part sealed)
{
    struct join_meeting m = meeting;
    struct join_request r;
    struct join_answer a = {0};

    m.request = sealed;
    if (join_request_open(&r, &m, NULL) == ERR_OK)
        MUST(same(&good_request, sealed));
    MUST(opens(sealed) == same(&good_opening, sealed));
    if (join_answer_open(&a, &meeting, &key, sealed, NULL) == ERR_OK)
        MUST(same(&good_answer, sealed));
    join_answer_free(&a);
}

/* ---- behind the seal: proto/FORMATS.md section 22 ---- */

static void place(const char *label, struct buf *out)
{
    static const struct server_id server;

    buf_lp_str(out, label);
    buf_lp(out, server.b, sizeof(server.b));
    buf_lp(out, code.id, sizeof(code.id));
    MUST(buf_check(out, NULL) == ERR_OK);
}

static void seal(const uint8_t k[KDF_LEN], struct part aad, struct part plain, struct buf *out)
{
    static const uint8_t nonce_0[GCM_NONCE_LEN];
    uint8_t *to = buf_reserve(out, plain.len + GCM_TAG_LEN);

    MUST(to != NULL && gcm_seal_once(k, nonce_0, aad, plain, to) == ERR_OK);
    out->len += plain.len + GCM_TAG_LEN;
}

/* Under a key of the code's secret. */
static void seal_under(const char *name, struct part once, struct part plain, struct buf *out)
{
    struct buf aad = {0};
    uint8_t k[KDF_LEN];
    char label[64];

    (void)snprintf(label, sizeof(label), "%s%s", KDF_PREFIX, name);
    place(label, &aad);
    MUST(kdf_f(k, part_secret(&code.secret), name, PARTS(once)) == ERR_OK);
    seal(k, part(aad.data, aad.len), plain, out);
    buf_free(&aad);
}

static void seal_answer(struct part plain, struct buf *out)
{
    uint8_t enc[HPKE_ENC_LEN], ctx[HASH_SHA512_LEN], x[KDF_LEN], other[KDF_LEN];
    static const struct server_id server;
    struct buf info = {0};
    struct hpke h = {0};

    place(KDF_PREFIX "join", &info);
    MUST(hpke_encap(&h, enc, request.key, part(info.data, info.len), ephemeral.data) == ERR_OK);
    MUST(hash_lp(HASH_SHA512, ctx,
                 PARTS(part_str(KDF_PREFIX "join answer"), PART_OF(server.b), PART_OF(code.id),
                       PART_OF(enc), meeting.request)) == ERR_OK);
    MUST(hpke_export(&h, part_str(KDF_PREFIX "join kek"), x, sizeof(x)) == ERR_OK);
    MUST(kdf_f(x, PART_OF(x), "join 1", PARTS(PART_OF(ctx))) == ERR_OK);
    MUST(kdf_f(other, part_secret(&code.secret), "join 2", PARTS(PART_OF(ctx))) == ERR_OK);
    for (size_t i = 0; i < sizeof(x); i++)
        x[i] ^= other[i];
    buf_put(out, enc, sizeof(enc));
    seal(x, PART_OF(ctx), plain, out);
    hpke_free(&h);
    buf_free(&info);
}

static void try_request(struct part plain)
{
    struct join_request r, again;
    struct join_meeting m = meeting;
    struct buf sealed = {0}, other = {0};

    buf_put(&sealed, salt, sizeof(salt));
    seal_under("join request", PART_OF(salt), plain, &sealed);
    m.request = part(sealed.data, sealed.len);
    memset(&r, 0, sizeof(r));
    memset(&again, 0, sizeof(again));
    if (join_request_open(&r, &m, NULL) == ERR_OK) {
        MUST(plain.len <= JOIN_REQUEST_MAX);
        MUST(strlen(r.name) < sizeof(r.name));
        MUST(join_request_seal(&r, &m, salt, &other, NULL) == ERR_OK);
        m.request = part(other.data, other.len);
        MUST(join_request_open(&again, &m, NULL) == ERR_OK);
        MUST(memcmp(r.device_key, again.device_key, sizeof(r.device_key)) == 0 &&
             memcmp(r.box, again.box, sizeof(r.box)) == 0 &&
             memcmp(r.key, again.key, sizeof(r.key)) == 0 && strcmp(r.name, again.name) == 0);
        MUST(r.has_pin == again.has_pin && (!r.has_pin || pin_equal(&r.pin, &again.pin)));
    }
    buf_free(&sealed);
    buf_free(&other);
}

static bool equal(const struct secret *a, const struct secret *b)
{
    return a->len == b->len && secret_equal(a->data, b->data, a->len);
}

static void try_answer(struct part plain)
{
    struct join_answer a = {0}, again = {0};
    struct buf sealed = {0}, other = {0};

    seal_answer(plain, &sealed);
    if (join_answer_open(&a, &meeting, &key, part(sealed.data, sealed.len), NULL) == ERR_OK) {
        MUST(a.isk.len == 32 && a.account.len > 0 && strlen(a.name) < sizeof(a.name));
        MUST(join_answer_seal(&a, &meeting, &ephemeral, &other, NULL) == ERR_OK);
        MUST(join_answer_open(&again, &meeting, &key, part(other.data, other.len), NULL) == ERR_OK);
        MUST(equal(&a.isk, &again.isk) && equal(&a.account, &again.account));
        MUST(strcmp(a.username, again.username) == 0 && strcmp(a.email, again.email) == 0 &&
             strcmp(a.name, again.name) == 0);
        MUST(memcmp(&a.manifest, &again.manifest, sizeof(a.manifest)) == 0 &&
             a.has_box == again.has_box &&
             memcmp(a.recovery_box, again.recovery_box, sizeof(a.recovery_box)) == 0);
    }
    join_answer_free(&a);
    join_answer_free(&again);
    buf_free(&sealed);
    buf_free(&other);
}

static void try_opening(struct part plain)
{
    struct buf sealed = {0};

    seal_under("join opening", meeting.request, plain, &sealed);
    MUST(opens(part(sealed.data, sealed.len)) ==
         same(&good_opening, part(sealed.data, sealed.len)));
    buf_free(&sealed);
}

static void try_spoilt(const struct buf *good, struct rd *r)
{
    struct buf sealed = {0};

    spoil(good, r, &sealed);
    try_sealed(part(sealed.data, sealed.len));
    buf_free(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    uint8_t what = rd_u8(&r);
    struct part rest = part(r.p, r.left);

    if (good_answer.len == 0)
        make();
    if (rest.len > PLAIN_MAX)
        return 0;
    if (what == 0)
        try_code(rest);
    else if (what == 1 || what == 2 || what == 4)
        try_spoilt(what == 1 ? &good_request : what == 2 ? &good_answer : &good_opening, &r);
    else if (what == 5)
        try_request(rest);
    else if (what == 6)
        try_answer(rest);
    else if (what == 7)
        try_opening(rest);
    else
        try_sealed(rest);
    return 0;
}
