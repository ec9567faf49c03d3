/* SPDX-License-Identifier: Apache-2.0 */
/* One transfer to as many people as there may be: one body, a slot each, nobody sees another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/stage.h"

enum { PEOPLE = 256, AT_ONCE = 32, LENGTH = 10 << 20 };

static struct actor people[PEOPLE];
static char names[PEOPLE][8];

static int setup(void **state)
{
    struct peer p = {0};

    (void)state;
    stage_up("[limits]\nmax_recipients = 256\nregistrations = 1000");
    for (size_t i = 0; i < PEOPLE; i++) {
        if (i % AT_ONCE == 0)
            stage_greet(&p);
        snprintf(names[i], sizeof(names[i]), "p%zu", i);
        actor_make(&people[i], names[i]);
        if (actor_register(&p, &people[i], NULL) != OK)
            return -1;
        if (i % AT_ONCE == AT_ONCE - 1)
            peer_close(&p);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEOPLE; i++)
        actor_free(&people[i]);
    return stage_down();
}

/* As many receive all of it as there is time for; the others look. */
static bool receives(size_t i)
{
    const char *level = getenv("SATCHEL_TEST_LEVEL");

    return (level != NULL && strcmp(level, "soak") == 0) || i % 64 == 0 || i == PEOPLE - 1;
}

/* What one of them can learn of the others: that they are so many. */
static void looks(struct peer *p, const struct parcel *x, size_t i)
{
    Satchel__GetTransfer get = SATCHEL__GET_TRANSFER__INIT;
    Satchel__Status status = SATCHEL__STATUS__INIT;
    PEER_ENV(ask_row, GET_TRANSFER, get_transfer, &get);
    PEER_ENV(ask_status, STATUS, status, &status);
    const Satchel__StatusReply *s;
    const Satchel__Transfer *t;
    struct message *m;

    PEER_BYTES(get.tid, x->header.tid.b);
    PEER_BYTES(status.tid, x->header.tid.b);
    m = peer_call(p, &ask_row);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY);
    t = m->env->transfer_reply->transfer;
    assert_int_equal(t->slot.len, x->slot_raw[i].len);
    assert_memory_equal(t->slot.data, x->slot_raw[i].data, t->slot.len);
    message_free(m);
    m = peer_call(p, &ask_status);
    assert_non_null(m);
    assert_int_equal(m->env->body_case, SATCHEL__ENVELOPE__BODY_STATUS_REPLY);
    s = m->env->status_reply;
    assert_int_equal(s->n_recipients, 1);
    assert_memory_equal(s->recipients[0]->user_id.data, x->who[i]->u.uid.b, IDS_UID_LEN);
    message_free(m);
}

static void test_everybody(void **state)
{
    const struct actor *who[PEOPLE + 1] = {&alice};
    char out[4096];
    char socket[200];
    struct parcel x;
    struct peer p;

    (void)state;
    for (size_t i = 0; i < PEOPLE; i++)
        who[i + 1] = &people[i];
    parcel_make(&x, who, PEOPLE + 1, LENGTH, 1);
    stage_enter(&p, &alice);
    assert_int_equal(parcel_deliver(&p, &x), OK);
    peer_close(&p);
    for (size_t i = 1; i <= PEOPLE; i++) {
        stage_enter(&p, x.who[i]);
        looks(&p, &x, i);
        if (receives(i - 1))
            assert_int_equal(parcel_receive(&p, &x, i), OK);
        peer_close(&p);
    }
    /* One body for all. */
    snprintf(socket, sizeof(socket), "%s/data/satcheld.sock", stage_site.dir);
    assert_int_equal(site_run(out, sizeof(out), site_bin("satchelctl"), "--socket", socket,
                              "--json", "verify", NULL),
                     0);
    snprintf(socket, sizeof(socket), "\"pieces\":%u,", x.pieces);
    if (strstr(out, "\"transfers\":1,") == NULL || strstr(out, socket) == NULL)
        fail_msg("%s", out);
    parcel_free(&x);
}

static void test_one_too_many(void **state)
{
    const struct actor *who[PEOPLE + 1] = {&alice};
    struct parcel x;
    struct peer p;

    (void)state;
    site_reload(&stage_site, "[limits]\nmax_recipients = 255\nregistrations = 1000",
                "event=reloaded");
    for (size_t i = 0; i < PEOPLE; i++)
        who[i + 1] = &people[i];
    parcel_make(&x, who, PEOPLE + 1, 1000, 2);
    stage_enter(&p, &alice);
    assert_int_equal(parcel_open(&p, &x), SATCHEL__CODE__TOO_LARGE);
    peer_close(&p);
    parcel_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody),
        cmocka_unit_test(test_one_too_many),
    };

    return cmocka_run_group_tests_name("group", tests, setup, teardown);
}
