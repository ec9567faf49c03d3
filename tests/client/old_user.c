/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/local/profile.h"
#include "tests/client/old_user.h"

static uint64_t days_ago(unsigned days)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec - (uint64_t)days * 24 * 3600) * 1000;
}

Satchel__Signed *old_user_signed(const struct manifest *m)
{
    Satchel__Signed *s = calloc(1, sizeof(*s));

    satchel__signed__init(s);
    s->body.len = m->body.len;
    s->body.data = malloc(m->body.len);
    memcpy(s->body.data, m->body.data, m->body.len);
    s->signature.len = sizeof(m->signature);
    s->signature.data = malloc(sizeof(m->signature));
    memcpy(s->signature.data, m->signature, sizeof(m->signature));
    return s;
}

static void make_profile(struct scene *g, struct old_user *u, uint64_t when)
{
    struct settings settings = {.server = g->fake.address, .pin = g->fake.pin_text};
    struct place place = {0};
    struct profile_plan plan = {
        .place = &place,
        .settings = &settings,
        .identity = {.username = "dave", .email = "dave@example.org", .now = when}};
    struct fake_user *f = &g->fake.users[g->fake.n_users++];
    struct profile *p = NULL;

    assert_int_equal(place_find(u->h.home, "default", &place, NULL), ERR_OK);
    assert_int_equal(ids_server(g->fake.server_key, &plan.identity.server), ERR_OK);
    assert_int_equal(profile_begin(&plan, &p, NULL), ERR_OK);
    assert_int_equal(secret_copy(&u->recovery, p->id->recovery.data, 32, NULL), ERR_OK);
    assert_int_equal(secret_copy(&u->isk, p->id->isk.data, 32, NULL), ERR_OK);
    assert_int_equal(manifest_parse(p->id->chain.m[0]->body, PART_OF(p->id->chain.m[0]->signature),
                                    &u->first, NULL),
                     ERR_OK);
    f->uid = p->id->uid;
    memcpy(f->username, "dave", sizeof("dave"));
    f->manifests[f->n++] = old_user_signed(u->first);
    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    profile_close(p);
    place_free(&place);
}

void old_user_make(struct scene *g, struct old_user *u, unsigned days)
{
    *u = (struct old_user){0};
    handle_open(g, &u->h, "dave", false);
    make_profile(g, u, days_ago(days));
    handle_again(&u->h);
}

void old_user_free(struct old_user *u)
{
    handle_close(&u->h);
    secret_free(&u->isk);
    secret_free(&u->recovery);
    manifest_free(u->first);
}

struct manifest_build_plan old_user_plan(const struct manifest *before)
{
    return (struct manifest_build_plan){.previous = before,
                                        .created = days_ago(0),
                                        .devices = before->devices,
                                        .n_devices = before->n_devices,
                                        .eks = before->eks,
                                        .n_eks = before->n_eks};
}

struct manifest *old_user_publish(struct scene *g, const struct manifest_build_plan *plan,
                                  const struct secret *isk)
{
    struct fake_user *dave = fake_find_user(&g->fake, "dave");
    struct manifest *m = NULL;

    assert_int_equal(manifest_build(plan, isk, &m, NULL), ERR_OK);
    dave->manifests[dave->n++] = old_user_signed(m);
    return m;
}
