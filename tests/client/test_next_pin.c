/* SPDX-License-Identifier: Apache-2.0 */
/* The key that is announced to follow the pinned one: whose word counts for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/local/settings.h"
#include "common/transfer/next_pin.h"
#include "tests/client/scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* A certificate that can come in the place of the one that the server shows. */
struct other {
    SSL_CTX *ctx;
    struct pin pin;
};

static void swap(struct fake *f, struct other *o)
{
    struct other old = {f->ctx, f->pin};

    f->ctx = o->ctx;
    f->pin = o->pin;
    pin_encode(&f->pin, f->pin_text);
    *o = old;
}

static void make_other(struct fake *f, struct other *ret)
{
    struct other first = {f->ctx, f->pin};

    assert_int_equal(SSL_CTX_up_ref(f->ctx), 1);
    fake_new_certificate(f); /* frees one reference */
    *ret = first;
    swap(f, ret);
}

enum word { NONE, SIGNED, OTHER_SERVER, OTHER_NOW, OTHER_NEXT, OTHER_KEY, SHORT };

/* What the greeting says, and of what. */
struct said {
    struct pin next;
    enum word word;
};

static ProtobufCBinaryData bytes(const void *data, size_t len)
{
    ProtobufCBinaryData b = {len, malloc(len)};

    assert_non_null(b.data);
    memcpy(b.data, data, len);
    return b;
}

static bool announce(struct fake *f, Satchel__Envelope *r, struct buf *tail)
{
    const struct said *said = f->cookie;
    struct next_pin n = {.now = f->pin, .next = said->next};
    uint8_t sig[SIGNED_SIG_LEN];

    (void)tail;
    if (r->body_case != SATCHEL__ENVELOPE__BODY_HELLO_REPLY)
        return true;
    r->hello_reply->next_pin = bytes(n.next.b, sizeof(n.next.b));
    if (said->word == NONE)
        return true;
    assert_int_equal(ids_server(f->server_key, &n.server), ERR_OK);
    n.server.b[0] ^= said->word == OTHER_SERVER;
    n.now.b[0] ^= said->word == OTHER_NOW;
    n.next.b[0] ^= said->word == OTHER_NEXT;
    f->server_seed.data[0] ^= said->word == OTHER_KEY;
    assert_int_equal(next_pin_sign(&n, &f->server_seed, sig, NULL), ERR_OK);
    f->server_seed.data[0] ^= said->word == OTHER_KEY;
    r->hello_reply->next_pin_signature = bytes(sig, sizeof(sig) - (said->word == SHORT));
    return true;
}

static struct ending *ping_with(struct scene *g, struct said *said)
{
    handle_again(&g->bob);
    g->fake.spoil = announce;
    g->fake.cookie = said;
    return do_ping(&g->bob);
}

static void assert_next(const struct scene *g, const struct pin *next)
{
    char folder[128], text[PIN_CHARS + 1];
    struct settings s = {0};

    (void)snprintf(folder, sizeof(folder), "%s/profiles/default", g->bob.home);
    assert_int_equal(settings_read(folder, &s, NULL), ERR_OK);
    if (next == NULL) {
        assert_null(s.next_pin);
    } else {
        pin_encode(next, text);
        assert_non_null(s.next_pin);
        assert_string_equal(s.next_pin, text);
    }
    settings_free(&s);
}

static void the_servers_word_counts(void **state)
{
    struct scene *g = *state;
    struct other other;
    struct said said = {.word = SIGNED};
    struct ending *e;

    make_other(&g->fake, &other);
    said.next = other.pin;
    e = ping_with(g, &said);
    assert_int_equal(e->code, SATCHEL_OK);
    assert_int_equal(e->notices[SATCHEL_NOTICE_PIN], 0);
    handle_close(&g->bob); /* what is to be kept is kept */
    assert_next(g, &other.pin);
    handle_open(g, &g->bob, "bob", true);
    swap(&g->fake, &other);
    honest(g);
    e = do_ping(&g->bob);
    assert_int_equal(e->code, SATCHEL_OK);
    assert_int_equal(e->notices[SATCHEL_NOTICE_PIN], 1);
    SSL_CTX_free(other.ctx);
}

/* Whoever has the certificate's key alone greets in the server's place. */
static void a_thief_names_no_successor(void **state)
{
    struct scene *g = *state;
    struct other other;
    struct said said = {.word = NONE};
    struct ending *e;

    make_other(&g->fake, &other);
    said.next = other.pin;
    e = ping_with(g, &said);
    assert_int_equal(e->code, SATCHEL_OK); /* a server of before signs nothing */
    assert_int_equal(e->notices[SATCHEL_NOTICE_PIN], 1);
    handle_close(&g->bob);
    assert_next(g, NULL);
    handle_open(g, &g->bob, "bob", true);
    swap(&g->fake, &other);
    honest(g);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_E_PIN);
    SSL_CTX_free(other.ctx);
}

/* It does not take the place of what the server did announce. */
static void an_unsigned_one_changes_nothing(void **state)
{
    struct scene *g = *state;
    struct said said = {.next = {{1}}, .word = SIGNED};

    assert_int_equal(ping_with(g, &said)->code, SATCHEL_OK);
    said = (struct said){.next = {{2}}, .word = NONE};
    assert_int_equal(ping_with(g, &said)->code, SATCHEL_OK);
    handle_close(&g->bob);
    assert_next(g, &(struct pin){{1}});
    handle_open(g, &g->bob, "bob", true);
}

static void a_wrong_signature_ends_it(void **state)
{
    static const enum word words[] = {OTHER_SERVER, OTHER_NOW, OTHER_NEXT, OTHER_KEY};
    struct scene *g = *state;
    struct said said = {.next = {{3}}};
    struct ending *e;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        said.word = words[i];
        e = ping_with(g, &said);
        assert_int_equal(e->code, SATCHEL_E_PIN);
        assert_true(e->hint[0] != '\0');
        assert_next(g, NULL);
    }
    said.word = SHORT;
    assert_int_equal(ping_with(g, &said)->code, SATCHEL_E_PROTO);
    assert_next(g, NULL);
    assert_int_equal(g->fake.requests[SATCHEL__ENVELOPE__BODY_PING], 0);
    honest(g);
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
}

/* Another process may have changed them since they were read. */
static void other_settings_are_kept(void **state)
{
    struct scene *g = *state;
    struct said said = {.next = {{4}}, .word = SIGNED};
    char folder[128];
    struct settings s = {0};

    (void)snprintf(folder, sizeof(folder), "%s/profiles/default", g->bob.home);
    handle_again(&g->bob);
    assert_int_equal(settings_read(folder, &s, NULL), ERR_OK);
    s.receipts = SETTINGS_RECEIPTS_OFF;
    assert_int_equal(settings_write(folder, &s, NULL), ERR_OK);
    g->fake.spoil = announce;
    g->fake.cookie = &said;
    assert_int_equal(do_ping(&g->bob)->code, SATCHEL_OK);
    handle_close(&g->bob);
    assert_next(g, &said.next);
    settings_free(&s);
    s = (struct settings){0};
    assert_int_equal(settings_read(folder, &s, NULL), ERR_OK);
    assert_int_equal(s.receipts, SETTINGS_RECEIPTS_OFF);
    settings_free(&s);
    handle_open(g, &g->bob, "bob", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_servers_word_counts),         TEST(a_thief_names_no_successor),
        TEST(an_unsigned_one_changes_nothing), TEST(a_wrong_signature_ends_it),
        TEST(other_settings_are_kept),
    };
    int failed = cmocka_run_group_tests_name("next pin", tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
