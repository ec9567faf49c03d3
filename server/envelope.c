/* SPDX-License-Identifier: Apache-2.0 */
#include "server/envelope.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/frame.h"
#include "common/secret.h"

enum {
    SPACE =
        128 * 1024,  /* beside twice its length; a SealTransfer with all slots takes half of it */
    ALLOC_EXTRA = 16 /* what malloc() takes for itself */
};

static const struct {
    int ours;
    Satchel__Code code;
} codes[] = {
    {ERR_INVALID, SATCHEL__CODE__BAD_REQUEST},
    {ERR_BADREQUEST, SATCHEL__CODE__BAD_REQUEST},
    {ERR_INTEGRITY, SATCHEL__CODE__BAD_REQUEST},
    {ERR_PROTO, SATCHEL__CODE__BAD_FRAME},
    {ERR_BADSTATE, SATCHEL__CODE__BAD_STATE},
    {ERR_UNSUPPORTED, SATCHEL__CODE__UNSUPPORTED},
    {ERR_AUTH, SATCHEL__CODE__AUTH_FAILED},
    {ERR_REFUSED, SATCHEL__CODE__AUTH_FAILED},
    {ERR_FACTOR, SATCHEL__CODE__AUTH_FACTOR},
    {ERR_NOTFOUND, SATCHEL__CODE__NOT_FOUND},
    {ERR_EXISTS, SATCHEL__CODE__EXISTS},
    {ERR_EXPIRED, SATCHEL__CODE__EXPIRED},
    {ERR_REVOKED, SATCHEL__CODE__REVOKED},
    {ERR_SPENT, SATCHEL__CODE__SPENT},
    {ERR_TOOLARGE, SATCHEL__CODE__TOO_LARGE},
    {ERR_QUOTA, SATCHEL__CODE__QUOTA},
    {ERR_RATE, SATCHEL__CODE__RATE},
    {ERR_FULL, SATCHEL__CODE__FULL},
    {ERR_BUSY, SATCHEL__CODE__BUSY},
    {ERR_TIMEOUT, SATCHEL__CODE__BUSY},
    {ERR_NOMEM, SATCHEL__CODE__BUSY},
    {ERR_LIMIT, SATCHEL__CODE__BUSY},
    {ERR_DRAINING, SATCHEL__CODE__DRAINING},
    {ERR_KEYREUSED, SATCHEL__CODE__KEY_REUSED},
};

static const struct {
    const char *message;
    bool retry;
} rows[] = {
    [SATCHEL__CODE__BAD_FRAME] = {"not a frame", false},
    [SATCHEL__CODE__BAD_REQUEST] = {"malformed request", false},
    [SATCHEL__CODE__BAD_STATE] = {"not allowed now", false},
    [SATCHEL__CODE__UNSUPPORTED] = {"not supported", false},
    [SATCHEL__CODE__AUTH_FAILED] = {"refused", false},
    [SATCHEL__CODE__AUTH_FACTOR] = {"a one-time password is needed", false},
    [SATCHEL__CODE__NOT_FOUND] = {"not found", false},
    [SATCHEL__CODE__EXISTS] = {"already exists", false},
    [SATCHEL__CODE__EXPIRED] = {"expired", false},
    [SATCHEL__CODE__REVOKED] = {"revoked by its sender", false},
    [SATCHEL__CODE__SPENT] = {"no opens left", false},
    [SATCHEL__CODE__TOO_LARGE] = {"too large", false},
    [SATCHEL__CODE__QUOTA] = {"a mailbox is full", true},
    [SATCHEL__CODE__RATE] = {"too many requests", true},
    [SATCHEL__CODE__FULL] = {"the store is full", true},
    [SATCHEL__CODE__BUSY] = {"too much at once", true},
    [SATCHEL__CODE__DRAINING] = {"the daemon is stopping", true},
    [SATCHEL__CODE__KEY_REUSED] = {"this content key was used before: the sender's random numbers "
                                   "are broken",
                                   false},
    [SATCHEL__CODE__INTERNAL] = {"the daemon's fault; its log says more", true},
};

Satchel__Code envelope_code(int code)
{
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].ours == code)
            return codes[i].code;
    return SATCHEL__CODE__INTERNAL;
}

bool envelope_retry(Satchel__Code code)
{
    return rows[code].retry;
}

const char *envelope_message(Satchel__Code code)
{
    return rows[code].message;
}

int envelope_pack(const Satchel__Envelope *env, struct buf *out, struct err *err)
{
    size_t len = satchel__envelope__get_packed_size(env);
    uint8_t *to;

    if (len > FRAME_HEAD_MAX)
        return err_set(err, ERR_TOOLARGE, "a message of %zu bytes", len);
    to = buf_reserve(out, len);
    if (to == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a message");
    out->len += satchel__envelope__pack(env, to);
    return ERR_OK;
}

/* What one message may still take. */
struct budget {
    size_t left;
};

static void *take(void *data, size_t size)
{
    struct budget *b = data;
    size_t cost = size + ALLOC_EXTRA;

    if (cost > b->left)
        return NULL;
    b->left -= cost;
    return malloc(size);
}

static void give(void *data, void *p)
{
    (void)data;
    free(p);
}

Satchel__Envelope *envelope_unpack(const uint8_t *data, size_t len, size_t *ret_bytes)
{
    struct budget b = {.left = 2 * len + SPACE};
    ProtobufCAllocator bounded = {.alloc = take, .free = give, .allocator_data = &b};
    Satchel__Envelope *env = satchel__envelope__unpack(&bounded, len, data);

    if (env != NULL)
        *ret_bytes = 2 * len + SPACE - b.left;
    return env;
}

/* Where the requests that may bring a code have it; NULL: it has none. */
static char *code_of(const Satchel__Envelope *env)
{
    switch (env->body_case) {
    case SATCHEL__ENVELOPE__BODY_PUT_MANIFEST:
        return env->put_manifest->code;
    case SATCHEL__ENVELOPE__BODY_RELEASE:
        return env->release->code;
    case SATCHEL__ENVELOPE__BODY_RECOVER:
        return env->recover->code;
    case SATCHEL__ENVELOPE__BODY_DELETE_ACCOUNT:
        return env->delete_account->code;
    case SATCHEL__ENVELOPE__BODY_FACTOR_ENROL:
        return env->factor_enrol->code;
    case SATCHEL__ENVELOPE__BODY_FACTOR_CONFIRM:
        return env->factor_confirm->code;
    case SATCHEL__ENVELOPE__BODY_FACTOR_REMOVE:
        return env->factor_remove->code;
    default:
        return NULL;
    }
}

bool envelope_wipe(Satchel__Envelope *env)
{
    char *code = env != NULL ? code_of(env) : NULL;
    size_t len = code != NULL ? strlen(code) : 0;

    if (len > 0) /* an empty one is no memory of its own */
        secret_wipe(code, len);
    return len > 0;
}
