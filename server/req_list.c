/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ListTransfers: a page of a folder, oldest first.  GetTransfer: one row.
 *
 * Happy path: rows from the store -> as many as a frame takes -> metadata
 * shares of those that are still open -> reply.
 *
 * A share that cannot be regenerated only closes its row.  If its cells are gone though the row
 * says nothing of it, everything is looked at once more; a row that then is as before comes from a
 * store older than the keys, and its transfer has ended: EXPIRED.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "server/conn.h"
#include "server/daemon.h"
#include "server/mail.h"
#include "server/req.h"

enum {
    REPLY_MAX = 192 * 1024, /* PROTOCOL.md, ListTransfers */
    ROW_EXTRA = 512,        /* of a row besides its blobs: proof, numbers, tags */
    ROW_COST = 2            /* in requests: an audit path, and a run of the network */
};
#define KEPT_MS ((uint64_t)30 * 24 * 3600 * 1000) /* expired rows are listed so long */

struct listing {
    uint64_t now;
    size_t n;      /* rows shown */
    bool more;     /* there are rows behind them */
    size_t *index; /* of each row in the store's page */
    size_t *item;  /* of each row among the job's, or SIZE_MAX */
    struct shares_job *job;
    bool single;
    bool again;        /* this is the second look */
    size_t owed, paid; /* in requests */
};

static void listing_free(void *data)
{
    struct listing *l = data;

    free(l->index);
    free(l->item);
    shares_job_free(l->job);
    free(l);
}

static struct listing *listing_new(struct call *c)
{
    struct listing *l = calloc(1, sizeof(*l));

    c->data = l;
    c->drop = listing_free;
    if (l == NULL)
        c->drop = NULL;
    else
        l->now = daemon_time();
    return l;
}

static const struct store_mail *mail_at(const struct call *c, size_t i)
{
    const struct listing *l = c->data;

    return l->single ? &c->res->u.mail : &c->res->u.mails[l->index[i]];
}

/* ---- reply ---- */

static void reply_single(struct call *c, struct mail_row *row)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__TransferReply reply = SATCHEL__TRANSFER_REPLY__INIT;

    reply.transfer = &row->msg;
    env.body_case = SATCHEL__ENVELOPE__BODY_TRANSFER_REPLY;
    env.transfer_reply = &reply;
    call_reply(c, &env);
}

/* A place in a mailbox as the store has it: time of arrival, then tid. */
static void cursor_of(const struct store_mail *m, uint8_t ret[STORE_CURSOR_LEN])
{
    put_be64(ret, m->t.arrived);
    memcpy(ret + 8, m->t.tid, STORE_TID_LEN);
}

static void reply_page(struct call *c, Satchel__Transfer **list)
{
    const struct listing *l = c->data;
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__ListReply reply = SATCHEL__LIST_REPLY__INIT;
    uint8_t cursor[STORE_CURSOR_LEN];

    reply.n_transfers = l->n;
    reply.transfers = list;
    reply.more = l->more;
    if (c->res->count > 0) {
        if (l->more && l->n > 0 && l->index[l->n - 1] + 1 < c->res->count)
            cursor_of(mail_at(c, l->n - 1), cursor);
        else
            cursor_of(&c->res->u.mails[c->res->count - 1], cursor);
        reply.cursor = (ProtobufCBinaryData){sizeof(cursor), cursor};
    } else {
        reply.cursor = c->msg->list_transfers->cursor;
    }
    env.body_case = SATCHEL__ENVELOPE__BODY_LIST_REPLY;
    env.list_reply = &reply;
    call_reply(c, &env);
}

static const uint8_t *share_of(const struct listing *l, size_t i)
{
    size_t at = l->item[i];

    if (at == SIZE_MAX || l->job == NULL || l->job->items[at].code != ERR_OK)
        return NULL;
    return shares_meta(l->job, at);
}

static bool key_is_gone(const struct listing *l, size_t i)
{
    return l->item[i] != SIZE_MAX && l->job->items[l->item[i]].code == ERR_EXPIRED;
}

static void reply(struct call *c)
{
    const struct listing *l = c->data;
    bool single = l->single;
    size_t n = l->n;
    struct mail_row *rows = calloc(l->n + 1, sizeof(*rows));
    Satchel__Transfer **list = calloc(l->n + 1, sizeof(*list));
    int rc = rows != NULL && list != NULL ? ERR_OK : ERR_NOMEM;

    for (size_t i = 0; rc == ERR_OK && i < l->n; i++) {
        rc = mail_row(&rows[i], mail_at(c, i), share_of(l, i), l->now);
        if (key_is_gone(l, i))
            rows[i].msg.state = SATCHEL__SLOT_STATE__SLOT_EXPIRED;
        list[i] = &rows[i].msg;
    }
    if (rc != ERR_OK)
        call_error(c, rc, NULL);
    else if (single)
        reply_single(c, rows);
    else
        reply_page(c, list);
    for (size_t i = 0; rows != NULL && i < n; i++)
        buf_free(&rows[i].addendum.body);
    free(rows);
    free(list);
}

/* ---- shares ---- */

static void read_rows(struct call *c);

/*
 * A cell was erased since its row was read: revoked meanwhile, or moved by an Extend.  The rows
 * tell them apart.
 */
static void look_again(struct call *c)
{
    struct listing *l = c->data;

    l->again = true;
    read_rows(c);
}

static void on_shares(struct call *c)
{
    const struct listing *l = c->data;
    bool gone = false;

    for (size_t i = 0; i < l->n; i++)
        gone |= key_is_gone(l, i);
    if (l->job->code != ERR_OK)
        call_error(c, l->job->code, NULL);
    else if (gone && !l->again)
        look_again(c);
    else
        reply(c);
}

static void get_shares(struct call *c)
{
    const struct listing *l = c->data;

    call_shares(c, shares_find(c->d->shares, l->job, call_on_shares, c), get_shares, on_shares);
}

/* Collect what regenerates the shares of the open rows. */
static void collect_shares(struct call *c)
{
    struct listing *l = c->data;
    size_t n = 0;

    l->item = calloc(l->n + 1, sizeof(*l->item));
    l->job = shares_job_new(l->n);
    if (l->item == NULL || l->job == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct store_mail *m = mail_at(c, i);

        l->item[i] = SIZE_MAX;
        if (mail_is_open(m, l->now) && mail_share_item(&l->job->items[n], m->t.tid, &m->slots[0]))
            l->item[i] = n++;
    }
    l->job->n = n;
    if (n == 0)
        reply(c);
    else
        get_shares(c);
}

/* ---- rows ---- */

/* What could not be paid for was not kept; it is read again. */
static void pay_first(struct call *c)
{
    struct listing *l = c->data;

    if (!call_pays(c, l->owed, pay_first))
        return;
    l->paid = l->owed;
    read_rows(c);
}

/* A row alone is no more than a request. */
static void pay(struct call *c)
{
    struct listing *l = c->data;

    l->owed = l->n > 1 ? l->n * ROW_COST - 1 : 0; /* one was taken when the request came */
    if (l->owed <= l->paid || call_pays(c, l->owed - l->paid, pay_first))
        collect_shares(c);
}

static size_t row_bytes(const struct store_mail *m)
{
    return ROW_EXTRA + m->t.header.len + m->t.sig.len + m->t.meta.len + m->t.addendum.len +
           (m->nslots > 0 ? m->slots[0].bytes.len : 0);
}

/* Closed for so long that nobody needs to be told. */
static bool is_stale(const struct store_mail *m, uint64_t now)
{
    return m->t.expires + KEPT_MS <= now || !m->has_me || m->nslots == 0;
}

static void on_rows(struct call *c)
{
    struct listing *l = c->data;
    size_t bytes = 0;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    l->index = calloc(c->res->count + 1, sizeof(*l->index));
    if (l->index == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    l->more = c->res->more;
    for (size_t i = 0; i < c->res->count; i++) {
        const struct store_mail *m = &c->res->u.mails[i];

        if (is_stale(m, l->now))
            continue;
        bytes += row_bytes(m);
        if (l->n > 0 && bytes > REPLY_MAX) {
            l->more = true;
            break;
        }
        l->index[l->n++] = i;
    }
    pay(c);
}

static void get_row(struct call *c);

static void list(struct call *c)
{
    const Satchel__ListTransfers *msg = c->msg->list_transfers;
    size_t page = c->d->settings.page;
    const uint8_t *cursor = msg->cursor.len > 0 ? msg->cursor.data : NULL;
    struct store_inbox_list inbox = {.cursor = cursor};
    struct store_sent_list sent = {.cursor = cursor};

    inbox.limit = sent.limit = msg->limit == 0 || msg->limit > page ? page : msg->limit;
    memcpy(inbox.uid, c->conn->uid.b, sizeof(inbox.uid));
    memcpy(sent.uid, c->conn->uid.b, sizeof(sent.uid));
    call_store(c,
               msg->folder == SATCHEL__FOLDER__INBOX
                   ? store_inbox_list(c->d->port, &inbox, call_on_store, c)
                   : store_sent_list(c->d->port, &sent, call_on_store, c),
               list, on_rows);
}

/* As if nothing had been read. */
static void read_rows(struct call *c)
{
    struct listing *l = c->data;

    free(l->index);
    free(l->item);
    shares_job_free(l->job);
    *l = (struct listing){.now = daemon_time(),
                          .single = l->single,
                          .again = l->again,
                          .owed = l->owed,
                          .paid = l->paid};
    if (l->single)
        get_row(c);
    else
        list(c);
}

void req_list(struct call *c)
{
    const Satchel__ListTransfers *msg = c->msg->list_transfers;

    if (msg->folder != SATCHEL__FOLDER__INBOX && msg->folder != SATCHEL__FOLDER__SENT)
        call_error(c, ERR_UNSUPPORTED, "unknown folder");
    else if (msg->cursor.len != 0 && msg->cursor.len != STORE_CURSOR_LEN)
        call_error(c, ERR_INVALID, "cursor has the wrong size");
    else if (listing_new(c) == NULL)
        call_error(c, ERR_NOMEM, NULL);
    else
        list(c);
}

/* ---- one row ---- */

static void on_row(struct call *c)
{
    struct listing *l = c->data;

    if (c->res->code != ERR_OK) {
        call_failed(c);
        return;
    }
    if (is_stale(&c->res->u.mail, l->now)) {
        call_error(c, ERR_NOTFOUND, NULL);
        return;
    }
    l->n = 1;
    collect_shares(c);
}

static void get_row(struct call *c)
{
    struct store_slot_get in;

    memcpy(in.tid, c->msg->get_transfer->tid.data, sizeof(in.tid));
    memcpy(in.uid, c->conn->uid.b, sizeof(in.uid));
    call_store(c, store_slot_get(c->d->port, &in, call_on_store, c), get_row, on_row);
}

void req_get_transfer(struct call *c)
{
    uint8_t tid[STORE_TID_LEN];
    struct listing *l;

    if (!call_take(c, &c->msg->get_transfer->tid, "tid", tid, sizeof(tid)))
        return;
    l = listing_new(c);
    if (l == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return;
    }
    l->single = true;
    get_row(c);
}
