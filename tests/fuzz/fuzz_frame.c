/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of frames.  The first byte says in which portions the rest
 * arrives and whether the limits are low; however it arrives, the frames are
 * the same.
 */
#include <string.h>

#include "common/net/frame.h"
#include "tests/fuzz/fuzz.h"

struct feed {
    struct frame_reader reader;
    const uint8_t *data;
    size_t left, portion;
};

/* One step: copy what is wanted, at most a portion.  ERR_TIMEOUT: nothing is left. */
static int step(struct feed *f, struct frame *ret)
{
    uint8_t *at = NULL;
    size_t len = 0;
    int rc = frame_reader_want(&f->reader, &at, &len, NULL);

    if (rc != ERR_OK)
        return rc;
    MUST(len >= 1);
    if (len > f->portion)
        len = f->portion;
    if (len > f->left)
        len = f->left;
    if (len == 0)
        return ERR_TIMEOUT;
    memcpy(at, f->data, len);
    f->data += len;
    f->left -= len;
    return frame_reader_got(&f->reader, len, ret, NULL);
}

/* A hash of all frames in ${data}, and how it ended. */
static uint64_t read_all(const uint8_t *data, size_t size, size_t portion, size_t head_max)
{
    struct feed f = {.data = data, .left = size, .portion = portion};
    uint64_t sum = 14695981039346656037u;
    int rc = ERR_AGAIN;

    frame_reader_init(&f.reader);
    if (head_max > 0)
        frame_reader_limit(&f.reader, head_max, 0);
    while (rc == ERR_AGAIN || rc == ERR_OK) {
        struct frame frame = {0};

        rc = step(&f, &frame);
        if (rc == ERR_OK) {
            MUST(frame.head.len >= 1 && frame.head.len <= FRAME_HEAD_MAX);
            MUST(frame.tail.len <= FRAME_TAIL_MAX);
            for (size_t i = 0; i < frame.head.len; i++)
                sum = (sum ^ frame.head.data[i]) * 1099511628211u;
            for (size_t i = 0; i < frame.tail.len; i++)
                sum = (sum ^ frame.tail.data[i]) * 1099511628211u;
            sum = (sum ^ frame.head.len) * 1099511628211u;
        }
        frame_free(&frame);
    }
    MUST(rc == ERR_PROTO || rc == ERR_TIMEOUT);
    frame_reader_free(&f.reader);
    return sum ^ (uint64_t)(uint32_t)rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;

    size_t head_max = (data[0] & 0x80) != 0 ? 64 : 0;
    size_t portion = (size_t)(data[0] & 0x7f) + 1;

    MUST(read_all(data + 1, size - 1, portion, head_max) ==
         read_all(data + 1, size - 1, SIZE_MAX, head_max));
    return 0;
}
