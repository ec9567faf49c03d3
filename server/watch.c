/* SPDX-License-Identifier: Apache-2.0 */
#include "server/watch.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "server/conn.h"
#include "server/daemon.h"

enum { BUCKETS = 256, PAGE = 64 };

struct watch {
    struct watch *prev, *next; /* of its bucket */
    struct daemon *d;
    struct conn *conn; /* NULL: gone, while a page is read */
    struct uid uid;
    uint64_t after; /* the last event sent */
    bool busy;      /* a page is read */
    bool again;     /* there may be more */
};

/* By the first byte of the user ID, which is a hash. */
struct watches {
    struct watch *first[BUCKETS];
};

int watches_new(struct watches **ret_w, struct err *err)
{
    struct watches *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    *ret_w = w;
    return ERR_OK;
}

void watches_free(struct watches *w)
{
    free(w);
}

/* ---- one watcher ---- */

static void pump(struct watch *w);

static void send_event(struct conn *conn, const struct store_feed_row *row)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__Event msg = SATCHEL__EVENT__INIT;

    msg.number = row->number;
    msg.time = row->at;
    msg.kind = (Satchel__EventKind)row->kind;
    msg.tid = (ProtobufCBinaryData){sizeof(row->tid), (uint8_t *)(uintptr_t)row->tid};
    msg.user_id = (ProtobufCBinaryData){sizeof(row->other), (uint8_t *)(uintptr_t)row->other};
    env.body_case = SATCHEL__ENVELOPE__BODY_EVENT;
    env.event = &msg;
    conn_send(conn, &env);
}

static void on_rows(void *arg, struct store_result *res)
{
    struct watch *w = arg;

    w->busy = false;
    if (w->conn == NULL) { /* dropped meanwhile */
        store_result_free(res);
        free(w);
        return;
    }
    if (res->code != ERR_OK)
        log_event(LOG_AT_WARN, "feed_not_read", log_code(res->code), log_str("why", res->why));
    for (size_t i = 0; res->code == ERR_OK && i < res->count; i++) {
        w->after = res->u.feed.rows[i].number;
        send_event(w->conn, &res->u.feed.rows[i]); /* may fail it: then it closes later */
    }
    w->again |= res->code != ERR_OK || res->more;
    if (w->again && res->code == ERR_OK) /* after a failure: at the next tick */
        pump(w);
    store_result_free(res);
}

static void pump(struct watch *w)
{
    struct store_feed_list in = {.after = w->after, .limit = PAGE};

    w->again = true;
    if (w->busy || w->conn->state != CONN_READY || conn_room(w->conn) == 0)
        return; /* watch_pump() comes again */
    memcpy(in.uid, w->uid.b, sizeof(in.uid));
    if (store_feed_list(w->d->port, &in, on_rows, w) != ERR_OK)
        return; /* busy: at the next tick */
    w->busy = true;
    w->again = false;
}

int watch_start(struct conn *conn, uint64_t after)
{
    struct watch *w = conn->watch;
    struct watch **first = &conn->d->watches->first[conn->uid.b[0]];

    if (w == NULL) {
        w = calloc(1, sizeof(*w));
        if (w == NULL)
            return ERR_NOMEM;
        w->d = conn->d;
        w->conn = conn;
        w->uid = conn->uid;
        w->next = *first;
        if (w->next != NULL)
            w->next->prev = w;
        *first = w;
        conn->watch = w;
    }
    w->after = after;
    pump(w);
    return ERR_OK;
}

void watch_drop(struct conn *conn)
{
    struct watch *w = conn->watch;

    if (w == NULL)
        return;
    conn->watch = NULL;
    w->conn = NULL;
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        w->d->watches->first[w->uid.b[0]] = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    if (!w->busy)
        free(w);
}

void watch_pump(struct conn *conn)
{
    if (conn->watch != NULL && conn->watch->again)
        pump(conn->watch);
}

void watch_kick(struct daemon *d, const uint8_t uid[IDS_UID_LEN])
{
    for (struct watch *w = d->watches->first[uid[0]]; w != NULL; w = w->next)
        if (memcmp(w->uid.b, uid, IDS_UID_LEN) == 0)
            pump(w);
}
