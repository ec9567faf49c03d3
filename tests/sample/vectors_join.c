/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of what a new device and one that is there say to each other. */
#include <string.h>

#include "client/local/join.h"
#include "common/crypto/x25519.h"
#include "tests/sample/sample.h"
#include "tests/sample/vectors_json.h"

/* Alice lets her laptop in. */
struct talk {
    struct sample_user alice, laptop;
    struct join_code code;
    struct join_request joiner;
    struct secret key; /* private half of joiner.key */
    struct join_answer answer;
    struct join_meeting m;
    struct buf request;
};

static void make_code(struct talk *t)
{
    struct secret nonce = {0};

    sample_secret("join nonce", &nonce);
    MUST_OK(join_code_make(&t->code, &nonce, &t->alice.uid, NULL));
    t->m = (struct join_meeting){.code = &t->code, .joiner = &t->joiner};
}

static void make_joiner(struct talk *t)
{
    struct join_request *r = &t->joiner;

    memcpy(r->device_key, t->laptop.device.key, sizeof(r->device_key));
    memcpy(r->box, t->laptop.ek_public, sizeof(r->box));
    sample_secret("join key", &t->key);
    MUST_OK(x25519_public(r->key, t->key.data));
    r->has_pin = true;
    sample_bytes("pin", r->pin.b);
    (void)snprintf(r->name, sizeof(r->name), "lap\xc3\xa9top");
}

static void make_answer(struct talk *t)
{
    struct join_answer *a = &t->answer;

    MUST_OK(secret_copy(&a->isk, t->alice.isk.data, t->alice.isk.len, NULL));
    MUST_OK(secret_copy(&a->account, "an account", 10, NULL));
    (void)snprintf(a->username, sizeof(a->username), "alice");
    (void)snprintf(a->email, sizeof(a->email), "alice@example.org");
    (void)snprintf(a->name, sizeof(a->name), "desk");
    a->has_box = true;
    sample_bytes("recovery box", a->recovery_box);
    a->manifest = t->alice.first->hash;
}

static void make_talk(struct talk *t)
{
    uint8_t server_key[IDS_KEY_LEN];

    memset(t, 0, sizeof(*t));
    sample_user(&t->alice, "alice");
    sample_user(&t->laptop, "laptop");
    make_code(t);
    make_joiner(t);
    make_answer(t);
    sample_bytes("server", server_key);
    MUST_OK(ids_server(server_key, &t->m.server));
}

static void free_talk(struct talk *t)
{
    sample_user_free(&t->alice);
    sample_user_free(&t->laptop);
    join_code_free(&t->code);
    join_answer_free(&t->answer);
    secret_free(&t->key);
    buf_free(&t->request);
}

/* ---- the cases ---- */

static void write_code(struct vectors_json *j, const struct talk *t)
{
    struct secret text = {0};

    MUST_OK(join_code_show(&t->code, &text, NULL));
    vectors_json_begin(j, "code");
    vectors_json_secret(j, "nonce", &t->code.nonce);
    vectors_json_hex(j, "user_id", PART_OF(t->code.uid.b));
    vectors_json_secret(j, "secret", &t->code.secret);
    vectors_json_hex(j, "id", PART_OF(t->code.id));
    vectors_json_text(j, "code", (const char *)text.data);
    vectors_json_end(j);
    secret_free(&text);
}

static void begin(struct vectors_json *j, const char *what, const struct talk *t)
{
    vectors_json_begin(j, what);
    vectors_json_secret(j, "secret", &t->code.secret);
    vectors_json_hex(j, "id", PART_OF(t->code.id));
    vectors_json_hex(j, "server_id", PART_OF(t->m.server.b));
}

/* The last one that is written is that of the cases that follow. */
static void write_request(struct vectors_json *j, const char *what, struct talk *t)
{
    const struct join_request *r = &t->joiner;
    uint8_t salt[JOIN_SALT_LEN];

    sample_bytes(what, salt);
    buf_reset(&t->request);
    MUST_OK(join_request_seal(r, &t->m, salt, &t->request, NULL));
    t->m.request = part(t->request.data, t->request.len);
    begin(j, what, t);
    vectors_json_hex(j, "salt", PART_OF(salt));
    vectors_json_hex(j, "device_key", PART_OF(r->device_key));
    vectors_json_hex(j, "box", PART_OF(r->box));
    vectors_json_hex(j, "key", PART_OF(r->key));
    vectors_json_hex(j, "pin", r->has_pin ? PART_OF(r->pin.b) : part(NULL, 0));
    vectors_json_text(j, "name", r->name);
    vectors_json_buf(j, "request", &t->request);
    vectors_json_end(j);
}

static void write_opening(struct vectors_json *j, const struct talk *t)
{
    char check[JOIN_CHECK_TEXT];
    struct buf opening = {0};

    MUST_OK(join_opening_seal(&t->m, &opening, NULL));
    MUST_OK(join_check(&t->m, check, NULL));
    begin(j, "opening", t);
    vectors_json_secret(j, "nonce", &t->code.nonce);
    vectors_json_hex(j, "user_id", PART_OF(t->code.uid.b));
    vectors_json_buf(j, "request", &t->request);
    vectors_json_buf(j, "opening", &opening);
    vectors_json_text(j, "check", check);
    vectors_json_end(j);
    buf_free(&opening);
}

static void write_answer(struct vectors_json *j, const struct talk *t)
{
    const struct join_answer *a = &t->answer;
    struct secret ephemeral = {0};
    struct buf sealed = {0};

    sample_secret("join answer", &ephemeral);
    MUST_OK(join_answer_seal(a, &t->m, &ephemeral, &sealed, NULL));
    begin(j, "answer", t);
    vectors_json_secret(j, "key_private", &t->key);
    vectors_json_secret(j, "ephemeral_ikm", &ephemeral);
    vectors_json_buf(j, "request", &t->request);
    vectors_json_secret(j, "identity_seed", &a->isk);
    vectors_json_text(j, "username", a->username);
    vectors_json_text(j, "email", a->email);
    vectors_json_hex(j, "recovery_box", PART_OF(a->recovery_box));
    vectors_json_hex(j, "manifest", PART_OF(a->manifest.b));
    vectors_json_secret(j, "account", &a->account);
    vectors_json_text(j, "name", a->name);
    vectors_json_buf(j, "answer", &sealed);
    vectors_json_end(j);
    secret_free(&ephemeral);
    buf_free(&sealed);
}

void vectors_join(struct vectors_json *j)
{
    struct talk t;

    make_talk(&t);
    write_code(j, &t);
    t.joiner.has_pin = false;
    write_request(j, "request without a pin", &t);
    t.joiner.has_pin = true;
    write_request(j, "request", &t);
    write_opening(j, &t);
    write_answer(j, &t);
    free_talk(&t);
}
