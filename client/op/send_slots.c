/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots of a send (proto/FORMATS.md section 6).  Half of the work, that with curves, needs
 * nothing of the server: of a small send it is done while the server opens the transfer.
 */
#include "client/op/send.h"
#include "common/crypto/rng.h"

/* For one use: the same ephemeral twice would give the same keys twice. */
static int draw_ephemeral(struct send *s, const struct uid *to, struct secret *ret, struct err *err)
{
    /* Of the attempt: the transfer may have no ID yet. */
    uint8_t transcript[sizeof(s->upload_key) + IDS_UID_LEN];

    memcpy(transcript, s->upload_key, sizeof(s->upload_key));
    memcpy(transcript + sizeof(s->upload_key), to->b, IDS_UID_LEN);
    return hedge_draw(s->op.s->profile->hedge, "ephemeral", PART_OF(transcript), ret, err);
}

/* ---- ahead ---- */

static int encap(struct send *s, struct send_ahead_slot *a)
{
    struct manifest_ek ek = a->ek;
    struct secret ephemeral = {0};
    int rc;

    ek.key = PART_OF(a->key);
    rc = draw_ephemeral(s, &a->to, &ephemeral, NULL);
    if (rc == ERR_OK)
        rc = slot_encap(&ek, &ephemeral, &a->kem, NULL);
    secret_free(&ephemeral);
    return rc;
}

/* What fails is done again, and told, when the slots are sealed. */
static int ahead_work(struct op_job *job, struct err *err)
{
    struct send *s = (struct send *)job->op;
    struct send_ahead *a = &s->ahead;
    int rc = ERR_OK;

    (void)err;
    for (size_t i = 0; rc == ERR_OK && i < a->n; i++)
        rc = encap(s, &a->of[i]);
    atomic_store(&a->made, true);
    return ERR_OK;
}

/* Where there are others there is something to do meanwhile, and a job more costs its hand-over. */
static void begin_ahead(struct net_task *turn)
{
    struct send *s = LIST_OWNER(turn, struct send, ahead.turn);

    if (!s->opened && op_going(&s->op) && send_is_alone())
        op_job(&s->op, &s->ahead.job, ahead_work, NULL);
}

void send_slots_ahead(struct send *s)
{
    struct send_ahead *a = &s->ahead;

    if (a->n > 0 || s->n_slots > SEND_AHEAD_MAX)
        return;
    for (; a->n < s->n_slots; a->n++) {
        const struct send_slot *slot = &s->slots[a->n];
        struct send_ahead_slot *to = &a->of[a->n];

        if (slot->ek->key.len != sizeof(to->key))
            return;
        to->to = slot->uid;
        to->ek = *slot->ek;
        memcpy(to->key, slot->ek->key.data, sizeof(to->key));
    }
    /* In a turn of its own: the request leaves first, and the worker has the processor then. */
    a->turn.run = begin_ahead;
    net_loop_later(s->op.s->net, &a->turn);
}

void send_slots_free(struct send *s)
{
    net_loop_forget(&s->ahead.turn);
    for (size_t i = 0; i < s->ahead.n; i++)
        secret_free(&s->ahead.of[i].kem.shared);
}

/* What was made for ${to}, to be wiped behind its use; NULL: nothing was. */
static struct hpke_kem *find_ahead(struct send *s, const struct send_slot *to)
{
    struct send_ahead *a = &s->ahead;

    if (!atomic_load(&a->made))
        return NULL;
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(&a->of[i].to, &to->uid, sizeof(to->uid)) == 0 &&          /* public */
            memcmp(&a->of[i].ek.id, &to->ek->id, sizeof(to->ek->id)) == 0 && /* public */
            a->of[i].kem.shared.len > 0)
            return &a->of[i].kem;
    return NULL;
}

/* ---- the seal ---- */

/* A random number below ${n}, without bias. */
static int draw_below(uint32_t n, uint32_t *ret)
{
    uint32_t limit = UINT32_MAX - UINT32_MAX % n, x = 0;
    int rc;

    do
        rc = rng_bytes(&x, sizeof(x));
    while (rc == ERR_OK && x >= limit);
    if (rc == ERR_OK)
        *ret = x % n;
    return rc;
}

/* The order of slots must not tell who was named first. */
static int shuffle(uint32_t *order, size_t n)
{
    int rc = ERR_OK;

    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n; rc == ERR_OK && i > 1; i--) {
        uint32_t j = 0, swap;

        rc = draw_below((uint32_t)i, &j);
        swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
    return rc;
}

static int seal_slot(struct send *s, const struct send_slot *to, struct buf *out, struct err *err)
{
    struct hpke_kem *kem = find_ahead(s, to);
    struct secret ephemeral = {0};
    struct slot slot;
    struct slot_seal in = {.header = &s->header,
                           .to = &to->uid,
                           .ek = to->ek,
                           .share = {&to->share[0], &to->share[1]},
                           .mek = &s->mek,
                           .cek = &s->cek,
                           .ephemeral = &ephemeral,
                           .kem = kem};
    int rc = ERR_OK;

    if (kem == NULL)
        rc = draw_ephemeral(s, &to->uid, &ephemeral, err);
    if (rc == ERR_OK)
        rc = slot_seal(&in, &slot, err);
    if (rc == ERR_OK)
        rc = slot_pack(&slot, out, err);
    secret_free(&ephemeral);
    if (kem != NULL)
        secret_free(&kem->shared);
    return rc;
}

int send_slots_seal(struct send *s, struct err *err)
{
    uint32_t order[HEADER_SLOTS_MAX];
    struct part packed[HEADER_SLOTS_MAX];
    int rc = shuffle(order, s->n_slots);

    for (size_t i = 0; rc == ERR_OK && i < s->n_slots; i++) {
        const struct send_slot *to = &s->slots[order[i]];

        rc = seal_slot(s, to, &s->packed_slots[i], err);
        s->slot_uids[i] = to->uid;
        packed[i] = part(s->packed_slots[i].data, s->packed_slots[i].len);
    }
    if (rc == ERR_OK)
        rc = slot_root(packed, s->n_slots, &s->header.slots_root);
    return rc;
}
