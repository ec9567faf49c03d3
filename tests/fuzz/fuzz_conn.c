/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a connection, with a whole daemon behind it: every
 * handler hears what a hostile client may say, before and after login.
 *
 * The input: 1 byte who speaks and how, then items of u8 what, u16 length and
 * so many bytes:
 *
 *     SAY     an Envelope as it is
 *     FORGE   an Envelope; short fields stand for true ones (forge.h)
 *     PUT     u8 parcel, u8 piece, then as FORGE; that piece is the tail
 *     TAIL    u8 length of the tail, the tail, then as FORGE
 *     RAW     bytes that need not be a frame
 *     TURN    nothing: one turn of the loop
 *     SETTLE  nothing: the daemon does all it can
 *     LATER   u8 of a sixth of an hour, by which the clock goes forward
 *     NOMEM   u8 which allocation of the daemon fails, counted from here
 *
 * Other items follow each other without a pause.  What must hold: every
 * request gets one answer, none of them INTERNAL while there is memory; answers are what the schema
 * says; nobody hears a share of a transfer that is not his; no connection, call or
 * byte is left behind.
 */
#include <stdio.h>
#include <string.h>

#include "server/envelope.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/nomem.h"
#include "tests/fuzz/pb_walk.h"

enum what { SAY, FORGE, PUT, TAIL, RAW, TURN, SETTLE, LATER, NOMEM, WHATS };
enum { SPEAKERS = 5, DEAF = 0x10, CUT = 0x20, WRITES_MAX = 2000, STEP_MS = 600000 };

struct play {
    struct peer peer;
    struct mem_end *end;
    const struct actor *me; /* NULL: not logged in by us */
    unsigned requests, answers;
    bool raw, nomem;
};

static struct world world;
static unsigned stale; /* of it: enum world_stale */

static void end_world(void)
{
    world_close(&world);
}

/* The world as it is at the beginning of every input; a new one before the old one is full. */
static void prepare_world(void)
{
    static bool begun;

    if (world.writes > WRITES_MAX)
        world_close(&world);
    if (world.d == NULL)
        world_open(&world);
    else
        world_refresh(&world, stale);
    stale = 0;
    if (!begun)
        (void)atexit(end_world);
    begun = true;
}

/* ---- what the daemon says --------------------------------------------------- */

static void check_shares(const struct play *p, const struct part *said)
{
    for (int i = 0; i < WORLD_PARCELS; i++)
        for (size_t k = 0; k < world.parcel[i].n; k++) {
            const struct share_pair *s = &world.parcel[i].share[k];

            /* The sender of an upload may ask for all shares again. */
            if (p->me == world.parcel[i].who[k] || p->me == world.parcel[i].who[0])
                continue;
            MUST(memmem(said->data, said->len, s->meta.data, s->meta.len) == NULL);
            MUST(memmem(said->data, said->len, s->body.data, s->body.len) == NULL);
        }
}

static void check_answer(struct play *p, const struct message *m)
{
    const Satchel__Envelope *env = m->env;

    MUST(protobuf_c_message_check(&env->base));
    MUST(m->tail.len == 0 || env->body_case == SATCHEL__ENVELOPE__BODY_PIECE);
    if (env->body_case == SATCHEL__ENVELOPE__BODY_ERROR) {
        bool nomem = p->nomem || nomem_failed();

        MUST(env->error->code != SATCHEL__CODE__CODE_NONE &&
             (nomem || env->error->code != SATCHEL__CODE__INTERNAL) &&
             env->error->code <= SATCHEL__CODE__INTERNAL);
        MUST(strlen(env->error->message) <= ENVELOPE_MESSAGE_MAX);
    }
    if (env->body_case != SATCHEL__ENVELOPE__BODY_PIECE)
        p->answers++;
}

static void hear_all(struct play *p)
{
    struct part said = part(p->end->out.data, p->end->out.len);
    struct message *m;

    if (p->me != NULL)
        check_shares(p, &said);
    while (p->end->out.len > 0) {
        m = peer_next(&p->peer);
        MUST(m != NULL);
        check_answer(p, m);
        message_free(m);
    }
}

/* ---- what the client says ------------------------------------------------------ */

/* What a request may use up. */
static unsigned uses(struct part head)
{
    static const struct {
        Satchel__Envelope__BodyCase body;
        unsigned stale;
    } uses[] = {
        {SATCHEL__ENVELOPE__BODY_REGISTER, WORLD_STALE_DAVE},
        {SATCHEL__ENVELOPE__BODY_PUT_MANIFEST, WORLD_STALE_MANIFEST},
        {SATCHEL__ENVELOPE__BODY_PUT_PIECE, WORLD_STALE_BEGUN},
        {SATCHEL__ENVELOPE__BODY_SEAL_TRANSFER, WORLD_STALE_BEGUN},
        {SATCHEL__ENVELOPE__BODY_ABANDON_UPLOAD, WORLD_STALE_BEGUN},
        {SATCHEL__ENVELOPE__BODY_RELEASE, WORLD_STALE_ONCE},
        {SATCHEL__ENVELOPE__BODY_DELETE, WORLD_STALE_SENT | WORLD_STALE_ONCE},
    };
    Satchel__Envelope *env = satchel__envelope__unpack(NULL, head.len, head.data);
    unsigned found = 0;

    for (size_t i = 0; env != NULL && i < sizeof(uses) / sizeof(uses[0]); i++)
        if (uses[i].body == env->body_case)
            found = uses[i].stale;
    satchel__envelope__free_unpacked(env, NULL);
    return found;
}

static void say(struct play *p, struct part head, struct part tail)
{
    stale |= uses(head);
    if (head.len == 0)
        p->raw = true; /* not a frame: the end */
    p->requests++;
    (void)peer_frame(&p->peer, head.data, head.len, tail.data, tail.len);
}

static void say_forged(struct play *p, struct part head, struct part tail)
{
    Satchel__Envelope *env = satchel__envelope__unpack(NULL, head.len, head.data);
    uint8_t *raw;
    size_t len = 0;

    if (env == NULL) {
        say(p, head, tail);
        return;
    }
    forge_envelope(&world, &p->peer, env);
    raw = pb_pack(&env->base, &len);
    say(p, part(raw, len), tail);
    free(raw);
    satchel__envelope__free_unpacked(env, NULL);
}

static void act(struct play *p, enum what what, struct rd r)
{
    uint8_t n;
    struct part tail;

    switch (what) {
    case PUT:
        n = rd_u8(&r);
        tail = forge_piece(&world, n, rd_u8(&r));
        say_forged(p, part(r.p, r.left), tail);
        break;
    case TAIL:
        n = rd_u8(&r);
        tail = part(r.p, n < r.left ? n : r.left);
        (void)rd_take(&r, tail.len);
        say_forged(p, part(r.p, r.left), tail);
        break;
    case SAY:
        say(p, part(r.p, r.left), part(NULL, 0));
        break;
    case FORGE:
        say_forged(p, part(r.p, r.left), part(NULL, 0));
        break;
    case RAW:
        p->raw = true;
        stale = WORLD_STALE_ALL;
        (void)peer_write(&p->peer, r.p, r.left);
        break;
    case TURN:
        world_turn(&world);
        break;
    case LATER:
        stale = WORLD_STALE_ALL;
        world_later((uint64_t)rd_u8(&r) * STEP_MS);
        break;
    case NOMEM:
        p->nomem = p->nomem || nomem_failed();
        nomem_arm(rd_u8(&r));
        break;
    default:
        world_settle(&world, p->end);
        hear_all(p);
        break;
    }
}

/* ---- one conversation ------------------------------------------------------------ */

/* 0: a new connection; 1: after Hello; then logged in as Alice, Bob, Carol. */
static void begin(struct play *p, unsigned speaker)
{
    struct conn *conn;

    MUST(peer_open(&p->peer, 0));
    p->end = world_end(&p->peer);
    if (speaker == 0)
        return;
    MUST(peer_hello(&p->peer) == SATCHEL__CODE__CODE_NONE);
    if (speaker == 1)
        return;
    p->me = &world.who[speaker - 2];
    conn = world.d->conns;
    conn->uid = p->me->u.uid;
    conn->device = p->me->u.device.id;
    conn_enter(conn, CONN_READY);
}

static void finish(struct play *p, bool cut)
{
    const struct daemon *d = world.d;

    if (cut)
        mem_cut(p->end);
    else
        mem_listen(p->end);
    world_settle(&world, p->end);
    hear_all(p);
    if (p->end->stream != NULL && !p->raw)
        MUST(p->answers == p->requests);
    peer_close(&p->peer);
    while (d->n_calls > 0)
        (void)uv_run(d->loop, UV_RUN_ONCE);
    MUST(d->n_conns == 0 && d->conns == NULL && underway_all(d->underway) == 0 &&
         d->waiting == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_make(data, size);
    struct play p = {.raw = false};
    uint8_t how = rd_u8(&r);

    nomem_arm(0);
    prepare_world();
    begin(&p, (how & 0x0fU) % SPEAKERS);
    p.end->deaf = (how & DEAF) != 0;
    while (r.left >= 3) {
        enum what what = rd_u8(&r) % WHATS;
        size_t len = rd_u16(&r);

        len = len < r.left ? len : r.left;
        act(&p, what, rd_make(rd_take(&r, len), len));
    }
    finish(&p, (how & CUT) != 0);
    return 0;
}
