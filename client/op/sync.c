/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The synchronous layer: start, run the private loop until `done` has come.
 * The operation is started with s->sync_starts set: s->sync becomes the cookie
 * of its `done` alone; the other callbacks keep the caller's.
 */
#include <string.h>

#include "client/core/op.h"

static void over(struct handle_sync *y, const struct satchel_error *err, const void *result)
{
    y->done = true;
    y->code = err != NULL ? err->code : SATCHEL_OK;
    if (err != NULL && y->err != NULL)
        *y->err = *err;
    if (err == NULL && y->ret != NULL && result != NULL)
        memcpy(y->ret, result, y->size);
}

static int begin(struct satchel *s, void *ret, size_t size, struct satchel_error *err)
{
    struct err why = {0};

    if (s->private_loop && !s->in_sync) {
        s->sync = (struct handle_sync){.err = err, .ret = ret, .size = size};
        s->in_sync = s->sync_starts = true;
        return SATCHEL_OK;
    }
    (void)err_set(&why, ERR_BADSTATE, "not a handle with a private loop, or it is in use");
    return handle_error(err, &why);
}

/* ${code} is what the start has returned. */
static int wait_for(struct satchel *s, int code)
{
    s->sync_starts = false;
    while (code == SATCHEL_OK && !s->sync.done)
        (void)uv_run(s->loop, UV_RUN_ONCE);
    if (code == SATCHEL_OK)
        code = s->sync.code;
    s->in_sync = false;
    if (s->closing) /* by one of the callbacks */
        handle_run_out(s);
    return code;
}

int satchel_sync_wait(struct satchel *s, struct satchel_error *err)
{
    int code = begin(s, NULL, 0, err);

    if (code != SATCHEL_OK)
        return code;
    s->sync_starts = false;
    s->sync_all = true;
    while (s->n_ops > 0)
        (void)uv_run(s->loop, UV_RUN_ONCE);
    s->sync_all = false;
    s->sync.done = true;
    return wait_for(s, SATCHEL_OK);
}

void satchel_sync_interrupt(struct satchel *s)
{
    if (s->private_loop)
        (void)uv_async_send(&s->interrupt);
}

/* A call: NAME, its options and what it returns. */
#define CALL(name, result)                                                                         \
    static void on_##name(void *cookie, const struct satchel_error *err, const result *r)          \
    {                                                                                              \
        over(cookie, err, r);                                                                      \
    }                                                                                              \
                                                                                                   \
    int satchel_sync_##name(struct satchel *s, const struct satchel_##name##_options *o,           \
                            result *ret, struct satchel_error *err)                                \
    {                                                                                              \
        struct satchel_##name##_options options = *o;                                              \
        int code = begin(s, ret, sizeof(*ret), err);                                               \
                                                                                                   \
        options.done = on_##name;                                                                  \
        if (code != SATCHEL_OK)                                                                    \
            return code;                                                                           \
        return wait_for(s, satchel_##name##_start(s, &options, NULL, err));                        \
    }

CALL(register, struct satchel_registered)
CALL(contact_add, struct satchel_contact)
CALL(contact_block, struct satchel_contact)
CALL(recover, struct satchel_recovered)
CALL(restore, struct satchel_restored)
CALL(keys_rotate, struct satchel_key)
CALL(device_revoke, struct satchel_device)
CALL(device_add, struct satchel_device)
CALL(device_join, struct satchel_joined)
CALL(send, struct satchel_sent)
CALL(list, struct satchel_listed)
CALL(get, struct satchel_got)
CALL(status, struct satchel_status)
CALL(revoke, struct satchel_revoked)
CALL(extend, struct satchel_extended)

static void on_pong(void *cookie, const struct satchel_error *err, const struct satchel_pong *r)
{
    over(cookie, err, r);
}

int satchel_sync_ping(struct satchel *s, struct satchel_pong *ret, struct satchel_error *err)
{
    struct satchel_ping_options options = {.done = on_pong};
    int code = begin(s, ret, sizeof(*ret), err);

    return code == SATCHEL_OK ? wait_for(s, satchel_ping_start(s, &options, NULL, err)) : code;
}

static void on_done(void *cookie, const struct satchel_error *err)
{
    over(cookie, err, NULL);
}

int satchel_sync_doctor(struct satchel *s, const struct satchel_doctor_options *o,
                        struct satchel_error *err)
{
    struct satchel_doctor_options options = *o;
    int code = begin(s, NULL, 0, err);

    options.done = on_done;
    return code == SATCHEL_OK ? wait_for(s, satchel_doctor_start(s, &options, NULL, err)) : code;
}

int satchel_sync_find(struct satchel *s, const struct satchel_find_options *o,
                      struct satchel_error *err)
{
    struct satchel_find_options options = *o;
    int code = begin(s, NULL, 0, err);

    options.done = on_done;
    return code == SATCHEL_OK ? wait_for(s, satchel_find_start(s, &options, NULL, err)) : code;
}

int satchel_sync_watch(struct satchel *s, const struct satchel_watch_options *o,
                       struct satchel_error *err)
{
    struct satchel_watch_options options = *o;
    int code = begin(s, NULL, 0, err);

    options.done = on_done;
    return code == SATCHEL_OK ? wait_for(s, satchel_watch_start(s, &options, NULL, err)) : code;
}

/* A call without a result: NAME and its options. */
#define PLAIN_CALL(name)                                                                           \
    int satchel_sync_##name(struct satchel *s, const struct satchel_##name##_options *o,           \
                            struct satchel_error *err)                                             \
    {                                                                                              \
        struct satchel_##name##_options options = *o;                                              \
        int code = begin(s, NULL, 0, err);                                                         \
                                                                                                   \
        options.done = on_done;                                                                    \
        if (code != SATCHEL_OK)                                                                    \
            return code;                                                                           \
        return wait_for(s, satchel_##name##_start(s, &options, NULL, err));                        \
    }

PLAIN_CALL(factor_enrol)
PLAIN_CALL(account_delete)
PLAIN_CALL(factor_remove)
PLAIN_CALL(factor_list)

static void on_deleted(void *cookie, const struct satchel_error *err, const char *id)
{
    over(cookie, err, id);
}

int satchel_sync_delete(struct satchel *s, const struct satchel_delete_options *o,
                        char ret_id[SATCHEL_ID_SIZE], struct satchel_error *err)
{
    struct satchel_delete_options options = *o;
    int code = begin(s, ret_id, SATCHEL_ID_SIZE, err);

    options.done = on_deleted;
    return code == SATCHEL_OK ? wait_for(s, satchel_delete_start(s, &options, NULL, err)) : code;
}
