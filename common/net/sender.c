/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/sender.h"

/* Plaintext encrypted in one go, and a frame more; then the loop's other streams have their turn.
 */
enum { BATCH = 256 * 1024 };

static void on_write(uv_write_t *req, int status)
{
    struct sender *s = req->data;

    (void)sender_progress(s);
    s->writing = false;
    s->left = 0;
    net_loop_return(s->net, &s->sending);
    s->on_written(s, status);
}

/* Encrypt the next frames into the engine's output. */
static int encrypt(struct sender *s, struct err *err)
{
    struct sendq_batch batch;
    struct buf room = {0};
    int rc;

    if (tls_engine_pending(s->engine) == 0) {
        net_loop_borrow(s->net, &room);
        tls_engine_swap_out(s->engine, &room);
        buf_free(&room);
    }
    sendq_gather(&s->queue, BATCH, &batch);
    rc = tls_engine_write(s->engine, batch.runs, batch.n, err);
    sendq_done(&s->queue, batch.frames);
    return rc;
}

/* Let libuv write what of ${out} is left behind ${sent}; takes the buffer. */
static int write_rest(struct sender *s, struct buf *out, size_t sent)
{
    size_t left = out->len - sent;
    uv_buf_t vec;
    int rc;

    /* A large buffer is too good for a few bytes to a slow peer. */
    if (left < out->cap / 4) {
        buf_put(&s->sending, out->data + sent, left);
        net_loop_return(s->net, out);
        if (s->sending.failed)
            return UV_ENOMEM;
        vec = uv_buf_init((char *)s->sending.data, (unsigned)left);
    } else {
        s->sending = *out;
        vec = uv_buf_init((char *)out->data + sent, (unsigned)left);
    }
    s->req.data = s;
    rc = uv_write(&s->req, s->io, &vec, 1, on_write);
    if (rc != 0)
        return rc;
    s->writing = true;
    s->left = uv_stream_get_write_queue_size(s->io);
    return 0;
}

/* Hand the engine's output to the system, at once as far as it goes.  libuv's status. */
static int write_out(struct sender *s)
{
    struct buf out = {0};
    uv_buf_t vec;
    int rc;

    tls_engine_swap_out(s->engine, &out);
    vec = uv_buf_init((char *)out.data, (unsigned)out.len);
    rc = uv_try_write(s->io, &vec, 1);
    s->since = uv_now(net_loop_uv(s->net));
    if (rc == UV_EAGAIN)
        rc = 0;
    if (rc >= 0 && (size_t)rc < out.len)
        return write_rest(s, &out, (size_t)rc);
    net_loop_return(s->net, &out);
    return rc < 0 ? rc : 0;
}

int sender_flush(struct sender *s, bool frames, struct err *err)
{
    bool encrypted = false;
    int rc = ERR_OK;

    while (!s->writing && !s->stopped) {
        if (frames && s->queue.first != NULL) {
            if (encrypted)
                return ERR_AGAIN;
            encrypted = true;
            rc = encrypt(s, err);
        }
        if (rc != ERR_OK)
            return rc;
        if (tls_engine_pending(s->engine) == 0 || s->stopped)
            break;
        rc = write_out(s);
        if (rc != 0)
            return err_set(err, rc == UV_ENOMEM ? ERR_NOMEM : ERR_CLOSED,
                           "the connection was lost: %s", uv_strerror(rc));
    }
    return s->writing ? ERR_AGAIN : ERR_OK;
}

bool sender_progress(struct sender *s)
{
    size_t left = s->writing ? uv_stream_get_write_queue_size(s->io) : 0;
    bool less = left < s->left;

    if (less)
        s->since = uv_now(net_loop_uv(s->net));
    s->left = left;
    return less;
}

size_t sender_queued(const struct sender *s)
{
    size_t left = s->writing ? uv_stream_get_write_queue_size(s->io) : 0;

    return s->queue.bytes + tls_engine_pending(s->engine) + left;
}

void sender_stop(struct sender *s)
{
    s->stopped = true;
}

void sender_free(struct sender *s)
{
    sendq_clear(&s->queue);
    buf_free(&s->sending);
}
