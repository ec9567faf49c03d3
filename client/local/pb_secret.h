/* SPDX-License-Identifier: Apache-2.0 */
/* pb_secret - protobuf messages that hold secrets, in the memory that struct secret uses. */
#ifndef CLIENT_LOCAL_PB_SECRET_H
#define CLIENT_LOCAL_PB_SECRET_H

#include <protobuf-c/protobuf-c.h>

#include "common/crypto/part.h"
#include "common/secret.h"

/* For unpacking and freeing: memory is locked and wiped. */
extern ProtobufCAllocator pb_secret_allocator;

/*
 * ${plain} as a message, to be freed with pb_secret_allocator.  ERR_NOMEM: no locked memory is
 * left; ERR_CORRUPT: it is no such message.
 */
MUST_CHECK int pb_secret_unpack(const ProtobufCMessageDescriptor *d, struct part plain,
                                ProtobufCMessage **ret, struct err *err);

/* The serialised message as a secret. */
MUST_CHECK int pb_secret_pack(const ProtobufCMessage *m, struct secret *ret, struct err *err);

#endif /* CLIENT_LOCAL_PB_SECRET_H */
