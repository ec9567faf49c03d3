/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path: open the file -> connect -> find the recipients -> OpenTransfer (send_open.c) ->
 * draw keys -> pieces (send_body.c) -> slots (send_slots.c), seal (send_seal.c) -> done.  The last
 * pieces and SealTransfer leave in one flight.  A small send does not look up whoever is pinned; a
 * refusal then leads back to it, once.  Its slots are half made while the server opens it.
 *
 * Ways to fail, besides those of the link and of people.c:
 *  - no such file                       ERR_NOTFOUND
 *  - not regular, unreadable, changed   ERR_IO
 *  - over the server's limits           ERR_TOOLARGE
 *  - the server refuses                 as it says
 * An upload that was begun is abandoned if the connection still stands, unless its
 * record stays (send_record.c): then the same command goes on with it.
 *
 * With `abandon`: find the recipients -> the record -> AbandonUpload -> done.  Nothing was left
 * ERR_NOTFOUND, it is being sent ERR_LOCKED, it has arrived ERR_BADSTATE.
 *
 * A connection that is lost: before the transfer is open everything is asked
 * again, behind it the pieces that the server does not have (send_body.c).
 */
#include "client/op/send.h"

#include <stdlib.h>

#include "common/crypto/rng.h"
#include "common/transfer/utf8.h"

enum { TO_MAX = HEADER_SLOTS_MAX - 1 };

static atomic_uint under_way; /* sends of the process, which share its workers */

bool send_is_alone(void)
{
    return atomic_load(&under_way) == 1;
}

/* ---- the end -------------------------------------------------------------------- */

static void pause_send(struct satchel_op *op)
{
    struct send *s = (struct send *)op;

    if (s->waiter.link.next == NULL)
        return; /* the pieces have not begun */
    pool_forget(&s->waiter);
    rate_forget(&s->rate);
}

static void stop(struct satchel_op *op)
{
    struct send *s = (struct send *)op;

    atomic_store(&s->stop, true);
    pause_send(op);
    if (s->opened && !s->sealed && !send_record_stays(s))
        send_abandon(s, &s->header.tid);
}

static void finish(struct satchel_op *op, const struct satchel_error *err)
{
    struct send *s = (struct send *)op;
    struct satchel_sent r = {.size = s->size,
                             .padded_size = s->header.body_length,
                             .created = s->header.created,
                             .expires = s->header.expires,
                             .recipients = (uint32_t)s->n_recipients,
                             .sent_pieces = s->n_pieces - s->kept,
                             .kept_pieces = s->kept};

    struct satchel_error full;

    memcpy(r.id, s->id, sizeof(r.id));
    (void)snprintf(r.name, sizeof(r.name), "%s", s->name);
    if (err != NULL && err->code == SATCHEL_E_QUOTA) {
        full = *err;
        send_say_whose(s, &full);
        err = &full;
    } else if (err == NULL && !s->abandon) {
        op->s->link.used += send_room(s);
    }
    s->done(op->done_cookie, err, err == NULL ? &r : NULL);
}

static void free_send(struct satchel_op *op)
{
    struct send *s = (struct send *)op;

    atomic_fetch_sub(&under_way, 1);
    upload_log_close(s->log, send_record_stays(s));
    upload_past_free(&s->past);
    send_body_free(s);
    send_slots_free(s);
    source_free(s->source);
    for (size_t i = 0; s->persons != NULL && i < s->n_to; i++)
        person_free(&s->persons[i]);
    for (size_t i = 0; s->slots != NULL && i < s->n_slots; i++) {
        secret_free(&s->slots[i].share[0]);
        secret_free(&s->slots[i].share[1]);
        if (s->packed_slots != NULL)
            buf_free(&s->packed_slots[i]);
    }
    secret_free(&s->cek);
    secret_free(&s->mek);
    buf_free(&s->metadata);
    buf_free(&s->packed_header);
    free(s->packed_slots);
    free(s->slot_uids);
    free(s->slots);
    free(s->persons);
    send_free_to(s);
    free(s->path);
    free(s->name);
    free(s->message);
    free(s->media_type);
    free(s);
}

/* ---- second: recipients are found ------------------------------------------------------ */

static struct send_slot *slot_of(struct send *s, const struct uid *uid)
{
    for (size_t i = 0; i < s->n_slots; i++)
        if (memcmp(&s->slots[i].uid, uid, sizeof(*uid)) == 0)
            return &s->slots[i];
    return NULL;
}

static int add_slot(struct send *s, const struct person *p, const struct uid *uid,
                    const struct chain *chain, struct err *err)
{
    struct send_slot *slot = &s->slots[s->n_slots];
    bool lapsed = false;
    int rc = manifest_choose_ek(chain_newest(chain), handle_now(), &slot->ek, &lapsed, err);

    if (rc != ERR_OK)
        return rc;
    slot->person = p;
    slot->uid = *uid;
    slot->role = SATCHEL__ROLE__RECIPIENT;
    s->n_slots++;
    if (lapsed && p != NULL && !p->self)
        handle_notice(s->op.s, SATCHEL_NOTICE_LAPSED, person_name(p),
                      "the encryption key of '%s' has ended: it is used all the same",
                      person_name(p));
    return ERR_OK;
}

static void tell_recipient(struct send *s, const struct person *p)
{
    char text[IDS_UID_TEXT];
    struct satchel_recipient r = {.who = p->who, .name = person_name(p), .user_id = text};

    ids_uid_to_text(&p->uid, text);
    if (s->on_recipient != NULL)
        s->on_recipient(s->op.cookie, &r);
}

/* One slot for each user, however often he is named, and one for ourselves. */
static int make_slots(struct send *s, struct err *err)
{
    struct send_slot *own;
    int rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < s->n_to; i++) {
        const struct person *p = &s->persons[i];

        if (slot_of(s, &p->uid) != NULL)
            continue;
        rc = contact_check_seen(&p->contact, err);
        if (rc == ERR_OK)
            rc = add_slot(s, p, &p->uid, person_chain(p, s->op.id), err);
        if (rc == ERR_OK && !s->told)
            tell_recipient(s, p);
    }
    s->told = true;
    s->n_recipients = s->n_slots;
    own = slot_of(s, &s->op.id->uid);
    if (rc == ERR_OK && own == NULL) {
        rc = add_slot(s, NULL, &s->op.id->uid, &s->op.id->chain, err);
        if (rc == ERR_OK)
            s->slots[s->n_slots - 1].role = SATCHEL__ROLE__SENDER;
    } else if (rc == ERR_OK) {
        own->role = SATCHEL__ROLE__BOTH;
    }
    return rc;
}

static void free_slots(struct send *s)
{
    for (size_t i = 0; s->slots != NULL && i < s->n_slots; i++) {
        secret_free(&s->slots[i].share[SHARE_META]);
        secret_free(&s->slots[i].share[SHARE_BODY]);
        s->slots[i] = (struct send_slot){0};
    }
    s->n_slots = 0;
}

/* Does it look whether what we know of somebody is the newest? */
static bool server_compares(const struct send *s)
{
    const struct session *session = s->op.s->link.session;

    return session != NULL && session_hello(session)->known_manifest;
}

/*
 * Never used before: ten bytes are random.  In front of them is the time, in milliseconds, so that
 * the rows of one sender's uploads that the server touches lie side by side.
 */
static int draw_upload_key(struct send *s)
{
    enum { TIME_LEN = 6 };
    uint8_t now[8];

    put_be64(now, handle_now());
    memcpy(s->upload_key, now + sizeof(now) - TIME_LEN, TIME_LEN);
    return rng_bytes(s->upload_key + TIME_LEN, sizeof(s->upload_key) - TIME_LEN);
}

static void found(struct satchel_op *op)
{
    struct send *s = (struct send *)op;
    struct err err = {0};
    int rc;

    free_slots(s); /* of an attempt whose connection was lost */
    /* The connection may be another by now. */
    if (!server_compares(s) && send_retry_with_lookup(s))
        return;
    rc = make_slots(s, &err);

    if (rc == ERR_OK && op->ended) /* by the caller, inside on_recipient */
        return;
    if (rc == ERR_OK && op->s->link.session == NULL)
        rc = err_set(&err, ERR_CLOSED, "the connection was lost");
    if (rc == ERR_OK && !s->abandon)
        rc = send_fill_header(s, session_hello(op->s->link.session), &err);
    if (rc == ERR_OK && !s->asked && draw_upload_key(s) != ERR_OK)
        rc = err_set(&err, ERR_INTERNAL, "cannot draw random bytes");
    if (rc == ERR_OK)
        send_record_find(s);
    else if (op->s->link.session != NULL || !op_lost(op, &err))
        op_end(op, &err);
}

/*
 * A send of one piece does not ask about those whose keys are pinned: the answer would take longer
 * than all the rest.  (Of a transfer that has a record it must be known before that is looked for.)
 */
static bool may_guess(const struct send *s)
{
    return source_facts(s->source)->again && s->size <= BODY_PIECE_PLAIN;
}

/* As at the beginning: nobody is looked at yet.  Also for the first job. */
static void begin_persons(struct send *s)
{
    for (size_t i = 0; i < s->n_to; i++) {
        person_free(&s->persons[i]);
        s->persons[i] = (struct person){.who = s->to[i]};
    }
    s->people = (struct people){.op = &s->op, .p = s->persons, .n = s->n_to, .done = found};
}

void send_look_up(struct satchel_op *op)
{
    struct send *s = (struct send *)op;

    op_phase(op, SATCHEL_PHASE_PREPARE);
    /* As it is after the login, which may have brought manifests of other devices. */
    identity_unref(op->id);
    op->id = identity_ref(op->s->profile->id);
    if (!s->located || !server_compares(s))
        begin_persons(s);
    s->located = false;
    people_find(&s->people);
}

/* The connection stands again. */
static void again(struct satchel_op *op)
{
    struct send *s = (struct send *)op;

    if (s->start_over && s->n_pieces > 0 && !source_facts(s->source)->again)
        send_stream_lost(s);
    else if (s->start_over)
        send_start_anew(s);
    else if (s->opened)
        send_body_again(s);
    else
        send_look_up(op);
}

/* ---- first: the file ---------------------------------------------------------------------- */

static int first_work(struct op_job *job, struct err *err)
{
    struct send *s = (struct send *)job->op;
    const struct source_named named = {s->path, s->name};
    int rc = send_expand(s, TO_MAX, err);

    if (rc == ERR_OK && s->abandon) {
        begin_persons(s);
        return ERR_OK; /* its record says all that is needed of the file */
    }
    if (rc == ERR_OK)
        rc = s->path != NULL ? source_open(&named, &s->source, err)
                             : source_open_fd(s->fd, &s->source, err);
    if (rc != ERR_OK)
        return rc;
    s->size = source_facts(s->source)->length;
    begin_persons(s);
    if (!may_guess(s))
        return ERR_OK;
    s->people.pinned_will_do = s->located = true;
    return people_locate(&s->people, err);
}

static void source_opened(struct op_job *job)
{
    op_connect(job->op, LINK_NEED_READY, send_look_up);
}

/* Numbers for the keys take two syncs: beside the connection's waits, not after them. */
static int numbers_work(struct op_job *job, struct err *err)
{
    return hedge_prepare(job->op->s->profile->hedge, err);
}

static void begin(struct satchel_op *op)
{
    struct send *s = (struct send *)op;

    op_phase(op, SATCHEL_PHASE_CONNECT);
    if (!hedge_prepared(op->s->profile->hedge))
        op_job(op, &s->numbers, numbers_work, NULL);
    op_job(op, &s->job, first_work, source_opened);
}

/* ---- starting ------------------------------------------------------------------------------- */

/* The last part of ${path}; of one that ends in "." or "..", of what it stands for. */
static void last_part(const char *path, char ret[SATCHEL_FILE_SIZE])
{
    size_t len = strlen(path), from;
    char *real;

    while (len > 1 && path[len - 1] == '/')
        len--;
    for (from = len; from > 0 && path[from - 1] != '/';)
        from--;
    (void)snprintf(ret, SATCHEL_FILE_SIZE, "%.*s", (int)(len - from), path + from);
    if (len - from >= SATCHEL_FILE_SIZE)
        ret[0] = '\0'; /* no file can have that name */
    if (strcmp(ret, ".") != 0 && strcmp(ret, "..") != 0)
        return;
    real = realpath(path, NULL);
    if (real != NULL)
        last_part(real, ret);
    free(real);
}

static int check(const struct satchel_send_options *o, const char *name, struct err *err)
{
    if (o->path != NULL && o->path[0] == '\0')
        return err_set(err, ERR_INVALID, "no file to send");
    if (o->path == NULL && (o->fd < 0 || name == NULL))
        return err_set(err, ERR_INVALID, "what comes from a descriptor needs a name");
    if (o->path == NULL && o->abandon)
        return err_set(err, ERR_INVALID, "nothing is kept of what comes from a descriptor");
    if (o->to_count < 1 || o->to_count > TO_MAX)
        return err_set(err, ERR_INVALID, "1 to %d recipients", TO_MAX);
    if (o->expires != 0 && (o->lifetime != 0 || o->expires <= handle_now()))
        return err_set(err, ERR_INVALID, "a transfer cannot end then");
    if (o->name == NULL && metadata_check_name(part_str(name), NULL) != ERR_OK)
        return err_set(err, ERR_INVALID, "cannot send '%.1024s': no file can have that path",
                       o->path);
    if (strlen(name) > METADATA_NAME_MAX)
        return err_set(err, ERR_INVALID, "the name has %zu bytes: a file's has at most %d",
                       strlen(name), METADATA_NAME_MAX);
    if (metadata_check_name(part_str(name), NULL) != ERR_OK)
        return err_set(err, ERR_INVALID, "'%s' cannot be the name of a file", name);
    if (o->message != NULL && strlen(o->message) > METADATA_MESSAGE_MAX)
        return err_set(err, ERR_INVALID, "a message has at most %d bytes", METADATA_MESSAGE_MAX);
    if (o->message != NULL && !utf8_valid(o->message))
        return err_set(err, ERR_INVALID, "a message is UTF-8");
    if (o->media_type != NULL &&
        (strlen(o->media_type) > METADATA_TYPE_MAX || !utf8_valid(o->media_type)))
        return err_set(err, ERR_INVALID, "a media type is UTF-8 of at most %d bytes",
                       METADATA_TYPE_MAX);
    return ERR_OK;
}

static int copy_options(struct send *s, const struct satchel_send_options *o, const char *name,
                        struct err *err)
{
    s->path = o->path != NULL ? strdup(o->path) : NULL;
    s->fd = o->fd;
    s->name = strdup(name);
    s->message = strdup(o->message != NULL ? o->message : "");
    s->media_type = strdup(o->media_type != NULL ? o->media_type : "");
    s->to = calloc(o->to_count, sizeof(*s->to));
    if ((s->path == NULL && o->path != NULL) || s->name == NULL || s->message == NULL ||
        s->media_type == NULL || s->to == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    s->n_to = o->to_count;
    for (size_t i = 0; i < o->to_count; i++) {
        s->to[i] = strdup(o->to[i]);
        if (s->to[i] == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    s->lifetime = o->lifetime;
    s->expires = o->expires;
    s->opens = o->opens;
    s->policy = o->require_otp ? HEADER_REQUIRE_OTP : 0;
    s->no_padding = o->no_padding;
    s->no_preview = o->no_preview;
    s->abandon = o->abandon;
    s->limit_rate = o->limit_rate < RATE_MAX ? o->limit_rate : RATE_MAX;
    s->on_recipient = o->on_recipient;
    s->done = o->done;
    s->op.on_progress = o->on_progress;
    return ERR_OK;
}

int satchel_send_start(struct satchel *s, const struct satchel_send_options *o,
                       struct satchel_op **ret_op, struct satchel_error *error)
{
    static const struct op_kind kind = {.need = LINK_NEED_NOTHING,
                                        .begin = begin,
                                        .stop = stop,
                                        .pause = pause_send,
                                        .again = again,
                                        .finish = finish,
                                        .free = free_send};
    char last[SATCHEL_FILE_SIZE];
    const char *name = o->name;
    struct send *op;
    struct err err = {0};
    int rc;

    if (name == NULL && o->path != NULL) {
        last_part(o->path, last);
        name = last;
    }
    rc = check(o, name, &err);
    if (rc == ERR_OK && s->profile == NULL)
        rc = err_set(&err, ERR_BADSTATE, "no profile is open");
    if (rc != ERR_OK)
        return handle_error(error, &err);
    op = calloc(1, sizeof(*op));
    if (op == NULL)
        return op_no_memory(error);
    atomic_fetch_add(&under_way, 1);
    rc = copy_options(op, o, name, &err);
    if (rc != ERR_OK) {
        free_send(&op->op);
        return handle_error(error, &err);
    }
    return op_start(&op->op, s, &kind, o->cookie, ret_op, error);
}
