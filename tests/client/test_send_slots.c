/* SPDX-License-Identifier: Apache-2.0 */
/* The slots of a small send, of which half is made while the server opens the transfer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "common/transfer/slot.h"
#include "tests/client/cut.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

enum {
    SMALL = 1000,     /* bytes: one piece */
    SLOTS = 2,        /* bob's and the sender's own */
    PATIENCE = 20000, /* ms */
    SEEN_MAX = 16
};

static atomic_int encaps; /* made by workers */
static atomic_int used;   /* of those that were made ahead */

int __real_hpke_kem_new(struct hpke_kem *ret, const uint8_t *public_key, const uint8_t *ikm);
int __wrap_hpke_kem_new(struct hpke_kem *ret, const uint8_t *public_key, const uint8_t *ikm);

int __wrap_hpke_kem_new(struct hpke_kem *ret, const uint8_t *public_key, const uint8_t *ikm)
{
    int rc = __real_hpke_kem_new(ret, public_key, ikm);

    encaps++;
    return rc;
}

int __real_slot_seal(const struct slot_seal *in, struct slot *ret_s, struct err *err);
int __wrap_slot_seal(const struct slot_seal *in, struct slot *ret_s, struct err *err);

int __wrap_slot_seal(const struct slot_seal *in, struct slot *ret_s, struct err *err)
{
    used += in->kem != NULL;
    return __real_slot_seal(in, ret_s, err);
}

/* What the server sees: it thinks for as long as it takes to make SLOTS of them. */
struct watch {
    bool is_silent; /* to OpenTransfer */
    bool forgets;   /* the first transfer, when its piece comes; its seal is behind that */
    unsigned opened, seals;
    int before[2]; /* encaps when it was opened, and when it was sealed first */
    uint8_t enc[SEEN_MAX][SLOT_ENC_LEN];
    size_t n;
};

static void note_slots(struct watch *w, const Satchel__SealTransfer *m)
{
    for (size_t i = 0; i < m->n_slots; i++) {
        struct slot slot;

        assert_int_equal(
            slot_parse(part(m->slots[i]->slot.data, m->slots[i]->slot.len), &slot, NULL), ERR_OK);
        for (size_t k = 0; k < w->n; k++)
            assert_memory_not_equal(w->enc[k], slot.enc, SLOT_ENC_LEN);
        assert_true(w->n < SEEN_MAX);
        memcpy(w->enc[w->n++], slot.enc, SLOT_ENC_LEN);
    }
}

static bool look(struct fake *f, const Satchel__Envelope *e)
{
    struct watch *w = f->cookie;

    if (e->body_case == SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER && w->opened++ == 0) {
        for (int ms = 0; encaps < SLOTS && ms < PATIENCE; ms++)
            (void)usleep(1000);
        w->before[0] = encaps;
    }
    if (e->body_case == SATCHEL__ENVELOPE__BODY_OPEN_TRANSFER && w->is_silent)
        return false;
    if (e->body_case == SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER) {
        if (w->seals++ == 0)
            w->before[1] = encaps;
        note_slots(w, e->seal_transfer);
    }
    if (e->body_case == SATCHEL__ENVELOPE__BODY_PUT_PIECE && w->forgets) {
        f->transfers[f->n_transfers - 1].abandoned = true;
        w->forgets = false;
    }
    return true;
}

static void watch_begin(struct scene *g, struct watch *w)
{
    encaps = used = 0;
    g->fake.cookie = w;
    g->fake.listen = look;
}

static void they_are_made_meanwhile(void **state)
{
    struct scene *g = *state;
    struct watch w = {0};

    scene_fill_file(g, SMALL);
    watch_begin(g, &w);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    honest(g);
    assert_int_equal(w.before[0], SLOTS);
    assert_int_equal(w.before[1], SLOTS);
    assert_int_equal(used, SLOTS);
    assert_int_equal(w.n, SLOTS);
    assert_bob_gets_it(g);
}

/* Sealed again, under another ID: with other ephemerals, or two contents would share keys. */
static void none_serves_twice(void **state)
{
    struct scene *g = *state;
    struct watch w = {.forgets = true};

    scene_fill_file(g, SMALL);
    watch_begin(g, &w);
    handle_retry(&g->alice, CUT_RETRY);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    honest(g);
    assert_int_equal(w.seals, 2);
    assert_int_equal(used, SLOTS);
    assert_int_equal(w.n, 2 * SLOTS);
    assert_bob_gets_it(g);
}

/* Of a large one the slots are a small part: they are made at its end. */
static void a_large_send_makes_none(void **state)
{
    struct scene *g = *state;
    struct watch w = {.opened = 1}; /* do not wait for them */

    scene_fill_file(g, CUT_LENGTH);
    watch_begin(g, &w);
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    honest(g);
    assert_int_equal(encaps, SLOTS);
    assert_int_equal(used, 0);
    assert_int_equal(w.n, SLOTS);
    assert_bob_gets_it(g);
}

/* There is something else to do meanwhile: the hand-over would cost more than it wins. */
static void none_are_made_beside_another_send(void **state)
{
    struct scene *g = *state;
    struct watch w = {.is_silent = true};
    struct satchel_op *other;

    scene_fill_file(g, SMALL);
    watch_begin(g, &w);
    other = begin_send(&g->carol, "bob", NULL);
    while (w.opened == 0)
        uv_run(&g->loop, UV_RUN_ONCE);
    assert_int_equal(encaps, SLOTS); /* that one was alone */
    w.is_silent = false;
    encaps = used = 0;
    assert_int_equal(do_send(&g->alice, "bob")->code, SATCHEL_OK);
    assert_int_equal(encaps, SLOTS);
    assert_int_equal(used, 0);
    satchel_cancel(other);
    assert_int_equal(wait_for(&g->carol)->code, SATCHEL_E_CANCELED);
    honest(g);
    assert_bob_gets_it(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_are_made_meanwhile),
        TEST(none_serves_twice),
        TEST(a_large_send_makes_none),
        TEST(none_are_made_beside_another_send),
    };

    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    uv_library_shutdown();
    return failed;
}
