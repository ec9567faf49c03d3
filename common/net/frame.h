/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame - the unit of the wire (PROTOCOL.md section 2):
 *
 *     u32be head_len | u32be tail_len | head | tail
 *
 * The head is opaque here.  The reader does not take bytes, it says where the
 * next ones belong, so that decryption writes straight into the buffer that
 * the consumer gets:
 *
 *     frame_reader_want() -> fill up to so many bytes -> frame_reader_got()
 *
 * A frame over the limits is refused as soon as its prefix is known, before
 * memory is taken for it.  The head's memory is taken when the prefix is
 * complete, the tail's when the head is.
 *
 * Pure logic: no I/O, no time.  Threads: one at a time for each object.
 */
#ifndef COMMON_NET_FRAME_H
#define COMMON_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    FRAME_PREFIX = 8,
    FRAME_HEAD_MAX = 256 * 1024, /* bytes */
    FRAME_TAIL_MAX = 262400      /* bytes; one piece of ciphertext */
};

/* Write the prefix.  ERR_TOOLARGE above FRAME_HEAD_MAX or FRAME_TAIL_MAX, ERR_INVALID without
 * a head; nothing is written then.
 */
MUST_CHECK int frame_prefix(uint8_t ret_prefix[FRAME_PREFIX], size_t head_len, size_t tail_len,
                            struct err *err);

/* What has arrived.  Free both with buf_free(); an empty part has data NULL. */
struct frame {
    struct buf head, tail;
};

void frame_free(struct frame *f); /* and make it empty */

/*
 * What is to be sent.  The head is copied when it is queued.  The tail is not:
 * it must stay as it is until ${release} (may be NULL) is called with ${arg}, once.
 */
struct frame_out {
    const void *head;
    size_t head_len;
    const void *tail;
    size_t tail_len;
    void (*release)(void *arg);
    void *arg;
    bool owed; /* an answer: a stream takes it up to twice its high mark */
};

/* Embedded by its owner; the fields are private.  Start with frame_reader_init(). */
struct frame_reader {
    struct frame frame;
    uint32_t head_max, tail_max;
    uint32_t head_len, tail_len; /* announced by the prefix */
    uint8_t prefix[FRAME_PREFIX];
    uint8_t prefix_have;
    bool failed;
};

/* Ready for a first frame, limits at the maximum of the format. */
void frame_reader_init(struct frame_reader *r);
void frame_reader_free(struct frame_reader *r);

/*
 * Lower the limits for frames whose prefix is still to come, for instance to a
 * small head and no tail before login, so that strangers cannot make us take memory.  Values above
 * the maximum of the format count as the maximum.
 */
void frame_reader_limit(struct frame_reader *r, size_t head_max, size_t tail_max);

/*
 * Where the next bytes go: ${*ret_len} >= 1 bytes at ${*ret_at}, valid until the
 * next call on ${r}.  Not to be called while a complete frame waits.
 * ERR_NOMEM; ERR_PROTO after a failed frame_reader_got().
 */
MUST_CHECK int frame_reader_want(struct frame_reader *r, uint8_t **ret_at, size_t *ret_len,
                                 struct err *err);

/*
 * ${n} bytes (at most what was wanted) have been written there.
 * ERR_OK: a frame is complete, moved to ${*ret}, and a new one may begin.
 * ERR_AGAIN: go on.  ERR_PROTO: the prefix is over the limits or names no head; final.
 */
MUST_CHECK int frame_reader_got(struct frame_reader *r, size_t n, struct frame *ret,
                                struct err *err);

/* How far the current frame is. */
enum frame_stage { FRAME_NONE, FRAME_IN_HEAD, FRAME_IN_TAIL };
enum frame_stage frame_reader_stage(const struct frame_reader *r);

#endif /* COMMON_NET_FRAME_H */
