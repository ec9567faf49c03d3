/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/pb_walk.h"

#include <stdbool.h>

#include "tests/fuzz/fuzz.h"

/* Bytes of one value of a field; 0: of no interest to anybody here. */
static size_t size_of(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    default:
        return 0;
    }
}

/* How many values there are; ${ret_at} is the first. */
static size_t values(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, char **ret_at)
{
    char *at = (char *)m + f->offset;
    void *quantifier = (char *)m + f->quantifier_offset;

    *ret_at = at;
    if (size_of(f) == 0)
        return 0;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        *ret_at = *(char **)(void *)at;
        return *(size_t *)quantifier;
    }
    return (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 || *(uint32_t *)quantifier == f->id;
}

void pb_walk(ProtobufCMessage *m, pb_visit *visit, void *cookie)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        char *at = NULL;
        size_t n = values(m, f, &at);

        for (size_t k = 0; k < n; k++, at += size_of(f)) {
            bool message = f->type == PROTOBUF_C_TYPE_MESSAGE;

            if (message && *(void **)(void *)at == NULL)
                continue;
            visit(cookie, m, f, at);
            if (message)
                pb_walk(*(ProtobufCMessage **)(void *)at, visit, cookie);
        }
    }
}

void pb_set_bytes(ProtobufCBinaryData *to, struct part p)
{
    uint8_t *copy = malloc(p.len + 1);

    MUST(copy != NULL);
    memcpy(copy, part_bytes(p), p.len);
    free(to->data);
    *to = (ProtobufCBinaryData){p.len, copy};
}

void pb_set_text(char **to, const char *text)
{
    free(*to);
    *to = strdup(text);
    MUST(*to != NULL);
}

static void forget(ProtobufCMessage *m)
{
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        free(m->unknown_fields[i].data);
    free(m->unknown_fields);
    m->unknown_fields = NULL;
    m->n_unknown_fields = 0;
}

static void on_forget(void *cookie, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                      void *value)
{
    (void)cookie;
    (void)m;
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        forget(*(ProtobufCMessage **)value);
}

void pb_forget_unknown(ProtobufCMessage *m)
{
    forget(m);
    pb_walk(m, on_forget, NULL);
}

uint8_t *pb_pack(const ProtobufCMessage *m, size_t *ret_len)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *raw = malloc(len + 1);

    MUST(raw != NULL && protobuf_c_message_pack(m, raw) == len);
    *ret_len = len;
    return raw;
}
