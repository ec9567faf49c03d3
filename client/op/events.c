/* SPDX-License-Identifier: Apache-2.0 */
#include "client/op/events.h"

#include <stdlib.h>
#include <string.h>

#include "common/transfer/event_log.h"
#include "common/transfer/signed.h"
#include "proto/vault.pb-c.h"

enum { KIND_MAX = 65535 };

static const char *const table = "head";

/* ---- pages ---------------------------------------------------------------------------- */

static void ask(struct events *ev);

static bool add_page(struct events *ev, Satchel__EventsReply *m)
{
    Satchel__EventsReply **pages = realloc(ev->pages, (ev->n_pages + 1) * sizeof(*pages));
    Satchel__LoggedEvent **rows;

    if (pages == NULL)
        return false;
    ev->pages = pages;
    rows = realloc(ev->rows, (ev->n + m->n_events + 1) * sizeof(*rows));
    if (rows == NULL)
        return false;
    ev->rows = rows;
    ev->pages[ev->n_pages++] = m;
    for (size_t i = 0; i < m->n_events; i++)
        ev->rows[ev->n++] = m->events[i];
    ev->head = m->head;
    return true;
}

static void on_page(struct satchel_op *op, void *arg, const struct answer *a)
{
    struct events *ev = arg;
    Satchel__EventsReply *m = a->e->events_reply;
    bool more = m->more;

    if (ev->n + m->n_events > EVENTS_MAX || (more && m->n_events == 0)) {
        op_fail(op, ERR_PROTO, "the server's log of the transfer does not end");
        return;
    }
    if (!add_page(ev, m)) {
        op_fail(op, ERR_NOMEM, "out of memory");
        return;
    }
    a->e->body_case = SATCHEL__ENVELOPE__BODY__NOT_SET; /* it is ours now */
    a->e->events_reply = NULL;
    if (more)
        ask(ev);
    else
        ev->done(op);
}

static void ask(struct events *ev)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__ListEvents m = SATCHEL__LIST_EVENTS__INIT;
    struct op_ask a = {
        .ask = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_EVENTS_REPLY}, .cb = on_page, .arg = ev};

    m.tid = (ProtobufCBinaryData){IDS_TID_LEN, ev->tid.b};
    m.from = (uint32_t)ev->n + 1;
    e.body_case = SATCHEL__ENVELOPE__BODY_LIST_EVENTS;
    e.list_events = &m;
    (void)op_ask(ev->op, &a);
}

void events_get(struct events *ev)
{
    ask(ev);
}

/* ---- the chain -------------------------------------------------------------------------- */

static bool is_whole(const Satchel__LoggedEvent *e, size_t number)
{
    return e->number == number && e->user_id.len == IDS_UID_LEN && e->hash.len == IDS_HASH_LEN &&
           e->kind <= KIND_MAX;
}

static int check_chain(const struct events *ev, struct err *err)
{
    struct hash32 prev = {0}, hash;

    for (size_t i = 0; i < ev->n; i++) {
        const Satchel__LoggedEvent *e = ev->rows[i];
        struct event_log_row row = {.number = e->number,
                                    .time = e->time,
                                    .kind = (uint16_t)e->kind,
                                    .data = part(e->data.data, e->data.len)};

        if (!is_whole(e, i + 1))
            return err_set(err, ERR_INTEGRITY, "event %zu of the server's log is malformed", i + 1);
        memcpy(row.uid.b, e->user_id.data, IDS_UID_LEN);
        if (event_log_hash(&ev->tid, &row, &prev, &hash) != ERR_OK)
            return err_set(err, ERR_INTERNAL, "cannot check the server's log");
        if (memcmp(hash.b, e->hash.data, sizeof(hash.b)) != 0)
            return err_set(err, ERR_INTEGRITY, "event %zu of the server's log was changed", i + 1);
        prev = hash;
    }
    return ERR_OK;
}

/* ---- the head ------------------------------------------------------------------------------ */

static int check_head(const struct events *ev, const uint8_t server_key[IDS_KEY_LEN],
                      struct err *err)
{
    const Satchel__LoggedEvent *last = ev->rows[ev->n - 1];
    const Satchel__Signed *s = ev->head;
    struct event_log_head h;
    struct server_id server;
    int rc;

    if (s == NULL || s->body.len > EVENT_LOG_HEAD_MAX)
        return err_set(err, ERR_INTEGRITY, "the server's log of the transfer is not signed");
    rc = signed_check(SIGNED_EVENTS, server_key, part(s->body.data, s->body.len),
                      part(s->signature.data, s->signature.len), err);
    if (rc != ERR_OK)
        return rc;
    rc = event_log_head_read(part(s->body.data, s->body.len), &h, err);
    if (rc == ERR_NOMEM)
        return rc;
    if (ids_server(server_key, &server) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "cannot check the server's log");
    if (rc != ERR_OK || memcmp(&h.server, &server, sizeof(server)) != 0 ||
        memcmp(&h.tid, &ev->tid, sizeof(h.tid)) != 0 || h.number != last->number ||
        memcmp(h.hash.b, last->hash.data, IDS_HASH_LEN) != 0)
        return err_set(err, ERR_INTEGRITY, "the head of the server's log does not fit it");
    return ERR_OK;
}

int events_verify(const struct events *ev, const uint8_t server_key[IDS_KEY_LEN], struct err *err)
{
    int rc = check_chain(ev, err);

    return rc == ERR_OK && ev->n > 0 ? check_head(ev, server_key, err) : rc;
}

/* ---- what was seen before ------------------------------------------------------------------- */

static int compare(const struct events *ev, const Satchel__Vault__Head *kept, struct err *err)
{
    if (kept->number > ev->n)
        return err_set(
            err, ERR_INTEGRITY,
            "the server's log of the transfer is shorter than it was: events are missing");
    if (kept->number > 0 &&
        (kept->hash.len != IDS_HASH_LEN ||
         memcmp(kept->hash.data, ev->rows[kept->number - 1]->hash.data, IDS_HASH_LEN) != 0))
        return err_set(err, ERR_INTEGRITY,
                       "the server's log of the transfer is not the one it showed before");
    return ERR_OK;
}

static int compare_kept(const struct events *ev, struct vault *vault,
                        const uint8_t id[VAULT_RECORD_ID_LEN], struct err *err)
{
    Satchel__Vault__Head *kept = NULL;
    struct buf plain = {0};
    int rc = vault_get(vault, table, id, &plain, NULL, err);

    if (rc == ERR_OK) {
        kept = satchel__vault__head__unpack(NULL, plain.len, plain.data);
        rc = kept != NULL ? compare(ev, kept, err)
                          : err_set(err, ERR_CORRUPT, "the record of a log's head is damaged");
    }
    satchel__vault__head__free_unpacked(kept, NULL);
    buf_free(&plain);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

static int keep(const struct events *ev, struct vault *vault, const uint8_t id[VAULT_RECORD_ID_LEN],
                struct err *err)
{
    Satchel__Vault__Head m = SATCHEL__VAULT__HEAD__INIT;
    uint8_t plain[64];

    m.number = (uint32_t)ev->n;
    if (ev->n > 0)
        m.hash = ev->rows[ev->n - 1]->hash;
    return vault_put(vault, table, id, part(plain, satchel__vault__head__pack(&m, plain)), err);
}

int events_check(struct events *ev, const uint8_t server_key[IDS_KEY_LEN], struct vault *vault,
                 struct err *err)
{
    uint8_t id[VAULT_RECORD_ID_LEN];
    int rc = events_verify(ev, server_key, err);

    if (rc == ERR_OK)
        rc = vault_id(vault, table, PART_OF(ev->tid.b), id, err);
    if (rc == ERR_OK)
        rc = vault_lock(vault, err);
    if (rc != ERR_OK)
        return rc;
    rc = compare_kept(ev, vault, id, err);
    if (rc == ERR_OK)
        rc = keep(ev, vault, id, err);
    vault_unlock(vault);
    return rc;
}

void events_free(struct events *ev)
{
    for (size_t i = 0; i < ev->n_pages; i++)
        satchel__events_reply__free_unpacked(ev->pages[i], NULL);
    free(ev->pages);
    free(ev->rows);
    *ev = (struct events){0};
}
