/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/wire.h"

int wire_unpack(const ProtobufCMessageDescriptor *type, struct part raw, size_t max,
                void *ret_message, struct err *err)
{
    void *message;

    if (raw.len > max)
        return err_set(err, ERR_INVALID, "%s: %zu bytes, over %zu", type->short_name, raw.len, max);
    message = protobuf_c_message_unpack(type, NULL, raw.len, part_bytes(raw));
    if (message == NULL)
        return err_set(err, ERR_INVALID, "%s: cannot be decoded", type->short_name);
    *(void **)ret_message = message;
    return ERR_OK;
}

int wire_pack(const ProtobufCMessage *message, struct buf *out, struct err *err)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *to = buf_reserve(out, len);

    if (to != NULL)
        out->len += protobuf_c_message_pack(message, to);
    return buf_check(out, err);
}

static const ProtobufCBinaryData *field_in(const ProtobufCMessage *message,
                                           const struct wire_field *f)
{
    return (const ProtobufCBinaryData *)(const void *)((const char *)message + f->from);
}

int wire_check(const ProtobufCMessage *message, const struct wire_field *fields, size_t n,
               struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = field_in(message, &fields[i])->len;

        if (len != fields[i].len)
            return err_set(err, ERR_INVALID, "%s.%s: %zu bytes instead of %zu",
                           message->descriptor->short_name, fields[i].name, len, fields[i].len);
    }
    return ERR_OK;
}

void wire_get(const ProtobufCMessage *message, const struct wire_field *fields, size_t n, void *to)
{
    for (size_t i = 0; i < n; i++)
        memcpy((char *)to + fields[i].to, field_in(message, &fields[i])->data, fields[i].len);
}

void wire_put(ProtobufCMessage *message, const struct wire_field *fields, size_t n,
              const void *from)
{
    for (size_t i = 0; i < n; i++) {
        void *at = (char *)message + fields[i].from;

        *(ProtobufCBinaryData *)at =
            wire_data(part((const char *)from + fields[i].to, fields[i].len));
    }
}

struct part wire_part(ProtobufCBinaryData data)
{
    return part(data.data, data.len);
}

ProtobufCBinaryData wire_data(struct part p)
{
    /* protobuf-c has no const; packing only reads. */
    return (ProtobufCBinaryData){.len = p.len, .data = (uint8_t *)(uintptr_t)p.data};
}

/* ---- wiping ---- */

static void wipe_value(const ProtobufCFieldDescriptor *f, void *at)
{
    const ProtobufCBinaryData *bytes = at;
    char *text;

    switch (f->type) {
    case PROTOBUF_C_TYPE_BYTES:
        if (bytes->len > 0)
            secret_wipe(bytes->data, bytes->len);
        break;
    case PROTOBUF_C_TYPE_STRING:
        text = *(char **)at;
        if (text != NULL && text[0] != '\0') /* an empty one is no memory of its own */
            secret_wipe(text, strlen(text));
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (*(ProtobufCMessage **)at != NULL)
            wire_wipe(*(ProtobufCMessage **)at);
        break;
    default:
        break;
    }
}

void wire_wipe(ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *d = message->descriptor;

    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        char *at = (char *)message + f->offset;
        const void *count = (const char *)message + f->quantifier_offset;
        size_t size =
            f->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);

        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            for (size_t k = 0; k < *(const size_t *)count; k++)
                if (f->type >= PROTOBUF_C_TYPE_STRING)
                    wipe_value(f, *(char **)at + k * size);
        } else if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0 ||
                   *(const uint32_t *)count == f->id) {
            wipe_value(f, at);
        }
    }
}
