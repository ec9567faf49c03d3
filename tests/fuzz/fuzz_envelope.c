/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message on the wire: what protobuf-c reads it writes again, and reads
 * back as the same.  What it allocates is bounded by the frame.
 */
#include <stdbool.h>
#include <string.h>

#include "proto/satchel.pb-c.h"
#include "tests/fuzz/fuzz.h"

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

static void forget_unknown(ProtobufCMessage *m);

static void forget_in(const ProtobufCFieldDescriptor *f, char *m)
{
    char *at = m + f->offset;
    size_t n =
        f->label == PROTOBUF_C_LABEL_REPEATED ? *(size_t *)(void *)(m + f->quantifier_offset) : 1;
    ProtobufCMessage **list = f->label == PROTOBUF_C_LABEL_REPEATED
                                  ? *(ProtobufCMessage ***)(void *)at
                                  : (ProtobufCMessage **)(void *)at;

    for (size_t i = 0; i < n; i++)
        if (list[i] != NULL)
            forget_unknown(list[i]);
}

/*
 * protobuf-c reads a field number of 0 when it is written in two bytes, but writes it in one, which
 * it does not read; we never write what we do not know.
 */
static void forget_unknown(ProtobufCMessage *m)
{
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        free(m->unknown_fields[i].data);
    free(m->unknown_fields);
    m->unknown_fields = NULL;
    m->n_unknown_fields = 0;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        bool there = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
                     *(uint32_t *)(void *)((char *)m + f->quantifier_offset) == f->id;

        if (f->type == PROTOBUF_C_TYPE_MESSAGE && there)
            forget_in(f, (char *)m);
    }
}

static uint8_t *pack(const Satchel__Envelope *env, size_t *ret_len)
{
    size_t len = satchel__envelope__get_packed_size(env);
    uint8_t *raw = malloc(len + 1);

    MUST(raw != NULL && satchel__envelope__pack(env, raw) == len);
    *ret_len = len;
    return raw;
}

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
    forget_unknown(&env->base);
    first = pack(env, &first_len);
    again = satchel__envelope__unpack(NULL, first_len, first);
    MUST(again != NULL && again->body_case == env->body_case && again->id == env->id);
    second = pack(again, &second_len);
    MUST(first_len == second_len && memcmp(first, second, first_len) == 0);
    satchel__envelope__free_unpacked(env, &counting);
    satchel__envelope__free_unpacked(again, NULL);
    free(first);
    free(second);
    return 0;
}
