/* SPDX-License-Identifier: Apache-2.0 */
/* pb_walk - every value of a protobuf message, whatever its type.  Threads: any. */
#ifndef TESTS_FUZZ_PB_WALK_H
#define TESTS_FUZZ_PB_WALK_H

#include <protobuf-c/protobuf-c.h>

#include "common/crypto/part.h"

/* ${value} points at one value of field ${f} of ${m}; at a pointer for texts and messages. */
typedef void pb_visit(void *cookie, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                      void *value);

/* Call ${visit} for each value that is there; a message comes before what is in it. */
void pb_walk(ProtobufCMessage *m, pb_visit *visit, void *cookie);

/* Replace bytes or a text by a copy; the old ones are free()d. */
void pb_set_bytes(ProtobufCBinaryData *to, struct part p);
void pb_set_text(char **to, const char *text);

/* Drop what the schema does not know, in ${m} and all messages in it. */
void pb_forget_unknown(ProtobufCMessage *m);

/* The serialised message, in memory from malloc(). */
uint8_t *pb_pack(const ProtobufCMessage *m, size_t *ret_len);

#endif /* TESTS_FUZZ_PB_WALK_H */
