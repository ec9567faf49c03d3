/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/sendq.h"

#include <stdlib.h>
#include <string.h>

#include "common/secret.h"

struct sendq_item {
    struct sendq_item *next;
    const void *tail;
    size_t tail_len, lead_len;
    void (*release)(void *arg);
    void *arg;
    uint8_t lead[]; /* prefix and head */
};

int sendq_push(struct sendq *q, const struct frame_out *f, struct err *err)
{
    uint8_t prefix[FRAME_PREFIX];
    struct sendq_item *item = NULL;
    int rc = frame_prefix(prefix, f->head_len, f->tail_len, err);

    if (rc != ERR_OK)
        return rc;
    item = malloc(sizeof(*item) + FRAME_PREFIX + f->head_len);
    if (item == NULL)
        return err_set(err, ERR_NOMEM, "no memory for a frame to send");
    *item = (struct sendq_item){.tail = f->tail,
                                .tail_len = f->tail_len,
                                .lead_len = FRAME_PREFIX + f->head_len,
                                .release = f->release,
                                .arg = f->arg};
    memcpy(item->lead, prefix, FRAME_PREFIX);
    if (f->head_len > 0)
        memcpy(item->lead + FRAME_PREFIX, f->head, f->head_len);
    if (q->last != NULL)
        q->last->next = item;
    else
        q->first = item;
    q->last = item;
    q->bytes += item->lead_len + item->tail_len;
    return ERR_OK;
}

void sendq_gather(const struct sendq *q, size_t bytes, struct sendq_batch *ret)
{
    size_t sum = 0;

    ret->n = 0;
    ret->frames = 0;
    for (const struct sendq_item *item = q->first; item != NULL && sum < bytes; item = item->next) {
        if (ret->n + 2 > SENDQ_RUNS)
            break;
        ret->runs[ret->n++] = (struct tls_run){item->lead, item->lead_len};
        if (item->tail_len > 0)
            ret->runs[ret->n++] = (struct tls_run){item->tail, item->tail_len};
        ret->frames++;
        sum += item->lead_len + item->tail_len;
    }
}

void sendq_done(struct sendq *q, size_t frames)
{
    for (; frames > 0 && q->first != NULL; frames--) {
        struct sendq_item *item = q->first;

        /* Unlinked before the release, which may push the next frame. */
        q->first = item->next;
        if (q->first == NULL)
            q->last = NULL;
        q->bytes -= item->lead_len + item->tail_len;
        if (item->release != NULL)
            item->release(item->arg);
        secret_wipe(item->lead, item->lead_len); /* heads carry shares */
        free(item);
    }
}

void sendq_clear(struct sendq *q)
{
    while (q->first != NULL)
        sendq_done(q, 1);
}
