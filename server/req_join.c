/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OfferJoin, of a device that is there, and Join, of one that is to be: both look at the offer
 * (joins.h), and wait when there is nothing for them yet.
 *
 * Happy path: an offer is made -> the new device sends its request -> which the other one gets,
 * and opens its code for it -> the new device waits on -> the other one lists it in its manifest,
 * and answers -> the answer goes out with the manifests.
 *
 * Ways to fail: NOT_FOUND (no such offer, or it is over), RATE, BUSY (too many; or another request
 * is being looked at), EXISTS (another request was answered; the ID is in use), AUTH_FAILED (the
 * other device refused this request), UNSUPPORTED (the two have different versions), TOO_LARGE.
 */
#include <stdlib.h>
#include <string.h>

#include "server/conn.h"
#include "server/daemon.h"
#include "server/joins.h"
#include "server/manifest_page.h"
#include "server/req.h"

enum { REPLY_MAX = 64 * 1024 };

_Static_assert((int)JOINS_ADDRESS_LEN == (int)CONN_ADDRESS_LEN, "both are the connection's");

struct meeting {
    struct join_wait wait;
    struct uid uid; /* whose manifests are listed */
    uint64_t from, last;
    struct buf answer;
};

static void meeting_free(void *data)
{
    struct meeting *m = data;

    joins_forget(&m->wait);
    buf_free(&m->answer);
    free(m);
}

/* NULL: answered. */
static struct meeting *begin(struct call *c, const ProtobufCBinaryData *id)
{
    struct meeting *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return NULL;
    }
    c->data = m;
    c->drop = meeting_free;
    if (!call_take(c, id, "id", m->wait.id, sizeof(m->wait.id)))
        return NULL;
    m->wait.c = c;
    m->wait.until = uv_now(c->d->loop) + JOINS_WAIT_MS;
    return m;
}

static void reply_with(struct call *c, Satchel__JoinReply *msg)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;

    env.body_case = SATCHEL__ENVELOPE__BODY_JOIN_REPLY;
    env.join_reply = msg;
    call_reply(c, &env); /* frees what c->data is */
}

static void reply(struct call *c, struct part sealed)
{
    Satchel__JoinReply msg = SATCHEL__JOIN_REPLY__INIT;

    msg.sealed = (ProtobufCBinaryData){sealed.len, (uint8_t *)(uintptr_t)sealed.data};
    reply_with(c, &msg);
}

/* Nothing yet: wait, or say so. */
static void rest(struct call *c, call_step *look)
{
    struct meeting *m = c->data;

    if (daemon_draining(c->d)) {
        call_later(c, ERR_DRAINING, daemon_retry_after(c->d));
    } else if (uv_now(c->d->loop) >= m->wait.until) {
        reply(c, part(NULL, 0));
    } else {
        if (m->wait.j == NULL)
            joins_wait(c->d->joins, &m->wait);
        call_hold(c, look);
    }
}

static void no_offer(struct call *c)
{
    call_error(c, ERR_NOTFOUND, "the code is not one that counts, or not any more");
}

/* ---- OfferJoin ---- */

static struct join_offer *own_offer(struct call *c)
{
    const struct meeting *m = c->data;
    struct join_offer *o = joins_find(c->d->joins, m->wait.id, uv_now(c->d->loop));

    return o != NULL && memcmp(&o->uid, &m->uid, sizeof(o->uid)) == 0 ? o : NULL;
}

static void look_for_request(struct call *c)
{
    const struct join_offer *o = own_offer(c);

    if (o == NULL)
        no_offer(c);
    else if (o->request.len > 0)
        reply(c, part(o->request.data, o->request.len));
    else
        rest(c, look_for_request);
}

static void make_offer(struct call *c)
{
    const struct meeting *m = c->data;
    uint64_t lifetime = c->msg->offer_join->lifetime, now = uv_now(c->d->loop);
    struct join_offer what = {.uid = m->uid, .version = c->msg->offer_join->version}, *o;
    uint64_t wait = own_offer(c) == NULL /* the same one again costs nothing */
                        ? daemon_charge(c->d, DAEMON_OFFERS, m->uid.b, sizeof(m->uid.b))
                        : 0;
    int rc;

    if (wait > 0) {
        call_later(c, ERR_RATE, wait);
        return;
    }
    if (lifetime > JOINS_LIFETIME_MAX)
        lifetime = JOINS_LIFETIME_MAX;
    what.ends = now + lifetime;
    memcpy(what.id, m->wait.id, sizeof(what.id));
    memcpy(what.address, c->conn->address, sizeof(what.address));
    rc = joins_offer(c->d->joins, &what, now, &o);
    if (rc == ERR_EXISTS)
        call_error(c, rc, "the ID is in use");
    else if (rc != ERR_OK)
        call_error(c, rc, NULL);
    else
        reply(c, part(NULL, 0));
}

/* To the request that came: what opens the code, or the answer. */
static void pass_on(struct call *c, struct join_offer *o)
{
    const Satchel__OfferJoin *msg = c->msg->offer_join;
    struct part opening = part(msg->opening.data, msg->opening.len);
    struct part answer = part(msg->answer.data, msg->answer.len);
    int rc;

    if (o->request.len == 0)
        rc = ERR_BADSTATE;
    else if (opening.len > JOINS_OPENING_MAX || answer.len > JOINS_ANSWER_MAX)
        rc = ERR_TOOLARGE;
    else if (opening.len > 0)
        rc = joins_open(c->d->joins, o, opening);
    else
        rc = joins_answer(c->d->joins, o, answer, uv_now(c->d->loop));
    if (rc == ERR_OK)
        reply(c, part(NULL, 0));
    else
        call_error(c, rc, NULL);
}

void req_offer_join(struct call *c)
{
    const Satchel__OfferJoin *msg = c->msg->offer_join;
    struct meeting *m = begin(c, &msg->id);
    struct join_offer *o;

    if (m == NULL)
        return;
    m->uid = c->conn->uid;
    if (msg->lifetime > 0) {
        make_offer(c);
        return;
    }
    o = own_offer(c);
    if (o == NULL && !msg->end) {
        no_offer(c);
    } else if (msg->end) {
        if (o != NULL)
            joins_end(c->d->joins, o);
        reply(c, part(NULL, 0));
    } else if (msg->opening.len > 0 || msg->answer.len > 0) {
        pass_on(c, o);
    } else if (msg->refuse && !joins_refuse(c->d->joins, o)) {
        call_error(c, ERR_NOTFOUND, "too many requests were refused: the code counts no more");
    } else {
        look_for_request(c);
    }
}

/* ---- Join: second, the manifests ---- */

static void send_answer(struct call *c, struct manifest_page *page)
{
    const struct meeting *m = c->data;
    Satchel__JoinReply msg = SATCHEL__JOIN_REPLY__INIT;

    msg.sealed = (ProtobufCBinaryData){m->answer.len, m->answer.data};
    msg.n_manifests = page->n;
    msg.manifests = page->rows;
    msg.last_sequence = m->last;
    reply_with(c, &msg);
}

static void on_manifests(struct call *c)
{
    const struct store_result *res = c->res;
    struct manifest_page page = {.n = 0};

    if (res->code != ERR_OK)
        call_failed(c);
    else if (!manifest_page_take(&page, res, REPLY_MAX))
        call_error(c, ERR_NOMEM, NULL);
    else if (page.n == 0)
        call_error(c, ERR_NOTFOUND, NULL);
    else
        send_answer(c, &page);
    manifest_page_free(&page);
}

static void get_manifests(struct call *c)
{
    const struct meeting *m = c->data;
    struct store_manifest_list in = {.from = m->from, .limit = MANIFEST_PAGE_MAX};

    memcpy(in.uid, m->uid.b, sizeof(in.uid));
    call_store(c, store_manifest_list(c->d->port, &in, call_on_store, c), get_manifests,
               on_manifests);
}

static void on_user(struct call *c)
{
    struct meeting *m = c->data;

    if (c->res->code != ERR_OK) {
        call_failed(c);
    } else if (c->res->u.user.state != STORE_USER_ACTIVE) {
        no_offer(c);
    } else {
        m->last = c->res->u.user.manifest_seq;
        get_manifests(c);
    }
}

static void get_user(struct call *c)
{
    const struct meeting *m = c->data;
    struct store_user_get in = {.by = STORE_BY_UID};

    memcpy(in.uid, m->uid.b, sizeof(in.uid));
    call_store(c, store_user_get(c->d->port, &in, call_on_store, c), get_user, on_user);
}

/* ---- Join: first, what the other device says ---- */

static void show_opening(struct call *c, const struct join_offer *o)
{
    Satchel__JoinReply msg = SATCHEL__JOIN_REPLY__INIT;

    msg.opening = (ProtobufCBinaryData){o->opening.len, o->opening.data};
    reply_with(c, &msg);
}

static int take_request(struct call *c, struct join_offer *o)
{
    const Satchel__Join *msg = c->msg->join;

    if (o == NULL)
        return ERR_NOTFOUND;
    if (o->version != msg->version)
        return ERR_UNSUPPORTED;
    return joins_request(c->d->joins, o, part(msg->request.data, msg->request.len));
}

static void look_for_answer(struct call *c)
{
    struct meeting *m = c->data;
    struct join_offer *o = joins_find(c->d->joins, m->wait.id, uv_now(c->d->loop));
    int rc = take_request(c, o);

    if (rc == ERR_NOTFOUND) {
        no_offer(c);
    } else if (rc == ERR_UNSUPPORTED) {
        call_error(c, rc, "your two devices have different versions of Satchel");
    } else if (rc == ERR_REFUSED) {
        call_error(c, ERR_AUTH, "your other device has refused the request");
    } else if (rc == ERR_EXISTS) {
        call_error(c, rc, "the code was used already");
    } else if (rc != ERR_OK) {
        call_error(c, rc, NULL);
    } else if (o->opening.len > 0 && !c->msg->join->opened) {
        show_opening(c, o);
    } else if (o->answer.len == 0) {
        rest(c, look_for_answer);
    } else {
        joins_forget(&m->wait);
        m->uid = o->uid;
        if (m->from == 1)
            buf_put(&m->answer, o->answer.data, o->answer.len);
        if (buf_check(&m->answer, NULL) != ERR_OK)
            call_error(c, ERR_NOMEM, NULL);
        else
            get_user(c);
    }
}

/* ${o} is NULL if there is none.  The ms to wait; 0: go on. */
static uint64_t charge(struct call *c, const struct join_offer *o)
{
    const struct conn *conn = c->conn;
    uint64_t wait = daemon_charge(c->d, DAEMON_JOINS, conn->address, sizeof(conn->address));

    if (wait == 0 && (o == NULL || o->request.len == 0))
        wait = daemon_charge(c->d, DAEMON_REGISTRATIONS, conn->address, sizeof(conn->address));
    if (wait == 0 && o != NULL) /* from wherever: it is for him that all this is done */
        wait = daemon_charge(c->d, DAEMON_ASKED, o->uid.b, sizeof(o->uid.b));
    return wait;
}

/* Who asks for an offer that is there may take longer than a login does. */
void req_join(struct call *c)
{
    const Satchel__Join *msg = c->msg->join;
    struct meeting *m = begin(c, &msg->id);
    struct join_offer *o;
    uint64_t wait;

    if (m == NULL)
        return;
    m->from = msg->from_sequence > 0 ? msg->from_sequence : 1;
    if (msg->request.len == 0 || msg->request.len > JOINS_REQUEST_MAX) {
        call_error(c, ERR_INVALID, "request: 1 to %d bytes", JOINS_REQUEST_MAX);
        return;
    }
    o = joins_find(c->d->joins, m->wait.id, uv_now(c->d->loop));
    wait = charge(c, o);
    if (wait > 0) {
        call_later(c, ERR_RATE, wait);
        return;
    }
    if (o != NULL)
        c->conn->opened = uv_now(c->d->loop);
    look_for_answer(c);
}
