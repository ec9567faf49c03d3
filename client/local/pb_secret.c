/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/pb_secret.h"

#include <openssl/crypto.h>

static void *take(void *data, size_t size)
{
    (void)data;
    return secret_setup() ? OPENSSL_secure_malloc(size) : NULL;
}

static void give(void *data, void *p)
{
    (void)data;
    /* The heap knows the size and wipes all of it. */
    OPENSSL_secure_free(p);
}

ProtobufCAllocator pb_secret_allocator = {.alloc = take, .free = give};

int pb_secret_pack(const ProtobufCMessage *m, struct secret *ret, struct err *err)
{
    int rc = secret_new(ret, protobuf_c_message_get_packed_size(m), err);

    if (rc == ERR_OK)
        (void)protobuf_c_message_pack(m, ret->data);
    return rc;
}
