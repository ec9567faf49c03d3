/* SPDX-License-Identifier: Apache-2.0 */
#include "server/joins.h"

#include <stdlib.h>
#include <string.h>

#include "server/call.h"
#include "server/conn.h"
#include "server/table.h"

struct joins {
    struct table *offers; /* struct join_offer *, by ID */
    size_t bytes;         /* of all answers */
    struct join_wait *waits;
    uint64_t round; /* of waking */
};

int joins_new(struct joins **ret_j, struct err *err)
{
    struct joins *j = calloc(1, sizeof(*j));
    int rc = j != NULL ? table_new(&j->offers, sizeof(struct join_offer *), err)
                       : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        *ret_j = j;
    else
        free(j);
    return rc;
}

static void free_offer(struct joins *j, struct join_offer *o)
{
    j->bytes -= o->answer.len;
    buf_free(&o->request);
    buf_free(&o->refused);
    buf_free(&o->opening);
    buf_free(&o->answer);
    free(o);
}

void joins_free(struct joins *j)
{
    size_t pos = 0;

    if (j == NULL)
        return;
    for (struct join_offer **o; (o = table_next(j->offers, &pos)) != NULL;)
        free_offer(j, *o);
    table_free(j->offers);
    free(j);
}

/* ---- who waits ---- */

void joins_wait(struct joins *j, struct join_wait *w)
{
    w->j = j;
    w->round = j->round;
    w->prev = NULL;
    w->next = j->waits;
    if (w->next != NULL)
        w->next->prev = w;
    j->waits = w;
}

void joins_forget(struct join_wait *w)
{
    if (w->j == NULL)
        return;
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        w->j->waits = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    w->j = NULL;
}

/* A turn of a connection may end any number of waits, and begin others: each has one turn. */
static void wake(struct joins *j, const uint8_t id[JOINS_ID_LEN])
{
    struct join_wait *w = j->waits;

    j->round++;
    while (w != NULL)
        if (w->round != j->round && memcmp(w->id, id, JOINS_ID_LEN) == 0) {
            w->round = j->round;
            conn_settle(w->c->conn); /* who is held has one */
            w = j->waits;
        } else {
            w = w->next;
        }
}

/* ---- offers ---- */

static void drop(struct joins *j, struct join_offer *o)
{
    uint8_t id[JOINS_ID_LEN];

    memcpy(id, o->id, sizeof(id));
    table_remove(j->offers, id, sizeof(id));
    free_offer(j, o);
    wake(j, id);
}

struct join_offer *joins_find(struct joins *j, const uint8_t id[JOINS_ID_LEN], uint64_t now)
{
    struct join_offer **o = table_get(j->offers, id, JOINS_ID_LEN);

    return o != NULL && (*o)->ends > now ? *o : NULL;
}

static struct join_offer *of_user(const struct joins *j, const struct uid *uid)
{
    size_t pos = 0;

    for (struct join_offer **o; (o = table_next(j->offers, &pos)) != NULL;)
        if (memcmp(&(*o)->uid, uid, sizeof(*uid)) == 0)
            return *o;
    return NULL;
}

/* What one address holds. */
struct held {
    size_t offers, bytes; /* of answers */
};

static struct held from_address(const struct joins *j, const uint8_t address[JOINS_ADDRESS_LEN])
{
    struct held h = {0};
    size_t pos = 0;

    for (struct join_offer **o; (o = table_next(j->offers, &pos)) != NULL;)
        if (memcmp((*o)->address, address, JOINS_ADDRESS_LEN) == 0) {
            h.offers++;
            h.bytes += (*o)->answer.len;
        }
    return h;
}

int joins_offer(struct joins *j, const struct join_offer *what, uint64_t now,
                struct join_offer **ret)
{
    struct join_offer *o = joins_find(j, what->id, now), *old, **place;

    if (o != NULL && memcmp(&o->uid, &what->uid, sizeof(o->uid)) != 0)
        return ERR_EXISTS;
    if (o != NULL) {
        *ret = o;
        return ERR_OK;
    }
    old = of_user(j, &what->uid);
    if (old != NULL)
        drop(j, old);
    if (table_len(j->offers) >= JOINS_MAX ||
        from_address(j, what->address).offers >= JOINS_ADDRESS_MAX)
        return ERR_BUSY;
    o = calloc(1, sizeof(*o));
    place = o != NULL ? table_add(j->offers, what->id, JOINS_ID_LEN) : NULL;
    if (place == NULL) {
        free(o);
        return ERR_NOMEM;
    }
    if (*place != NULL) /* another user's that was over */
        free_offer(j, *place);
    memcpy(o->id, what->id, sizeof(o->id));
    o->uid = what->uid;
    memcpy(o->address, what->address, sizeof(o->address));
    o->ends = what->ends;
    o->version = what->version;
    *place = o;
    *ret = o;
    return ERR_OK;
}

static bool same(const struct buf *b, struct part p)
{
    return b->len == p.len && p.len > 0 && memcmp(b->data, p.data, p.len) == 0;
}

/* ERR_NOMEM: ${to} stays empty. */
static int keep(struct buf *to, struct part what)
{
    buf_put(to, what.data, what.len);
    if (buf_check(to, NULL) == ERR_OK)
        return ERR_OK;
    buf_free(to);
    return ERR_NOMEM;
}

int joins_request(struct joins *j, struct join_offer *o, struct part request)
{
    int rc;

    if (same(&o->request, request))
        return ERR_OK;
    if (same(&o->refused, request))
        return ERR_REFUSED;
    if (o->answer.len > 0)
        return ERR_EXISTS;
    if (o->request.len > 0)
        return ERR_BUSY;
    rc = keep(&o->request, request);
    if (rc == ERR_OK)
        wake(j, o->id);
    return rc;
}

int joins_open(struct joins *j, struct join_offer *o, struct part opening)
{
    int rc;

    if (o->opening.len > 0) /* again, after a lost answer of ours */
        return same(&o->opening, opening) ? ERR_OK : ERR_EXISTS;
    rc = keep(&o->opening, opening);
    if (rc == ERR_OK)
        wake(j, o->id);
    return rc;
}

int joins_answer(struct joins *j, struct join_offer *o, struct part answer, uint64_t now)
{
    int rc;

    if (o->answer.len > 0) /* as above */
        return same(&o->answer, answer) ? ERR_OK : ERR_EXISTS;
    if (j->bytes + answer.len > JOINS_BYTES_MAX ||
        from_address(j, o->address).bytes + answer.len > JOINS_ADDRESS_BYTES_MAX)
        return ERR_BUSY;
    rc = keep(&o->answer, answer);
    if (rc != ERR_OK)
        return rc;
    j->bytes += o->answer.len;
    if (o->ends > now + JOINS_ANSWERED_MS)
        o->ends = now + JOINS_ANSWERED_MS;
    wake(j, o->id);
    return ERR_OK;
}

bool joins_refuse(struct joins *j, struct join_offer *o)
{
    if (o->request.len == 0 || o->answer.len > 0)
        return true;
    if (++o->wrong >= JOINS_WRONG_MAX) {
        drop(j, o);
        return false;
    }
    buf_free(&o->refused);
    buf_free(&o->opening); /* that was for who is refused */
    o->refused = o->request;
    o->request = (struct buf){0};
    wake(j, o->id);
    return true;
}

void joins_end(struct joins *j, struct join_offer *o)
{
    drop(j, o);
}

void joins_end_user(struct joins *j, const struct uid *uid)
{
    for (struct join_offer *o; (o = of_user(j, uid)) != NULL;)
        drop(j, o);
}

void joins_tick(struct joins *j, uint64_t now)
{
    size_t pos = 0;

    for (struct join_offer **o; (o = table_next(j->offers, &pos)) != NULL;)
        if ((*o)->ends <= now) {
            free_offer(j, *o);
            table_remove_at(j->offers, &pos);
        }
}
