/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of a send whose source is read once, in order, and whose length only
 * its end shows: a pipe, a folder.
 *
 * Pieces are full until the end, and a full piece is sealed alike whatever the
 * length (FORMATS.md section 9).  The piece in which the end comes settles the
 * length; zeros of the padding follow as for a file.
 */
#include <string.h>

#include "client/op/send.h"

/* The upload was opened for so many bytes. */
static int too_long(const struct send *s, struct err *err)
{
    err_set(err, ERR_TOOLARGE, "'%s' is longer than what the server takes, %llu bytes", s->name,
            (unsigned long long)s->header.body_length);
    err_hint(err, "send it in parts");
    return ERR_TOOLARGE;
}

/* The source has ended after ${size} bytes. */
static int settle(struct send *s, uint64_t size, struct err *err)
{
    uint64_t length = s->no_padding ? size : body_padded(size);
    struct header h = s->header;
    int rc;

    if (length > h.body_length)
        return too_long(s, err);
    h.body_length = length;
    rc = body_new(&s->cek, &h, &s->end, err);
    if (rc != ERR_OK)
        return rc;
    s->end_size = size;
    s->end_length = length;
    return ERR_OK;
}

static int read_work(struct op_job *job, struct err *err)
{
    struct send_piece *p = LIST_OWNER(job, struct send_piece, job);
    struct send *s = (struct send *)job->op;
    uint64_t begins = (uint64_t)p->index * BODY_PIECE_PLAIN;

    while (p->len < BODY_PIECE_PLAIN) {
        struct source_range range = {begins + p->len, p->buffer + p->len,
                                     BODY_PIECE_PLAIN - p->len};
        size_t got = 0;
        int rc = source_read(s->source, &range, &s->stop, &got, err);

        if (rc == ERR_TIMEOUT)
            return ERR_OK; /* was_read() asks again */
        if (rc != ERR_OK)
            return rc;
        if (got == 0)
            return settle(s, begins + p->len, err);
        p->len += got;
    }
    return begins + p->len <= s->header.body_length ? ERR_OK : too_long(s, err);
}

/* A server ends connections on which nothing happens. */
static void still_here(struct send *s)
{
    Satchel__Envelope e = SATCHEL__ENVELOPE__INIT;
    Satchel__Ping m = SATCHEL__PING__INIT;
    struct ask a = {.e = &e, .expect = SATCHEL__ENVELOPE__BODY_DONE};

    e.body_case = SATCHEL__ENVELOPE__BODY_PING;
    e.ping = &m;
    if (s->op.s->link.session == NULL ||
        session_ask(s->op.s->link.session, &a, NULL, NULL) != ERR_OK)
        return; /* what is asked next fails */
}

static void was_read(struct op_job *job)
{
    send_stream_again((struct send *)job->op, LIST_OWNER(job, struct send_piece, job));
}

void send_stream_again(struct send *s, struct send_piece *p)
{
    if (p->len < BODY_PIECE_PLAIN && s->end == NULL) {
        still_here(s);
        op_job(&s->op, &p->job, read_work, was_read);
        return;
    }
    s->reading = false;
    if (s->end != NULL) {
        s->size = s->end_size;
        s->header.body_length = s->end_length;
        s->n_pieces = body_pieces(s->header.body_length);
        s->op.progress.total = s->size;
    }
    send_piece(s, p);
}

void send_stream_read(struct send *s, struct send_piece *p)
{
    s->reading = true;
    op_job(&s->op, &p->job, read_work, was_read);
}

void send_stream_lost(struct send *s)
{
    struct err err = {0};

    err_set(&err, ERR_CLOSED, "the server has lost what it had of '%s'", s->name);
    err_hint(&err, source_facts(s->source)->kind == METADATA_ARCHIVE
                       ? "nothing of a folder is kept: run the same command again"
                       : "it cannot be read again, and nothing of it is kept: send it anew");
    op_end(&s->op, &err);
}
