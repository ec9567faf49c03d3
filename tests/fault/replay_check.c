/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/transfer/share.h"
#include "server/store/erasable_file.h"
#include "server/store/store.h"

struct check {
    const struct expectation *want;
    uv_loop_t loop;
    struct store *store;
    struct store_port *port;
    struct erasable_file *cells;
    struct store_result *got;
    bool good;
};

__attribute__((format(printf, 2, 3))) static void complain(struct check *c, const char *format, ...)
{
    va_list ap;

    c->good = false;
    va_start(ap, format);
    (void)vfprintf(stderr, format, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
}

/* ---- the store, one request after the other ---- */

static void on_result(void *arg, struct store_result *res)
{
    ((struct check *)arg)->got = res;
}

/* The answer to a start call that returned ${started}; NULL: there is none. */
static struct store_result *answer(struct check *c, int started)
{
    c->got = NULL;
    if (started == ERR_OK)
        while (c->got == NULL)
            (void)uv_run(&c->loop, UV_RUN_ONCE);
    else
        complain(c, "a request was not taken: %d", started);
    return c->got;
}

#define DO(c, op, in) answer(c, store_##op((c)->port, in, on_result, c))

/* ---- what must hold ---- */

static void check_rows(struct check *c)
{
    struct store_verify in = {.limit = 1000};
    uint8_t cursor[STORE_HASH_LEN];
    bool more = true;

    while (more && c->good) {
        struct store_result *res = DO(c, verify, &in);

        if (res == NULL)
            return;
        if (res->code != ERR_OK)
            complain(c, "verify: %d %s", res->code, res->why);
        for (size_t i = 0; i < res->count; i++)
            complain(c, "fault at piece %u: %s", res->u.verify.faults[i].piece,
                     res->u.verify.faults[i].what);
        more = res->more;
        memcpy(cursor, res->cursor, sizeof(cursor));
        in.cursor = cursor;
        store_result_free(res);
    }
}

/* Do the cells of a slot open its seed? */
static int open_seed(struct check *c, const uint8_t *tid, const struct store_slot *slot)
{
    struct secret day = {0}, key = {0}, seed = {0};
    struct share_cells cells = {&day, &key};
    struct share_place place;
    int rc = erasable_file_read(c->cells, slot->day_cell, &day, NULL);

    memcpy(place.tid.b, tid, sizeof(place.tid.b));
    memcpy(place.uid.b, slot->uid, sizeof(place.uid.b));
    memcpy(place.ek_id.b, slot->ek, sizeof(place.ek_id.b));
    if (rc == ERR_OK)
        rc = erasable_file_read(c->cells, slot->cell, &key, NULL);
    if (rc == ERR_OK)
        rc = share_open_seed(&cells, &place, (struct part){slot->seed.data, slot->seed.len}, &seed,
                             NULL);
    secret_free(&day);
    secret_free(&key);
    secret_free(&seed);
    return rc;
}

static void check_mail(struct check *c, const struct store_mail *m)
{
    int rc = m->nslots > 0 ? ERR_OK : ERR_CORRUPT;

    for (size_t i = 0; rc == ERR_OK && m->me.life == STORE_LIVE && i < m->nslots; i++)
        rc = open_seed(c, m->t.tid, &m->slots[i]);
    if (rc != ERR_OK)
        complain(c, "a listed transfer has no key: %d", rc);
    for (size_t i = 0; i < c->want->n; i++)
        if (c->want->known[i].deleted &&
            memcmp(c->want->known[i].tid, m->t.tid, sizeof(m->t.tid)) == 0)
            complain(c, "a transfer that was deleted is listed");
}

static void check_inbox(struct check *c)
{
    struct store_inbox_list in = {.limit = 100};
    uint8_t cursor[STORE_CURSOR_LEN];
    bool more = true;

    memcpy(in.uid, c->want->reader.b, sizeof(in.uid));
    while (more && c->good) {
        struct store_result *res = DO(c, inbox_list, &in);

        if (res == NULL)
            return;
        if (res->code != ERR_OK)
            complain(c, "inbox: %d %s", res->code, res->why);
        for (size_t i = 0; i < res->count; i++)
            check_mail(c, &res->u.mails[i]);
        more = res->more;
        memcpy(cursor, res->cursor, sizeof(cursor));
        in.cursor = cursor;
        store_result_free(res);
    }
}

static void check_acknowledged(struct check *c)
{
    for (size_t i = 0; i < c->want->n && c->good; i++) {
        const struct known *k = &c->want->known[i];
        struct store_slot_get in = {0};
        struct store_result *res;

        if (!k->sent || k->deleting)
            continue;
        memcpy(in.tid, k->tid, sizeof(in.tid));
        memcpy(in.uid, c->want->reader.b, sizeof(in.uid));
        res = DO(c, slot_get, &in);
        if (res != NULL && res->code != ERR_OK)
            complain(c, "an acknowledged transfer is lost: %d %s", res->code, res->why);
        else if (res != NULL)
            check_mail(c, &res->u.mail);
        store_result_free(res);
    }
}

/* ---- open and close ---- */

static void open_all(struct check *c)
{
    char store[512], cells[512];
    struct store_config cfg = {.path = store};
    struct err err = {0};
    int rc;

    (void)snprintf(store, sizeof(store), "%s/store", c->want->dir);
    (void)snprintf(cells, sizeof(cells), "%s/erasable.keys", c->want->dir);
    rc = erasable_file_open(&c->cells, cells, &err);
    if (rc == ERR_OK)
        rc = store_open(&c->store, &cfg, &err);
    if (rc == ERR_OK)
        rc = store_port_open(&c->port, c->store, &c->loop, &err);
    if (rc != ERR_OK)
        complain(c, "cannot open: %s", err.msg);
}

bool replay_check(const struct expectation *want)
{
    struct check c = {.want = want, .good = true};

    if (uv_loop_init(&c.loop) != 0)
        return false;
    open_all(&c);
    if (c.good)
        check_rows(&c);
    if (c.good)
        check_acknowledged(&c);
    if (c.good)
        check_inbox(&c);
    if (c.port != NULL)
        store_port_close(c.port, NULL, NULL);
    (void)uv_run(&c.loop, UV_RUN_DEFAULT);
    store_close(c.store);
    erasable_file_close(c.cells);
    return uv_loop_close(&c.loop) == 0 && c.good;
}
