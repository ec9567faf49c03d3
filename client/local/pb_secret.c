/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/pb_secret.h"

#include <openssl/crypto.h>

/* ${data}: NULL, or a bool that is set where there is no memory. */
static void *take(void *data, size_t size)
{
    void *p = secret_setup() ? OPENSSL_secure_malloc(size) : NULL;

    if (p == NULL && data != NULL)
        *(bool *)data = true;
    return p;
}

static void give(void *data, void *p)
{
    (void)data;
    /* The heap knows the size and wipes all of it. */
    OPENSSL_secure_free(p);
}

ProtobufCAllocator pb_secret_allocator = {.alloc = take, .free = give};

int pb_secret_unpack(const ProtobufCMessageDescriptor *d, struct part plain, ProtobufCMessage **ret,
                     struct err *err)
{
    bool refused = false;
    ProtobufCAllocator from = {.alloc = take, .free = give, .allocator_data = &refused};

    *ret = protobuf_c_message_unpack(d, &from, plain.len, plain.data);
    if (*ret != NULL)
        return ERR_OK;
    if (refused)
        return err_set(err, ERR_NOMEM, "no locked memory left for a message of %zu bytes",
                       plain.len);
    return err_set(err, ERR_CORRUPT, "not a message of this kind");
}

int pb_secret_pack(const ProtobufCMessage *m, struct secret *ret, struct err *err)
{
    int rc = secret_new(ret, protobuf_c_message_get_packed_size(m), err);

    if (rc == ERR_OK)
        (void)protobuf_c_message_pack(m, ret->data);
    return rc;
}
