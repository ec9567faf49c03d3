/* SPDX-License-Identifier: Apache-2.0 */
#include "server/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/transfer/manifest.h"
#include "server/call.h"
#include "server/dispatch.h"

enum { USERS_REMEMBERED = 65536, ADDRESSES_REMEMBERED = 65536, FACTOR_TRIES = 5, SECOND = 1000 };

/* More than people need: a machine that joins asks every 20 s, a code is made now and then. */
enum { JOINS_A_MINUTE = 120, OFFERS_AN_HOUR = 60 };

uint64_t daemon_time(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool daemon_draining(const struct daemon *d)
{
    return d->drain_until != 0;
}

uint64_t daemon_retry_after(const struct daemon *d)
{
    (void)d;
    return 5 * SECOND; /* a restart takes about so long */
}

static struct rate rate_of(const struct settings *set, enum daemon_rate rate)
{
    switch (rate) {
    case DAEMON_REGISTRATIONS:
        return (struct rate){set->registrations, 3600 * SECOND};
    case DAEMON_HANDSHAKES:
        return (struct rate){set->handshakes_per_address, SECOND};
    case DAEMON_LOOKUPS:
        return (struct rate){set->lookups, 60 * SECOND};
    case DAEMON_RELEASES:
        return (struct rate){set->releases, 60 * SECOND};
    case DAEMON_FACTORS: /* not for operators to loosen: a code has 20 bits */
        return (struct rate){FACTOR_TRIES, 60 * SECOND};
    case DAEMON_JOINS:
    case DAEMON_ASKED:
        return (struct rate){JOINS_A_MINUTE, 60 * SECOND};
    case DAEMON_OFFERS:
        return (struct rate){OFFERS_AN_HOUR, 3600 * SECOND};
    default:
        return (struct rate){set->requests, SECOND};
    }
}

int daemon_open_limits(struct daemon *d, struct err *err)
{
    int rc = count_new(&d->addresses, err);

    if (rc == ERR_OK)
        rc = underway_new(&d->underway, &d->settings.queued_total, err);
    for (int i = 0; rc == ERR_OK && i < DAEMON_RATES; i++)
        rc = rate_table_new(&d->rates[i],
                            i <= DAEMON_JOINS ? ADDRESSES_REMEMBERED : USERS_REMEMBERED, err);
    return rc;
}

void daemon_close_limits(struct daemon *d)
{
    count_free(d->addresses);
    underway_free(d->underway);
    for (int i = 0; i < DAEMON_RATES; i++)
        rate_table_free(d->rates[i]);
}

uint64_t daemon_charge_all(struct daemon *d, enum daemon_rate rate, size_t n, struct part key)
{
    struct rate r = rate_of(&d->settings, rate);

    return rate_table_take(d->rates[rate], &r, n, key, uv_now(d->loop));
}

uint64_t daemon_charge_spare(struct daemon *d, enum daemon_rate rate, size_t n, struct part key)
{
    struct rate r = rate_of(&d->settings, rate);

    return rate_table_spare(d->rates[rate], &r, n, key, uv_now(d->loop));
}

uint64_t daemon_charge(struct daemon *d, enum daemon_rate rate, const void *key, size_t len)
{
    return daemon_charge_all(d, rate, 1, part(key, len));
}

static bool admit(struct daemon *d, const struct conn *conn)
{
    struct rate handshakes = {d->settings.handshakes, SECOND};

    if (daemon_draining(d) || d->n_conns >= d->settings.connections)
        return false;
    if (count_up(d->addresses, conn->address, sizeof(conn->address),
                 d->settings.connections_per_address) != ERR_OK)
        return false;
    /* That of the address first: who has used it up takes nothing of what is for all. */
    if (daemon_charge(d, DAEMON_HANDSHAKES, conn->address, sizeof(conn->address)) == 0 &&
        rate_take(&d->handshakes, &handshakes, 1, uv_now(d->loop)) == 0)
        return true;
    count_down(d->addresses, conn->address, sizeof(conn->address));
    return false;
}

bool daemon_admit(struct daemon *d, struct conn *conn)
{
    if (!admit(d, conn)) {
        d->refused++;
        return false;
    }
    underway_enter(d->underway, &conn->way);
    d->accepted++;
    d->n_conns++;
    conn->next = d->conns;
    if (d->conns != NULL)
        d->conns->prev = conn;
    d->conns = conn;
    return true;
}

void daemon_remove_conn(struct daemon *d, struct conn *conn)
{
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        d->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    d->n_conns--;
    underway_leave(d->underway, &conn->way);
    count_down(d->addresses, conn->address, sizeof(conn->address));
}

/* Is a login of ${uid} under way? */
static bool is_entering(const struct conn *conn, const struct uid *uid)
{
    for (const struct call *c = conn->calls; c != NULL; c = c->next)
        if (c->row->body == SATCHEL__ENVELOPE__BODY_LOGIN &&
            c->msg->login->user_id.len == sizeof(uid->b) &&
            memcmp(c->msg->login->user_id.data, uid->b, sizeof(uid->b)) == 0)
            return true;
    return false;
}

static bool lets_in(const struct manifest *newest, const struct device_id *id)
{
    const struct manifest_device *device = newest != NULL ? manifest_device(newest, id) : NULL;

    return device != NULL && device->revoked == 0;
}

static void end_conns(struct daemon *d, const struct uid *uid, const struct manifest *newest,
                      const struct conn *keep)
{
    for (struct conn *conn = d->conns, *next; conn != NULL; conn = next) {
        bool here = conn->state == CONN_READY && memcmp(&conn->uid, uid, sizeof(*uid)) == 0;

        next = conn->next;
        if (conn == keep)
            continue;
        if ((here && !lets_in(newest, &conn->device)) ||
            (conn->state == CONN_GREETED && is_entering(conn, uid)))
            conn_finish(conn);
    }
}

void daemon_end_user(struct daemon *d, const struct uid *uid, const struct manifest *newest)
{
    end_conns(d, uid, newest, NULL);
}

void daemon_end_others(struct daemon *d, const struct uid *uid, const struct conn *keep)
{
    end_conns(d, uid, NULL, keep);
}

void daemon_wait(struct daemon *d, struct call *c)
{
    if (d->last_waiting != NULL)
        d->last_waiting->waiting_next = c;
    else
        d->waiting = c;
    d->last_waiting = c;
}

struct call *daemon_take_waiting(struct daemon *d)
{
    struct call *c = d->waiting;

    d->waiting = d->last_waiting = NULL;
    return c;
}

void daemon_count_error(struct daemon *d, int wire_code)
{
    if (wire_code >= 0 && wire_code < DAEMON_CODES)
        d->errors[wire_code]++;
}
