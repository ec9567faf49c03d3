/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake - a server in the test's own loop, to be as hostile as a test wants.
 * It keeps users and transfers in memory, checks nothing, and lets the test
 * change or withhold every answer before it leaves.
 *
 * Functions abort() when they fail.  Threads: the loop's own.
 */
#ifndef TESTS_CLIENT_FAKE_H
#define TESTS_CLIENT_FAKE_H

#include <uv.h>

#include "common/net/pin.h"
#include "common/net/stream.h"
#include "common/transfer/chain.h"
#include "common/transfer/slot.h"
#include "proto/satchel.pb-c.h"

enum {
    FAKE_USERS = 8,
    FAKE_TRANSFERS = 16,
    FAKE_SLOTS = 4,
    FAKE_MANIFESTS = 32,
    FAKE_PIECES = 96,
    FAKE_EVENTS = 16
};

struct fake_user {
    struct uid uid;
    char username[64], email[256];
    Satchel__Signed *manifests[FAKE_MANIFESTS];
    size_t n;
};

/* One event of a log; the rest of it is made when it is asked for. */
struct fake_event {
    uint16_t kind;
    struct uid who;
    uint8_t data[600];
    size_t len;
};

struct fake_transfer {
    struct tid tid;
    struct uid who[FAKE_SLOTS];
    Satchel__Role role[FAKE_SLOTS];
    uint8_t share[FAKE_SLOTS][2][32];
    size_t n;
    struct buf pieces[FAKE_PIECES];
    struct hash32 leaves[FAKE_PIECES];
    uint32_t n_pieces;
    uint8_t key[16];                 /* upload_key */
    struct hash32 seen[FAKE_PIECES]; /* leaf of the bytes that came, stored or not */
    bool was_seen[FAKE_PIECES];
    bool sealed, abandoned;
    Satchel__SealTransfer *seal; /* as it came */
    Satchel__SlotState state;
    struct fake_event events[FAKE_EVENTS];
    size_t n_events;
    Satchel__Signed *addendum; /* the newest */
};

struct fake;

/*
 * About to send ${reply}, whose messages and bytes may be changed (and, made
 * with malloc, replaced), with ${tail} (empty unless it is a piece).  False: it is not sent.
 */
typedef bool fake_spoil(struct fake *f, Satchel__Envelope *reply, struct buf *tail);

/* The same for what came, before it is served.  False: no answer. */
typedef bool fake_listen(struct fake *f, const Satchel__Envelope *request);

struct fake {
    uv_loop_t *loop;
    struct net_loop *net;
    SSL_CTX *ctx;
    struct pin pin;
    char address[32], pin_text[PIN_CHARS + 1];
    uv_tcp_t listener;
    bool listening;
    struct fake_conn *conns;
    struct stream *stream;  /* the one that spoke last */
    struct uid caller;      /* who has logged in on it */
    uint8_t server_key[32]; /* public */
    struct secret server_seed;
    Satchel__Registration registration;
    struct fake_user users[FAKE_USERS];
    size_t n_users;
    struct fake_transfer transfers[FAKE_TRANSFERS];
    size_t n_transfers;
    unsigned connections, puts, requests[100]; /* by kind of body */
    bool compares;  /* offers the feature known-manifest, and looks at it */
    unsigned known; /* recipients whose known manifest came, right or wrong */
    uint32_t window;
    uint32_t lose_from; /* pieces from here on come, but are neither stored nor answered; 0: none */
    unsigned repeats, two_plaintexts; /* pieces that came although stored; with other bytes */

    fake_spoil *spoil; /* NULL: honest */
    fake_listen *listen;
    struct tid *same_tid; /* what OpenTransfer gives; NULL: another one each time */
    void *cookie;         /* the test's */
};

void fake_start(struct fake *f, uv_loop_t *loop);
void fake_stop(struct fake *f); /* closes; the loop must run until it is dry, then fake_free() */
void fake_free(struct fake *f);

/* Another TLS key for the connections to come. */
void fake_new_certificate(struct fake *f);

/* Cut the connection that spoke last. */
void fake_drop(struct fake *f);

/* Send something of one's own: an envelope, or bytes that are no message. */
void fake_send(struct fake *f, const Satchel__Envelope *e, const void *tail, size_t len);
void fake_send_raw(struct fake *f, const void *head, size_t len);

struct fake_user *fake_find_user(struct fake *f, const char *username);

/* An Error as the answer: takes the place of the body. */
void fake_error(Satchel__Envelope *reply, Satchel__Code code, const char *message);

/* Free a body and leave the envelope empty, to be filled anew. */
void fake_clear(Satchel__Envelope *reply);

#endif /* TESTS_CLIENT_FAKE_H */
