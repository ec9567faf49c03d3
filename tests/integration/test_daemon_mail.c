/* SPDX-License-Identifier: Apache-2.0 */
/* ListTransfers, GetTransfer, FindTransfers, Release, GetLeaves, GetPieces, Delete, Status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crypto/hex.h"
#include "tests/integration/stage.h"

#define CODE(x) SATCHEL__CODE__##x

static struct peer a, b, c; /* alice, bob, carol */

static int setup(void **state)
{
    (void)state;
    stage_up("[limits]\npage = 10");
    return 0;
}

static int enter(void **state)
{
    (void)state;
    stage_enter(&a, &alice);
    stage_enter(&b, &bob);
    stage_enter(&c, &carol);
    return 0;
}

static int leave(void **state)
{
    (void)state;
    peer_close(&a);
    peer_close(&b);
    peer_close(&c);
    return 0;
}

/* ---- requests ---- */

static struct message *list(struct peer *p, Satchel__Folder folder, const void *cursor, size_t len,
                            uint32_t limit)
{
    Satchel__ListTransfers msg = SATCHEL__LIST_TRANSFERS__INIT;
    PEER_ENV(env, LIST_TRANSFERS, list_transfers, &msg);

    msg.folder = folder;
    msg.cursor = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)cursor};
    msg.limit = limit;
    return peer_call(p, &env);
}

static struct message *get(struct peer *p, const struct parcel *x)
{
    Satchel__GetTransfer msg = SATCHEL__GET_TRANSFER__INIT;
    PEER_ENV(env, GET_TRANSFER, get_transfer, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_call(p, &env);
}

static struct message *find(struct peer *p, const char *prefix)
{
    Satchel__FindTransfers msg = SATCHEL__FIND_TRANSFERS__INIT;
    PEER_ENV(env, FIND_TRANSFERS, find_transfers, &msg);

    msg.prefix = (char *)(uintptr_t)prefix;
    return peer_call(p, &env);
}

static struct message *status(struct peer *p, const struct parcel *x)
{
    Satchel__Status msg = SATCHEL__STATUS__INIT;
    PEER_ENV(env, STATUS, status, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    return peer_call(p, &env);
}

static Satchel__Code delete (struct peer *p, const struct parcel *x, Satchel__Folder folder)
{
    Satchel__Delete msg = SATCHEL__DELETE__INIT;
    PEER_ENV(env, DELETE, delete_, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.folder = folder;
    return peer_ask(p, &env);
}

static Satchel__Code ask_leaves(struct peer *p, const struct parcel *x, uint32_t count)
{
    Satchel__GetLeaves msg = SATCHEL__GET_LEAVES__INIT;
    PEER_ENV(env, GET_LEAVES, get_leaves, &msg);

    PEER_BYTES(msg.tid, x->header.tid.b);
    msg.count = count;
    return peer_ask(p, &env);
}

static void deliver(struct parcel *x, uint64_t length, uint32_t seed)
{
    stage_parcel(x, length, seed);
    assert_int_equal(parcel_deliver(&a, x), OK);
}

/* Walk a folder to its end; how many rows, and whether ${x} (may be NULL) was among them. */
static size_t count_rows(struct peer *p, Satchel__Folder folder, const struct parcel *x, bool *seen)
{
    uint8_t cursor[64];
    size_t len = 0, n = 0;
    uint64_t before = 0;
    bool more = true;

    *seen = false;
    while (more) {
        struct message *m = list(p, folder, cursor, len, 0);
        const Satchel__ListReply *r;

        assert_non_null(m);
        assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_LIST_REPLY);
        r = m->env->list_reply;
        assert_true(r->n_transfers <= p->limits.page);
        for (size_t i = 0; i < r->n_transfers; i++, n++) {
            assert_true(r->transfers[i]->stored >= before); /* oldest first */
            before = r->transfers[i]->stored;
            *seen |=
                x != NULL && r->transfers[i]->header.len == x->header_raw.len &&
                memcmp(r->transfers[i]->header.data, x->header_raw.data, x->header_raw.len) == 0;
        }
        more = r->more;
        assert_true(r->cursor.len <= sizeof(cursor));
        if (r->cursor.len > 0)
            memcpy(cursor, r->cursor.data, r->cursor.len);
        len = r->cursor.len;
        message_free(m);
    }
    return n;
}

/* ---- listing ---- */

static void test_folders_page_by_page(void **state)
{
    enum { N = 25 };
    struct parcel x[N];
    size_t before, sent;
    bool seen;

    (void)state;
    before = count_rows(&b, SATCHEL__FOLDER__INBOX, NULL, &seen);
    sent = count_rows(&a, SATCHEL__FOLDER__SENT, NULL, &seen);
    for (uint32_t i = 0; i < N; i++)
        deliver(&x[i], 10, 100 + i);
    assert_int_equal(count_rows(&b, SATCHEL__FOLDER__INBOX, &x[17], &seen), before + N);
    assert_true(seen);
    assert_int_equal(count_rows(&a, SATCHEL__FOLDER__SENT, &x[0], &seen), sent + N);
    assert_true(seen);
    assert_int_equal(count_rows(&b, SATCHEL__FOLDER__SENT, NULL, &seen), 0);
    (void)count_rows(&a, SATCHEL__FOLDER__INBOX, &x[3], &seen);
    assert_false(seen); /* a sender's copy is in the sent folder alone */
    for (uint32_t i = 0; i < N; i++)
        parcel_free(&x[i]);
}

static void test_a_page_ends_before_it_is_too_large(void **state)
{
    enum { N = 12 }; /* ten of them would pass 192 KiB */
    struct parcel x[N];
    struct message *m;
    bool seen;
    size_t before = count_rows(&c, SATCHEL__FOLDER__INBOX, NULL, &seen);

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        stage_parcel(&x[i], 10, 200 + i);
        x[i].meta.message = malloc(METADATA_MESSAGE_MAX + 1);
        assert_non_null(x[i].meta.message);
        memset(x[i].meta.message, 'm', METADATA_MESSAGE_MAX);
        x[i].meta.message[METADATA_MESSAGE_MAX] = '\0';
        x[i].meta.preview = calloc(1, METADATA_PREVIEW_MAX);
        x[i].meta.preview_len = METADATA_PREVIEW_MAX;
        assert_int_equal(parcel_deliver(&a, &x[i]), OK);
        metadata_free(&x[i].meta);
    }
    assert_int_equal(count_rows(&c, SATCHEL__FOLDER__INBOX, &x[N - 1], &seen), before + N);
    assert_true(seen);
    m = list(&c, SATCHEL__FOLDER__INBOX, NULL, 0, 1);
    assert_int_equal(m->env->list_reply->n_transfers, 1);
    assert_true(m->env->list_reply->more);
    message_free(m);
    for (uint32_t i = 0; i < N; i++)
        parcel_free(&x[i]);
}

static void test_listings_that_cannot_be(void **state)
{
    (void)state;
    assert_int_equal(peer_code(list(&a, SATCHEL__FOLDER__INBOX, "short", 5, 0)), CODE(BAD_REQUEST));
    assert_int_equal(peer_code(list(&a, (Satchel__Folder)2, NULL, 0, 0)), CODE(UNSUPPORTED));
}

/* ---- one transfer ---- */

/* Missing and somebody else's: the answers are the same to the byte. */
static void test_missing_and_foreign_look_the_same(void **state)
{
    struct parcel x, y;
    uint8_t packed[2][5][256];
    size_t len[2][5];

    (void)state;
    stage_parcel(&x, 10, 300);
    x.n = 2; /* alice to bob: not for carol */
    x.header.slots = 2;
    assert_int_equal(parcel_deliver(&a, &x), OK);
    y = x;
    y.header.tid.b[5] ^= 0x55;
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 5; k++) {
            const struct parcel *z = i == 0 ? &x : &y;
            Satchel__Release release = SATCHEL__RELEASE__INIT;
            PEER_ENV(env, RELEASE, release, &release);
            struct message *m = NULL;

            PEER_BYTES(release.tid, z->header.tid.b);
            if (k == 0)
                m = get(&c, z);
            else if (k == 1)
                m = status(&c, z);
            else if (k == 2)
                m = peer_call(&c, &env);
            else if (k == 3)
                m = peer_wait(&c, parcel_ask_pieces(&c, z, 0, 1));
            else
                m = list(&c, SATCHEL__FOLDER__SENT, NULL, 0, 0);
            assert_non_null(m);
            m->env->id = 0;
            len[i][k] = satchel__envelope__get_packed_size(m->env);
            assert_true(len[i][k] <= sizeof(packed[i][k]));
            (void)satchel__envelope__pack(m->env, packed[i][k]);
            if (k < 4)
                assert_int_equal(m->env->error->code, CODE(NOT_FOUND));
            message_free(m);
        }
    for (int k = 0; k < 5; k++) {
        assert_int_equal(len[0][k], len[1][k]);
        assert_memory_equal(packed[0][k], packed[1][k], len[0][k]);
    }
    assert_int_equal(ask_leaves(&c, &x, 10), CODE(NOT_FOUND));
    assert_int_equal(delete (&c, &x, SATCHEL__FOLDER__INBOX), CODE(NOT_FOUND));
    assert_int_equal(ask_leaves(&c, &y, 10), CODE(NOT_FOUND));
    assert_int_equal(delete (&c, &y, SATCHEL__FOLDER__INBOX), CODE(NOT_FOUND));
    parcel_free(&x);
}

/* Not visible before it is sealed, to nobody. */
static void test_nothing_shows_before_the_seal(void **state)
{
    struct parcel x;
    bool seen;
    size_t before = count_rows(&b, SATCHEL__FOLDER__INBOX, NULL, &seen);

    (void)state;
    stage_parcel(&x, 10, 301);
    assert_int_equal(parcel_open(&a, &x), OK);
    parcel_seal_body(&x);
    assert_int_equal(parcel_put_all(&a, &x), OK);
    assert_int_equal(count_rows(&b, SATCHEL__FOLDER__INBOX, NULL, &seen), before);
    assert_int_equal(peer_code(get(&b, &x)), CODE(NOT_FOUND));
    assert_int_equal(peer_code(get(&a, &x)), CODE(NOT_FOUND));
    assert_int_equal(parcel_release(&b, &x, NULL), CODE(NOT_FOUND));
    assert_int_equal(parcel_seal(&a, &x), OK);
    assert_int_equal(parcel_receive(&b, &x, 1), OK);
    parcel_free(&x);
}

static void test_find_by_prefix(void **state)
{
    static const char *const bad[] = {"", "xyz", "ABC", "0123456789abcdef0123456789abcdef0"};
    char text[33];
    struct parcel x;
    struct message *m;

    (void)state;
    deliver(&x, 10, 302);
    hex_encode(text, x.header.tid.b, IDS_TID_LEN);
    for (int len = 32; len > 0; len -= 9) {
        bool found = false;

        text[len] = '\0';
        m = find(&b, text);
        assert_non_null(m);
        for (size_t i = 0; i < m->env->find_reply->n_found; i++) {
            const Satchel__Found *f = m->env->find_reply->found[i];

            if (memcmp(f->tid.data, x.header.tid.b, IDS_TID_LEN) == 0) {
                assert_int_equal(f->role, SATCHEL__ROLE__RECIPIENT);
                found = true;
            }
        }
        assert_true(m->env->find_reply->n_found <= 16);
        assert_true(found || m->env->find_reply->n_found == 16);
        message_free(m);
    }
    hex_encode(text, x.header.tid.b, IDS_TID_LEN);
    m = find(&a, text);
    assert_int_equal(m->env->find_reply->n_found, 1);
    assert_int_equal(m->env->find_reply->found[0]->role, SATCHEL__ROLE__SENDER);
    message_free(m);
    text[3] = text[3] == '0' ? '1' : '0';
    m = find(&a, text);
    assert_int_equal(m->env->find_reply->n_found, 0);
    message_free(m);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(peer_code(find(&a, bad[i])), CODE(BAD_REQUEST));
    parcel_free(&x);
}

static void test_to_oneself(void **state)
{
    const struct actor *who[] = {&alice};
    struct parcel x;
    struct message *m;
    bool in, out;
    char text[33];

    (void)state;
    parcel_make(&x, who, 1, 20000, 303);
    x.role[0] = SATCHEL__ROLE__BOTH;
    assert_int_equal(parcel_deliver(&a, &x), OK);
    assert_int_equal(parcel_receive(&a, &x, 0), OK);
    (void)count_rows(&a, SATCHEL__FOLDER__INBOX, &x, &in);
    (void)count_rows(&a, SATCHEL__FOLDER__SENT, &x, &out);
    assert_true(in && out);
    hex_encode(text, x.header.tid.b, IDS_TID_LEN);
    m = find(&a, text);
    assert_int_equal(m->env->find_reply->found[0]->role, SATCHEL__ROLE__BOTH);
    message_free(m);
    m = status(&a, &x);
    assert_int_equal(m->env->status_reply->n_recipients, 1);
    assert_int_equal(m->env->status_reply->recipients[0]->state, SATCHEL__SLOT_STATE__RELEASED);
    message_free(m);
    parcel_free(&x);
}

/* ---- opens ---- */

static void test_one_open_is_for_one_device(void **state)
{
    uint8_t one[SHARE_LEN], two[SHARE_LEN];
    struct parcel x;
    struct message *m;
    struct actor there = stage_second_device();
    struct peer other;

    (void)state;
    stage_add_device();
    stage_parcel(&x, 10, 400);
    x.header.opens = 1;
    assert_int_equal(parcel_deliver(&a, &x), OK);
    assert_int_equal(parcel_release(&b, &x, one), OK);
    assert_int_equal(parcel_release(&b, &x, two), OK); /* the same open, the same share */
    assert_memory_equal(one, two, SHARE_LEN);
    stage_enter(&other, &there);
    assert_int_equal(parcel_release(&other, &x, NULL), CODE(SPENT));
    peer_close(&other);
    assert_int_equal(parcel_release(&c, &x, NULL), OK); /* others have their own */
    m = status(&a, &x);
    assert_int_equal(m->env->status_reply->n_recipients, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(m->env->status_reply->recipients[i]->opens_used, 1);
    message_free(m);
    m = status(&b, &x);
    assert_int_equal(m->env->status_reply->n_recipients, 1);
    assert_memory_equal(m->env->status_reply->recipients[0]->user_id.data, bob.u.uid.b,
                        IDS_UID_LEN);
    message_free(m);
    parcel_free(&x);
}

static void test_opens_left(void **state)
{
    Satchel__Release msg = SATCHEL__RELEASE__INIT;
    struct parcel x;

    (void)state;
    stage_parcel(&x, 10, 401);
    x.header.opens = 3;
    assert_int_equal(parcel_deliver(&a, &x), OK);
    PEER_BYTES(msg.tid, x.header.tid.b);
    for (int i = 0; i < 2; i++) {
        PEER_ENV(env, RELEASE, release, &msg);
        struct message *m = peer_call(&b, &env);

        assert_non_null(m);
        assert_int_equal(m->env->release_reply->opens_left, 2);
        message_free(m);
    }
    parcel_free(&x);
}

/* ---- bodies ---- */

static void test_leaves_and_pieces_that_cannot_be(void **state)
{
    struct parcel x;

    (void)state;
    deliver(&x, 300000, 500);
    assert_int_equal(ask_leaves(&b, &x, 0), CODE(BAD_REQUEST));
    assert_int_equal(ask_leaves(&b, &x, 4097), CODE(BAD_REQUEST));
    assert_int_equal(peer_code(peer_wait(&b, parcel_ask_pieces(&b, &x, 0, 0))), CODE(BAD_REQUEST));
    assert_int_equal(peer_code(peer_wait(&b, parcel_ask_pieces(&b, &x, 0, b.limits.window + 1))),
                     CODE(BAD_REQUEST));
    assert_int_equal(peer_code(peer_wait(&b, parcel_ask_pieces(&b, &x, 7, 1))), CODE(BAD_REQUEST));
    assert_int_equal(parcel_receive(&b, &x, 1), OK);
    parcel_free(&x);
}

static void test_pieces_of_two_transfers_at_once(void **state)
{
    struct parcel x, y;
    uint64_t one, two;

    (void)state;
    deliver(&x, 2000000, 501);
    deliver(&y, 1500000, 502);
    one = parcel_ask_pieces(&b, &x, 0, 8);
    two = parcel_ask_pieces(&b, &y, 0, 6);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(parcel_take_piece(&b, &y, two, i), OK);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(parcel_take_piece(&b, &x, one, i), OK);
    assert_int_equal(peer_code(peer_wait(&b, two)), OK);
    assert_int_equal(peer_code(peer_wait(&b, one)), OK);
    parcel_free(&x);
    parcel_free(&y);
}

/* ---- deleting ---- */

static void test_deleting(void **state)
{
    struct parcel x;
    struct message *m;
    bool seen;

    (void)state;
    deliver(&x, 10, 600);
    assert_int_equal(delete (&b, &x, (Satchel__Folder)5), CODE(UNSUPPORTED));
    assert_int_equal(delete (&b, &x, SATCHEL__FOLDER__SENT), CODE(NOT_FOUND));
    assert_int_equal(delete (&b, &x, SATCHEL__FOLDER__INBOX), OK);
    (void)count_rows(&b, SATCHEL__FOLDER__INBOX, &x, &seen);
    assert_false(seen);
    assert_int_equal(peer_code(get(&b, &x)), CODE(NOT_FOUND));
    assert_int_equal(parcel_release(&b, &x, NULL), CODE(NOT_FOUND));
    assert_int_equal(parcel_receive(&c, &x, 2), OK); /* others keep theirs */
    m = status(&a, &x);
    for (size_t i = 0; i < m->env->status_reply->n_recipients; i++) {
        const Satchel__RecipientStatus *r = m->env->status_reply->recipients[i];
        bool is_bob = memcmp(r->user_id.data, bob.u.uid.b, IDS_UID_LEN) == 0;

        assert_int_equal(r->state,
                         is_bob ? SATCHEL__SLOT_STATE__DELETED : SATCHEL__SLOT_STATE__RELEASED);
    }
    message_free(m);
    assert_int_equal(delete (&a, &x, SATCHEL__FOLDER__SENT), OK);
    assert_int_equal(parcel_receive(&c, &x, 2), OK);
    assert_int_equal(delete (&c, &x, SATCHEL__FOLDER__INBOX), OK);
    assert_int_equal(peer_code(get(&c, &x)), CODE(NOT_FOUND));
    parcel_free(&x);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_folders_page_by_page),
        TEST(test_a_page_ends_before_it_is_too_large),
        TEST(test_listings_that_cannot_be),
        TEST(test_missing_and_foreign_look_the_same),
        TEST(test_nothing_shows_before_the_seal),
        TEST(test_find_by_prefix),
        TEST(test_to_oneself),
        TEST(test_one_open_is_for_one_device),
        TEST(test_opens_left),
        TEST(test_leaves_and_pieces_that_cannot_be),
        TEST(test_pieces_of_two_transfers_at_once),
        TEST(test_deleting),
    };

    return cmocka_run_group_tests(tests, setup, stage_teardown);
}
