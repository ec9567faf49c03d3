/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_small_frames.h"

#include "common/buf.h"
#include "common/net/frame.h"
#include "tests/bench/bench_small_steps.h"

void flight_put(struct flight *f, Satchel__Envelope *e, struct part tail)
{
    size_t len;
    uint8_t *to = f->bytes + f->len;

    e->id = 1;
    len = satchel__envelope__get_packed_size(e);
    steps_must(f->len + FRAME_PREFIX + len + tail.len <= sizeof(f->bytes) &&
                   frame_prefix(to, len, tail.len, NULL) == ERR_OK,
               "frame");
    (void)satchel__envelope__pack(e, to + FRAME_PREFIX);
    (void)memcpy(to + FRAME_PREFIX + len, part_bytes(tail), tail.len);
    f->len += FRAME_PREFIX + len + tail.len;
}

void flight_say(struct flight *f, SSL *ssl)
{
    steps_must(SSL_write(ssl, f->bytes, (int)f->len) == (int)f->len, "SSL_write");
    flight_done(f);
}

/* Where the frame that begins at ${at} ends; 0: not there yet. */
static size_t end_of(const struct flight *f, size_t at)
{
    size_t len = f->len - at;
    const uint8_t *prefix = f->bytes + at;

    if (len < FRAME_PREFIX)
        return 0;
    len = FRAME_PREFIX + (size_t)get_be32(prefix) + get_be32(prefix + 4);
    steps_must(at + len <= sizeof(f->bytes), "length");
    return at + len <= f->len ? at + len : 0;
}

static bool is_whole(const struct flight *f, size_t frames)
{
    size_t at = 0;

    for (; frames > 0; frames--) {
        at = end_of(f, at);
        if (at == 0)
            return false;
    }
    return true;
}

bool flight_hear(struct flight *f, SSL *ssl, size_t frames)
{
    while (!is_whole(f, frames)) {
        int n = SSL_read(ssl, f->bytes + f->len, (int)(sizeof(f->bytes) - f->len));

        if (n <= 0) {
            f->ended = SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ;
            return false;
        }
        f->len += (size_t)n;
    }
    return true;
}

struct message flight_take(struct flight *f, Satchel__Envelope__BodyCase body)
{
    const uint8_t *prefix = f->bytes + f->at;
    size_t end = end_of(f, f->at);
    struct message m = {.head = part(prefix + FRAME_PREFIX, get_be32(prefix)),
                        .tail = part(f->bytes + end - get_be32(prefix + 4), get_be32(prefix + 4))};

    m.e = satchel__envelope__unpack(NULL, m.head.len, m.head.data);
    steps_must(m.e != NULL && m.e->body_case == body, "message");
    f->at = end;
    return m;
}

void flight_done(struct flight *f)
{
    f->len = f->at = 0;
}
