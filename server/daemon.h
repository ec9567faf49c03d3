/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - the one object that holds the others together, and the limits that
 * concern all connections.
 *
 * Filled and emptied by service.c, reloaded by reload.c.
 *
 * Threads: loop thread only, but for what store and share service do inside.
 */
#ifndef SERVER_DAEMON_H
#define SERVER_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "common/buf.h"
#include "common/net/net_loop.h"
#include "common/secret.h"
#include "common/transfer/ids.h"
#include "server/conn.h"
#include "server/count.h"
#include "server/rate.h"
#include "server/settings.h"
#include "server/shares.h"
#include "server/store/store.h"
#include "server/underway.h"

#define DAEMON_SOFTWARE "satcheld/" SATCHEL_VERSION

struct collector;
struct ctl;
struct joins;
struct manifest;
struct listeners;
struct uploads;
struct watches;

/* What is counted by daemon_charge(). */
enum daemon_rate {
    DAEMON_REGISTRATIONS, /* these three by address, the others by user */
    DAEMON_HANDSHAKES,
    DAEMON_JOINS,
    DAEMON_REQUESTS,
    DAEMON_LOOKUPS,
    DAEMON_RELEASES,
    DAEMON_FACTORS, /* tries of a one-time password */
    DAEMON_OFFERS,  /* of a place for a new device */
    DAEMON_ASKED,   /* for such a place, by whomever */
    DAEMON_RATES
};

enum { DAEMON_CODES = 20 }; /* numbers of wire codes */

struct daemon {
    uv_loop_t *loop;
    char *config_path;
    struct settings settings;
    uint8_t key[IDS_KEY_LEN]; /* public */
    struct secret key_seed;   /* its Ed25519 seed */
    struct server_id id;
    struct secret factor_key; /* factor_row.h */
    SSL_CTX *tls;
    struct pin next_pin; /* of the key that will come, */
    bool has_next_pin;   /* if one is announced */
    struct net_loop *net;
    struct store *store;
    struct store_port *port;
    struct shares *shares;
    struct collector *collector;
    struct uploads *uploads;
    struct watches *watches;
    struct joins *joins;
    unsigned leaving;        /* DeleteAccounts at work: the collector leaves clearing to them */
    struct count *addresses; /* connections of each */
    struct rate_table *rates[DAEMON_RATES];
    struct rate_bucket handshakes;
    struct conn *conns;
    size_t n_conns, n_calls; /* calls: those without a connection as well */
    struct underway *underway;
    struct call *waiting, *last_waiting;
    struct buf scratch; /* for one frame at a time */
    uint64_t started;   /* wall clock, ms */
    uint64_t accepted, refused, errors[DAEMON_CODES];
    uint64_t refused_told; /* of the refused, those that the log has */
    uint64_t drain_until;  /* uv_now() when those still there are cut off; 0: not draining */
    uint64_t watchdog;     /* ms between two signs of life, 0: none wanted */
    int exit_code;
    uv_timer_t tick;
    uv_signal_t signals[3];
    unsigned handles; /* of tick and signals, those that are open */
    struct ctl *ctl;
    struct listeners *listeners;
};

/* Tables of the limits; d->loop and d->settings are set.  On failure close them all the same.
 * Errors as of table_new(). */
MUST_CHECK int daemon_open_limits(struct daemon *d, struct err *err);
void daemon_close_limits(struct daemon *d);

/* Is it about to stop? */
bool daemon_draining(const struct daemon *d);

/* For clients, ms: when to come back to a daemon that stops. */
uint64_t daemon_retry_after(const struct daemon *d);

/* Milliseconds since 1970. */
uint64_t daemon_time(void);

/* Take one use of ${key}: 0, or the ms until the next will be free. */
uint64_t daemon_charge(struct daemon *d, enum daemon_rate rate, const void *key, size_t len);

/* Take ${n} uses together, or none: 0, or the ms until so many will be free. */
uint64_t daemon_charge_all(struct daemon *d, enum daemon_rate rate, size_t n, struct part key);

/* The same, but some are left for daemon_charge(): what is to wait rather than be refused. */
uint64_t daemon_charge_spare(struct daemon *d, enum daemon_rate rate, size_t n, struct part key);

/* May this connection (its address is set) stay?  Then it is counted and in the list. */
bool daemon_admit(struct daemon *d, struct conn *conn);
void daemon_remove_conn(struct daemon *d, struct conn *conn);

/*
 * End what ${uid} has open: connections that are logged in, and those that are about to be, which
 * may have seen the user before it changed.  With ${newest} only of devices that it does not let
 * in.
 */
void daemon_end_user(struct daemon *d, const struct uid *uid, const struct manifest *newest);

/* The same of all devices, but not of ${keep}. */
void daemon_end_others(struct daemon *d, const struct uid *uid, const struct conn *keep);

/* ${c} waits until the store has room; all that do, oldest first, no longer waiting. */
void daemon_wait(struct daemon *d, struct call *c);
struct call *daemon_take_waiting(struct daemon *d);

/* An Error has been sent. */
void daemon_count_error(struct daemon *d, int wire_code);

#endif /* SERVER_DAEMON_H */
