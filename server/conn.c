/* SPDX-License-Identifier: Apache-2.0 */
#include "server/conn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/rng.h"
#include "common/log.h"
#include "common/transfer/manifest.h"
#include "server/call.h"
#include "server/daemon.h"
#include "server/dispatch.h"
#include "server/envelope.h"
#include "server/watch.h"

enum {
    OUT_HIGH = 1024 * 1024, /* bytes that wait to be sent: nothing more is read */
    OUT_ROOM = 512 * 1024,  /* below it answers with much in them may begin */
    ROOM_PIECES = 4,        /* are read at once */
    BUSY_MS = 5000          /* as long as slow lines need for a piece */
};

/* ---- states ---- */

static const unsigned allowed[CONN_STATES] __attribute__((unused)) = {
    [CONN_NEW] = 1U << CONN_GREETED | 1U << CONN_CLOSING,
    [CONN_GREETED] = 1U << CONN_READY | 1U << CONN_CLOSING,
    [CONN_READY] = 1U << CONN_CLOSING,
    [CONN_CLOSING] = 0,
};

void conn_enter(struct conn *conn, enum conn_state next)
{
    assert((allowed[conn->state] & 1U << next) != 0);
    conn->state = next;
    if (next == CONN_READY)
        underway_log_in(conn->d->underway, &conn->way, &conn->uid);
    if (next == CONN_READY && conn->stream != NULL)
        stream_limit_frames(conn->stream, FRAME_HEAD_MAX, FRAME_TAIL_MAX);
}

/* ---- events of the stream, in the order of time ---- */

static void on_ready(struct stream *s, void *cookie)
{
    (void)s;
    (void)cookie; /* the client speaks first */
}

static void on_frame(struct stream *s, void *cookie, struct frame *frame)
{
    struct conn *conn = cookie;

    (void)s;
    if (conn->state == CONN_CLOSING)
        return;
    conn->used = uv_now(conn->d->loop);
    dispatch_frame(conn, frame);
    conn_settle(conn);
}

static void on_fault(struct stream *s, void *cookie, const struct err *why)
{
    struct conn *conn = cookie;

    (void)s;
    conn_error(conn, 0, ERR_PROTO, why->msg);
}

/* Nobody waits for answers any more. */
static void orphan_calls(struct conn *conn)
{
    while (conn->calls != NULL)
        call_orphan(conn->calls);
}

static void on_closed(struct stream *s, void *cookie, const struct err *why)
{
    struct conn *conn = cookie;

    (void)s;
    conn->stream = NULL;
    if (conn->state != CONN_CLOSING)
        conn_enter(conn, CONN_CLOSING);
    orphan_calls(conn);
    watch_drop(conn);
    net_loop_forget(&conn->turn);
    if (log_wants(LOG_AT_DEBUG))
        log_event(LOG_AT_DEBUG, "connection_closed", log_str("why", why->msg));
    daemon_remove_conn(conn->d, conn);
    secret_wipe(conn->nonce, sizeof(conn->nonce));
    manifest_free(conn->manifest);
    free(conn);
}

static const struct stream_events events = {on_ready, on_frame, NULL, on_fault, on_closed};

static void on_turn(struct net_task *task)
{
    conn_settle((struct conn *)(void *)((char *)task - offsetof(struct conn, turn)));
}

/* ---- beginning ---- */

/* IPv6, mapped for IPv4; of a real IPv6 address the network part, which is what one host has. */
static bool read_address(uv_tcp_t *tcp, uint8_t ret[CONN_ADDRESS_LEN])
{
    struct sockaddr_storage ss = {0};
    int len = sizeof(ss);

    memset(ret, 0, CONN_ADDRESS_LEN);
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&ss, &len) != 0)
        return false;
    if (ss.ss_family == AF_INET) {
        ret[10] = ret[11] = 0xff;
        memcpy(ret + 12, &((const struct sockaddr_in *)(const void *)&ss)->sin_addr, 4);
        return true;
    }
    if (ss.ss_family != AF_INET6)
        return false;
    memcpy(ret, &((const struct sockaddr_in6 *)(const void *)&ss)->sin6_addr, 16);
    if (memcmp(ret, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) != 0)
        memset(ret + 8, 0, 8);
    return true;
}

static void on_refused(uv_handle_t *h)
{
    free(h);
}

static int start(struct conn *conn, uv_tcp_t *tcp, struct err *err)
{
    const struct settings *set = &conn->d->settings;
    struct stream_limits limits;
    struct stream_opts opts = {.net = conn->d->net,
                               .ctx = conn->d->tls,
                               .limits = &limits,
                               .events = &events,
                               .cookie = conn};

    stream_limits_default(&limits);
    limits.handshake_ms = (unsigned)set->handshake;
    limits.idle_ms = (unsigned)set->idle;
    limits.head_ms = limits.write_ms = (unsigned)set->stall;
    limits.frame_ms = 2 * (unsigned)set->stall;
    limits.queue_high = SIZE_MAX / 2; /* we bound what we begin, and never refuse an answer */
    limits.head_max = CONN_HEAD_EARLY;
    limits.tail_max = 0;
    return stream_start(&conn->stream, &opts, (uv_stream_t *)tcp, NULL, err);
}

void conn_accept(struct daemon *d, uv_tcp_t *tcp)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    struct err err = {0};

    if (conn == NULL || !read_address(tcp, conn->address) || !daemon_admit(d, conn))
        goto refused;
    conn->d = d;
    conn->turn.run = on_turn;
    conn->opened = conn->used = uv_now(d->loop);
    if (start(conn, tcp, &err) == ERR_OK)
        return;
    log_event(LOG_AT_ERROR, "connection_failed", log_why(&err));
    daemon_remove_conn(d, conn);
refused:
    uv_close((uv_handle_t *)tcp, on_refused);
    free(conn);
}

/* ---- sending ---- */

static void send_frame(struct conn *conn, const Satchel__Envelope *env, struct frame_out *out)
{
    struct buf *head = &conn->d->scratch;
    struct err err = {0};
    int rc;

    buf_reset(head);
    rc = envelope_pack(env, head, &err);
    if (rc == ERR_OK) {
        out->head = head->data;
        out->head_len = head->len;
        rc = conn->stream != NULL ? stream_send(conn->stream, out, &err) : ERR_CLOSED;
    }
    secret_wipe(head->data, head->len); /* shares travel in answers */
    if (rc == ERR_OK)
        return;
    if (out->release != NULL)
        out->release(out->arg);
    if (rc != ERR_CLOSED && rc != ERR_BADSTATE) {
        log_event(LOG_AT_ERROR, "send_failed", log_why(&err));
        conn_drop(conn, rc);
    }
}

void conn_send(struct conn *conn, const Satchel__Envelope *env)
{
    struct frame_out out = {0};

    send_frame(conn, env, &out);
}

/* A piece on its way out. */
struct outgoing {
    struct conn *conn;
    uint8_t *data;
    size_t len;
};

/* The stream is through with it: it always is before the connection goes. */
static void on_sent(void *arg)
{
    struct outgoing *o = arg;
    struct conn *conn = o->conn;

    underway_less(conn->d->underway, &conn->way, o->len);
    if (conn->state != CONN_CLOSING)
        net_loop_later(conn->d->net, &conn->turn);
    free(o->data);
    free(o);
}

void conn_send_piece(struct conn *conn, const Satchel__Envelope *env, uint8_t *data, size_t len)
{
    struct outgoing *o = malloc(sizeof(*o));
    struct frame_out out = {.tail = data, .tail_len = len, .release = on_sent, .arg = o};

    if (o == NULL) {
        free(data);
        conn_drop(conn, ERR_NOMEM);
        return;
    }
    *o = (struct outgoing){conn, data, len};
    conn->moved = uv_now(conn->d->loop);
    underway_add(conn->d->underway, &conn->way, len);
    send_frame(conn, env, &out);
}

static void send_error(struct conn *conn, uint64_t id, int code, const char *message,
                       uint64_t retry_after)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__Error error = SATCHEL__ERROR__INIT;

    error.code = envelope_code(code);
    /* What went wrong inside is for the log alone. */
    if (message == NULL || error.code == SATCHEL__CODE__INTERNAL)
        message = envelope_message(error.code);
    error.message = (char *)(uintptr_t)message;
    error.retry = envelope_retry(error.code);
    error.retry_after = retry_after;
    env.id = id;
    env.body_case = SATCHEL__ENVELOPE__BODY_ERROR;
    env.error = &error;
    daemon_count_error(conn->d, (int)error.code);
    conn_send(conn, &env);
}

void conn_error(struct conn *conn, uint64_t id, int code, const char *message)
{
    send_error(conn, id, code, message, 0);
}

void conn_error_later(struct conn *conn, uint64_t id, int code, uint64_t retry_after)
{
    send_error(conn, id, code, NULL, retry_after);
}

/* ---- ending ---- */

void conn_fail(struct conn *conn, int code, const char *message)
{
    conn_error(conn, 0, code, message);
    conn_finish(conn);
}

void conn_finish(struct conn *conn)
{
    if (conn->state == CONN_CLOSING)
        return;
    conn_enter(conn, CONN_CLOSING);
    orphan_calls(conn);
    if (conn->stream != NULL)
        stream_close(conn->stream);
}

void conn_drop(struct conn *conn, int reason)
{
    if (conn->state != CONN_CLOSING)
        conn_enter(conn, CONN_CLOSING);
    orphan_calls(conn);
    if (conn->stream != NULL)
        stream_drop(conn->stream, reason);
}

void conn_farewell(struct conn *conn, const char *reason, uint64_t retry_after)
{
    Satchel__Envelope env = SATCHEL__ENVELOPE__INIT;
    Satchel__Bye bye = SATCHEL__BYE__INIT;

    if (conn->farewell || conn->state == CONN_CLOSING)
        return;
    conn->farewell = true;
    bye.reason = (char *)(uintptr_t)reason;
    bye.retry_after = retry_after;
    env.body_case = SATCHEL__ENVELOPE__BODY_BYE;
    env.bye = &bye;
    conn_send(conn, &env);
    conn_settle(conn);
}

bool conn_is_busy(const struct conn *conn)
{
    return conn->state == CONN_READY && !conn->farewell && conn->moved != 0 &&
           uv_now(conn->d->loop) - conn->moved < BUSY_MS;
}

/* ---- flow ---- */

static bool over_its_part(const struct conn *conn)
{
    return conn->way.bytes >= conn->d->settings.queued ||
           underway_is_full(conn->d->underway, &conn->way);
}

size_t conn_room(const struct conn *conn)
{
    if (conn->stream == NULL || stream_queued(conn->stream) >= OUT_ROOM || over_its_part(conn))
        return 0;
    return underway_is_short(conn->d->underway, &conn->way) ? 1 : ROOM_PIECES;
}

static bool is_full(const struct conn *conn)
{
    return conn->rests || conn->n_calls >= CONN_CALLS_MAX ||
           conn->n_pieces >= conn->d->settings.window || conn->n_alone > 0 || over_its_part(conn) ||
           stream_queued(conn->stream) >= OUT_HIGH;
}

/* Read on or pause, as the limits say now. */
static void flow(struct conn *conn)
{
    bool full;

    if (conn->stream == NULL || conn->state == CONN_CLOSING)
        return;
    full = is_full(conn);
    if (full && !conn->paused)
        stream_pause(conn->stream);
    else if (!full && conn->paused)
        stream_resume(conn->stream);
    conn->paused = full;
}

void conn_settle(struct conn *conn)
{
    struct call *c, *next;

    if (conn->settling)
        return;
    conn->settling = true;
    for (c = conn->calls; c != NULL; c = next) {
        next = c->next;
        call_wake(c);
        if (conn->state == CONN_CLOSING)
            break; /* the rest is gone as well */
    }
    conn->settling = false;
    if (conn->farewell && conn->calls == NULL)
        conn_finish(conn);
    flow(conn);
}

/* ---- requests ---- */

void conn_remember_upload(struct conn *conn, const struct conn_upload *up)
{
    struct conn_upload *oldest = &conn->uploads[0];

    for (size_t i = 1; i < CONN_UPLOADS_KNOWN; i++)
        if (conn->uploads[i].used < oldest->used)
            oldest = &conn->uploads[i];
    *oldest = *up;
    oldest->used = uv_now(conn->d->loop) + 1;
}

static struct conn_upload *known_upload(struct conn *conn, const uint8_t tid[IDS_TID_LEN])
{
    for (size_t i = 0; i < CONN_UPLOADS_KNOWN; i++)
        if (conn->uploads[i].used != 0 && memcmp(conn->uploads[i].tid.b, tid, IDS_TID_LEN) == 0)
            return &conn->uploads[i];
    return NULL;
}

const struct conn_upload *conn_find_upload(struct conn *conn, const uint8_t tid[IDS_TID_LEN])
{
    struct conn_upload *up = known_upload(conn, tid);

    if (up != NULL)
        up->used = uv_now(conn->d->loop) + 1;
    return up;
}

void conn_upload_sealed(struct conn *conn, const uint8_t tid[IDS_TID_LEN])
{
    struct conn_upload *up = known_upload(conn, tid);

    if (up != NULL)
        up->sealed = true;
}

void conn_add_call(struct conn *conn, struct call *c)
{
    c->prev = conn->last_call;
    if (conn->last_call != NULL)
        conn->last_call->next = c;
    else
        conn->calls = c;
    conn->last_call = c;
    conn->n_calls++;
    conn->n_pieces += c->row->tail;
    if (c->row->tail)
        conn->moved = uv_now(conn->d->loop);
    conn->n_alone += c->row->alone;
    underway_add(conn->d->underway, &conn->way, c->queued);
}

void conn_remove_call(struct conn *conn, struct call *c)
{
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        conn->calls = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        conn->last_call = c->prev;
    c->prev = c->next = NULL;
    conn->n_calls--;
    conn->n_pieces -= c->row->tail;
    conn->n_alone -= c->row->alone;
    underway_less(conn->d->underway, &conn->way, c->queued);
    if (conn->state != CONN_CLOSING)
        net_loop_later(conn->d->net, &conn->turn);
}

int conn_exporter(struct conn *conn, uint8_t ret[LOGIN_EXPORTER_LEN], struct err *err)
{
    if (conn->stream == NULL)
        return err_set(err, ERR_BADSTATE, "the connection has closed");
    return stream_binding(conn->stream, ret, err);
}

void conn_tick(struct conn *conn, uint64_t now)
{
    const struct settings *set = &conn->d->settings;
    struct call *c, *next;

    if (conn->state < CONN_READY && now - conn->opened > set->login) {
        conn_finish(conn);
        return;
    }
    for (c = conn->calls; c != NULL && conn->state != CONN_CLOSING; c = next) {
        next = c->next;
        if (c->since != 0 && now - c->since > set->store)
            call_give_up(c);
    }
    watch_pump(conn);
    if (conn->rests && conn->state != CONN_CLOSING) {
        conn->rests = false;
        conn_settle(conn);
    }
    /* What is held may have waited for a time, or for what others of its user had under way. */
    if ((conn->calls != NULL || conn->paused) && conn->state != CONN_CLOSING)
        conn_settle(conn);
}
