/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message on the wire: what protobuf-c reads it writes again, and reads
 * back as the same.  What it allocates is bounded by the frame.
 */
#include <string.h>

#include "proto/satchel.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pb_walk.h"

/* A frame's head is at most 256 KiB; an element of a repeated field costs two bytes at least. */
enum { HEAD_MAX = 256 * 1024, ELEMENT_MAX = 256 };

static size_t allocated;

static void *count_alloc(void *unused, size_t size)
{
    (void)unused;
    allocated += size;
    return malloc(size);
}

static void count_free(void *unused, void *at)
{
    (void)unused;
    free(at);
}

static ProtobufCAllocator counting = {.alloc = count_alloc, .free = count_free};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Satchel__Envelope *env, *again;
    uint8_t *first, *second;
    size_t first_len = 0, second_len = 0;

    if (size > HEAD_MAX)
        return 0;
    allocated = 0;
    env = satchel__envelope__unpack(&counting, size, data);
    MUST(allocated <= 4096 + ELEMENT_MAX * size);
    if (env == NULL)
        return 0;
    MUST(protobuf_c_message_check(&env->base));
    /* protobuf-c reads a field number of 0 when it is written in two bytes, but writes it in one,
     * which it does not read; we never write what we do not know. */
    pb_forget_unknown(&env->base);
    first = pb_pack(&env->base, &first_len);
    again = satchel__envelope__unpack(NULL, first_len, first);
    MUST(again != NULL && again->body_case == env->body_case && again->id == env->id);
    second = pb_pack(&again->base, &second_len);
    MUST(first_len == second_len && memcmp(first, second, first_len) == 0);
    satchel__envelope__free_unpacked(env, &counting);
    satchel__envelope__free_unpacked(again, NULL);
    free(first);
    free(second);
    return 0;
}
