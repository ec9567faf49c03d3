/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - between protobuf messages and our structures, field by field from a
 * table.  But for wire_wipe() only for the files of this folder.
 *
 * Every reading begins with a limit on the bytes, so that what a hostile
 * message makes protobuf-c allocate is bounded as well.
 * Threads: any.  Never blocks.
 */
#ifndef COMMON_TRANSFER_WIRE_H
#define COMMON_TRANSFER_WIRE_H

#include "common/buf.h"
#include "common/crypto/part.h"
#include "common/err.h"
#include "proto/satchel.pb-c.h"

/* A bytes field of exactly ${len} bytes: where in the message, where in our structure. */
struct wire_field {
    const char *name;
    size_t from, to, len;
};

/* WIRE_FIELD(Satchel__Header, tid, struct header, tid, 16) */
#define WIRE_FIELD(message, field, type, member, len)                                              \
    {                                                                                              \
#field, offsetof(message, field), offsetof(type, member), (len)                            \
    }

/* Read ${raw} of at most ${max} bytes; free with protobuf_c_message_free_unpacked(). ERR_INVALID.
 */
MUST_CHECK int wire_unpack(const ProtobufCMessageDescriptor *type, struct part raw, size_t max,
                           void *ret_message, struct err *err);

/* Append the serialised message to ${out}. */
MUST_CHECK int wire_pack(const ProtobufCMessage *message, struct buf *out, struct err *err);

/* ERR_INVALID, naming message and field, if one has another size. */
MUST_CHECK int wire_check(const ProtobufCMessage *message, const struct wire_field *fields,
                          size_t n, struct err *err);

/* Copy the fields, whose sizes are right, into ${to}. */
void wire_get(const ProtobufCMessage *message, const struct wire_field *fields, size_t n, void *to);

/* Let the fields of ${message} point into ${from}, which must outlive its use. */
void wire_put(ProtobufCMessage *message, const struct wire_field *fields, size_t n,
              const void *from);

/* Overwrite all bytes and strings of a message that was unpacked, and of those in it, before it is
 * freed: some of them are keys. */
void wire_wipe(ProtobufCMessage *message);

/* Borrowed views in both directions. */
struct part wire_part(ProtobufCBinaryData data);
ProtobufCBinaryData wire_data(struct part p);

#endif /* COMMON_TRANSFER_WIRE_H */
