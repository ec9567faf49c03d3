/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn - one connection: a stream, the state of its conversation, and the
 * requests that are not answered yet.
 *
 * Happy path: conn_accept() -> TLS is set up -> Hello -> GREETED -> Login ->
 * READY -> requests -> the peer's Bye or close_notify -> CLOSING -> gone.
 *
 * Ways it can end otherwise, all through CLOSING:
 *  - not a frame, or one over the limits     BAD_FRAME, then close
 *  - another request than Hello at first     BAD_STATE, then close
 *  - no login in time, idle, stalled         close
 *  - login refused                           AUTH_FAILED, then close
 *  - the daemon stops                        Bye, then close when all is answered
 *
 * Back-pressure: nothing is read while too much of this connection, or more than its user's part
 * (underway.h), is under way, nor for a second after its user has asked too much.
 *
 * Threads: loop thread only.  Never blocks.
 */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include <proto/satchel.pb-c.h>

#include "common/err.h"
#include "common/net/net_loop.h"
#include "common/net/stream.h"
#include "common/transfer/login.h"
#include "server/store/store_types.h"
#include "server/underway.h"

struct call;
struct daemon;
struct watch;

enum conn_state { CONN_NEW, CONN_GREETED, CONN_READY, CONN_CLOSING, CONN_STATES };

enum {
    CONN_CALLS_MAX = 64,     /* requests without an answer; PROTOCOL.md section 2 */
    CONN_HEAD_EARLY = 65536, /* longest head before login */
    CONN_ADDRESS_LEN = 16,
    CONN_UPLOADS_KNOWN = 8
};

/*
 * An upload of this user, so that neither its pieces nor its seal ask the store again.  What is
 * here does not change as long as the upload is there; whether it still is, the store looks.
 */
struct conn_upload {
    struct tid tid;
    uint64_t body_length; /* padded plaintext; with grows, the longest */
    bool grows;
    uint64_t created, expires;
    uint32_t policy, opens, slots;
    bool sealed;   /* perhaps: what a further seal is worth, the store knows */
    uint64_t used; /* the oldest one gives way; 0: none is here */
};

struct conn {
    struct conn *prev, *next; /* all of the daemon's */
    struct daemon *d;
    struct stream *stream; /* until it has closed */
    struct net_task turn;  /* conn_settle() in the loop's next turn */
    enum conn_state state;
    uint8_t address[CONN_ADDRESS_LEN]; /* IPv6, or mapped IPv4; of IPv6 only the /64 */
    bool farewell;                     /* Bye was said: close when all is answered */
    uint8_t nonce[LOGIN_NONCE_LEN];    /* for the one Login */
    struct uid uid;                    /* from READY on */
    struct device_id device;
    uint8_t device_key[IDS_KEY_LEN]; /* public */
    /* SHA-256 of the stored manifest, the newest one then, that was last seen to list the device */
    uint8_t listed[STORE_HASH_LEN];
    struct call *calls, *last_call; /* unanswered, in the order begun */
    unsigned n_calls, n_pieces;
    unsigned n_alone; /* of them such that later ones wait */
    bool settling, paused;
    bool rests;               /* until the next tick: its user asks for more than there is */
    struct watch *watch;      /* of watch.c; NULL: it has not subscribed */
    struct underway_conn way; /* bytes that are under way */
    uint64_t opened, used;    /* uv_now(): accepted; last request */
    uint64_t moved;           /* last piece in or out; 0: none yet */
    struct conn_upload uploads[CONN_UPLOADS_KNOWN];
    struct manifest *manifest; /* the peer's, which its last seal named; NULL: none yet */
    /* The store took the last OpenTransfer that it judged: a small one may skip
     * store_upload_check(). */
    bool open_trusted;
};

/* Take over an accepted ${tcp} handle, also on failure.  Limits are checked here. */
void conn_accept(struct daemon *d, uv_tcp_t *tcp);

/* The only place that changes the state; asserts that the change is allowed.  READY: its uid is
 * set. */
void conn_enter(struct conn *conn, enum conn_state next);

/* Send an envelope.  What cannot be sent ends the connection. */
void conn_send(struct conn *conn, const Satchel__Envelope *env);

/* Send it with a piece as its tail: malloc()ed, taken. */
void conn_send_piece(struct conn *conn, const Satchel__Envelope *env, uint8_t *data, size_t len);

/* Send an Error; ${message} NULL: the code's own words. */
void conn_error(struct conn *conn, uint64_t id, int code, const char *message);
void conn_error_later(struct conn *conn, uint64_t id, int code, uint64_t retry_after);

/* The peer broke the framing: BAD_FRAME with id 0, then close. */
void conn_fail(struct conn *conn, int code, const char *message);

/* Read no more, let what is queued go out, close. */
void conn_finish(struct conn *conn);

/* Close at once; ${reason} for the log. */
void conn_drop(struct conn *conn, int reason);

/* Say that the daemon stops; close when all is answered. */
void conn_farewell(struct conn *conn, const char *reason, uint64_t retry_after);

/* Pieces came or went a moment ago: a daemon that stops lets it go on for a while. */
bool conn_is_busy(const struct conn *conn);

/* How many pieces may be read for this connection now; 0: wait. */
size_t conn_room(const struct conn *conn);

/* Something was answered or sent: wake requests that wait for it, then read on or pause, as the
 * limits say now. */
void conn_settle(struct conn *conn);

/* This upload is open and the peer's own: what follows for it need not ask the store. */
void conn_remember_upload(struct conn *conn, const struct conn_upload *up);

/* The upload ${tid} as it was remembered; NULL: it is not.  Valid until the next one is. */
const struct conn_upload *conn_find_upload(struct conn *conn, const uint8_t tid[IDS_TID_LEN]);

/* Sets its `sealed`, if it is remembered; pieces that come again are still measured by it. */
void conn_upload_sealed(struct conn *conn, const uint8_t tid[IDS_TID_LEN]);

/* For call.c. */
void conn_add_call(struct conn *conn, struct call *c);
void conn_remove_call(struct conn *conn, struct call *c);

/* The exporter value of the connection.  ERR_BADSTATE before TLS is set up. */
MUST_CHECK int conn_exporter(struct conn *conn, uint8_t ret[LOGIN_EXPORTER_LEN], struct err *err);

/* Once a second: time-outs, silent stores. */
void conn_tick(struct conn *conn, uint64_t now);

#endif /* SERVER_CONN_H */
