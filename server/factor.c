/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Happy path of a check: the row is read -> the code is one that counts -> the
 * row without it is stored under the next number -> the handler's next step.
 *
 * A wrong one-time password: the row that has counted it is stored -> AUTH_FACTOR.
 *
 * Two requests with the same code: both read, one stores, the other hears that
 * the number is not the next one any more, reads again, and finds the code used.
 */
#include "server/factor.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/transfer/factor_code.h"
#include "server/daemon.h"
#include "server/watch.h"

enum {
    ROUNDS_MAX = 4, /* how often a row may change under our hands */
    TELL_FROM = 3   /* so many wrong ones in a row are no slip of the hand: the user is told */
};

struct factor_try {
    struct uid uid;
    const char *code;
    enum factor_need need;
    call_step *then;    /* behind a load or a save */
    call_step *granted; /* behind a check */
    struct factor_row row;
    uint64_t number; /* of the row as it was read */
    int rounds;
    bool settled;               /* when it was judged */
    bool wrong;                 /* what is stored is a failure */
    struct store_feed_row tell; /* what the user hears when it is stored; at 0: nothing */
};

void factor_free(struct factor_try *f)
{
    if (f == NULL)
        return;
    factor_row_free(&f->row);
    free(f);
}

struct factor_row *factor_of(struct call *c)
{
    return &c->factor->row;
}

bool factor_was_settled(const struct call *c)
{
    return c->factor->settled;
}

static bool begin(struct call *c, const struct uid *uid, call_step *then)
{
    if (c->factor == NULL)
        c->factor = calloc(1, sizeof(*c->factor));
    if (c->factor == NULL) {
        call_error(c, ERR_NOMEM, NULL);
        return false;
    }
    c->factor->uid = *uid;
    c->factor->then = then;
    return true;
}

/* ---- reading ---- */

static void on_loaded(struct call *c)
{
    struct factor_try *f = c->factor;
    const struct store_result *res = c->res;
    int rc = res->code;

    factor_row_free(&f->row);
    f->number = 0;
    if (rc == ERR_OK) {
        f->number = res->u.factor.number;
        rc = factor_row_open(&f->row, &c->d->factor_key, &f->uid, &res->u.factor);
        if (rc == ERR_CORRUPT)
            log_event(LOG_AT_ERROR, "factor_does_not_open",
                      log_str("hint", "factors.key is not the one it was sealed under"));
    } else if (rc == ERR_NOTFOUND) {
        rc = ERR_OK;
    }
    if (rc == ERR_OK)
        f->then(c);
    else if (res->code != ERR_OK)
        call_failed(c);
    else
        call_error(c, rc, NULL);
}

static void load(struct call *c)
{
    struct store_factor_get in;

    memcpy(in.uid, c->factor->uid.b, sizeof(in.uid));
    call_store(c, store_factor_get(c->d->port, &in, call_on_store, c), load, on_loaded);
}

void factor_load(struct call *c, const struct uid *uid, call_step *then)
{
    if (begin(c, uid, then))
        load(c);
}

/* ---- writing ---- */

/* The row as bytes, or none for one that is none. */
static int pack(struct call *c, struct buf *out)
{
    const struct factor_try *f = c->factor;

    if (f->row.state == FACTOR_NONE)
        return ERR_OK;
    return factor_row_seal(&f->row, &c->d->factor_key, &f->uid, f->number + 1, out);
}

/* ${self} is the step that is taken again when the store has no room now. */
static void start_save(struct call *c, call_step *self, call_step *then)
{
    const struct factor_try *f = c->factor;
    struct store_factor_put in = {.number = f->number + 1, .tell = f->tell};
    struct buf bytes = {0};
    int rc = pack(c, &bytes);

    if (rc != ERR_OK) {
        call_error(c, rc, NULL);
    } else {
        memcpy(in.uid, c->factor->uid.b, sizeof(in.uid));
        in.bytes = (struct store_blob){bytes.data, bytes.len};
        call_store(c, store_factor_put(c->d->port, &in, call_on_store, c), self, then);
    }
    buf_free(&bytes);
}

static void on_saved(struct call *c)
{
    if (c->res->code == ERR_OK) {
        c->factor->number++;
        if (c->factor->tell.at != 0)
            watch_kick(c->d, c->factor->uid.b);
        c->factor->then(c);
    } else if (c->res->code == ERR_BADSTATE) {
        call_error(c, ERR_BUSY, "the factor was changed at the same time");
    } else {
        call_failed(c);
    }
}

static void save(struct call *c)
{
    start_save(c, save, on_saved);
}

void factor_tell(struct call *c, enum store_feed_kind kind)
{
    struct store_feed_row *tell = &c->factor->tell;

    *tell = (struct store_feed_row){.at = daemon_time(), .kind = (uint16_t)kind};
    memcpy(tell->tid, c->conn->device.b, sizeof(tell->tid));
}

void factor_save(struct call *c, call_step *then)
{
    c->factor->then = then;
    save(c);
}

/* ---- checking ---- */

bool factor_refuse_rate(struct call *c, const struct uid *uid)
{
    uint64_t wait = daemon_charge(c->d, DAEMON_FACTORS, uid->b, sizeof(uid->b));

    if (wait > 0)
        call_later(c, ERR_RATE, wait);
    return wait > 0;
}

void factor_refuse(struct call *c, int rc)
{
    if (rc == ERR_FACTOR)
        call_error(c, rc, "the one-time password is wrong, too old, or was used before");
    else
        call_error(c, rc, NULL);
}

static void failed(struct call *c)
{
    factor_refuse(c, ERR_FACTOR);
}

/* What the user hears of the wrong ones, when they are stored. */
static void tell_failures(struct factor_try *f)
{
    f->tell = (struct store_feed_row){.kind = STORE_FEED_FACTOR};
    if (f->row.failed >= TELL_FROM)
        f->tell.at = daemon_time();
}

void factor_fail(struct call *c)
{
    tell_failures(c->factor);
    factor_save(c, failed);
}

/*
 * Charge a try that is about to be made.  A one-time password that has to wait because of those
 * before it would hear so in a minute: it is told now.
 */
static bool refuse_try(struct call *c)
{
    const struct factor_try *f = c->factor;
    bool one_time = factor_code_kind(f->code, strlen(f->code)) == FACTOR_CODE_ONE_TIME;
    uint64_t row = one_time ? factor_row_wait(&f->row, daemon_time()) : 0;
    uint64_t wait = daemon_charge(c->d, DAEMON_FACTORS, f->uid.b, sizeof(f->uid.b));

    if (wait > 0)
        call_later(c, ERR_RATE, wait > row ? wait : row);
    return wait > 0;
}

static void judge(struct call *c);

/* Another try came in between: begin anew, but not for ever.  Or the store has failed. */
static void not_saved(struct call *c)
{
    struct factor_try *f = c->factor;

    if (c->res->code != ERR_BADSTATE)
        call_failed(c);
    else if (++f->rounds < ROUNDS_MAX)
        factor_load(c, &f->uid, judge);
    else
        call_error(c, ERR_BUSY, NULL);
}

static void on_spent(struct call *c)
{
    struct factor_try *f = c->factor;

    if (c->res->code != ERR_OK) {
        not_saved(c);
        return;
    }
    f->number++;
    f->granted(c);
}

static void spend(struct call *c)
{
    start_save(c, spend, on_spent);
}

static void on_counted(struct call *c)
{
    if (c->res->code != ERR_OK) {
        not_saved(c);
        return;
    }
    watch_kick(c->d, c->factor->uid.b);
    factor_refuse(c, ERR_FACTOR);
}

static void count_failure(struct call *c)
{
    start_save(c, count_failure, on_counted);
}

static void try_code(struct call *c)
{
    struct factor_try *f = c->factor;
    uint32_t before = f->row.failed;
    int rc = factor_row_take(&f->row, &f->uid, f->code, daemon_time());

    f->wrong = rc == ERR_FACTOR && f->row.failed > before;
    f->tell = (struct store_feed_row){.kind = STORE_FEED_FACTOR};
    if (f->wrong)
        tell_failures(f);
    if (rc == ERR_OK)
        spend(c);
    else if (rc == ERR_RATE)
        call_later(c, ERR_RATE, factor_row_wait(&f->row, daemon_time()));
    else if (f->wrong)
        count_failure(c);
    else
        factor_refuse(c, rc);
}

/* The row is there. */
static void judge(struct call *c)
{
    struct factor_try *f = c->factor;
    bool given = f->code != NULL && f->code[0] != '\0';

    f->settled = factor_row_settled(&f->row, daemon_time());
    if ((f->row.state != FACTOR_ACTIVE && f->need == FACTOR_IF_ACTIVE) ||
        (!f->settled && f->need == FACTOR_IF_SETTLED)) {
        f->granted(c);
    } else if (!f->settled && f->need == FACTOR_SETTLED) {
        call_error(c, ERR_FACTOR,
                   "this needs the recovery words, or a one-time password of a "
                   "second factor that was enrolled at least 7 days ago");
    } else if (f->row.state != FACTOR_ACTIVE) {
        call_error(c, ERR_FACTOR, "this needs a one-time password, and you have enrolled none");
    } else if (!given) {
        call_error(c, ERR_FACTOR, NULL);
    } else if (f->rounds > 0 || !refuse_try(c)) {
        try_code(c);
    }
}

void factor_check(struct call *c, const struct uid *uid, const char *code, enum factor_need need,
                  call_step *then)
{
    if (!begin(c, uid, judge))
        return;
    c->factor->code = code;
    c->factor->need = need;
    c->factor->granted = then;
    load(c);
}

/* ---- showing ---- */

void factor_describe(const struct factor_row *row, Satchel__Factor *ret)
{
    static const struct device_id unknown;

    ret->kind =
        row->state != FACTOR_NONE ? SATCHEL__FACTOR_KIND__TOTP : SATCHEL__FACTOR_KIND__FACTOR_NONE;
    ret->active = row->state == FACTOR_ACTIVE;
    ret->since = row->since;
    ret->recovery_codes = row->n;
    ret->enrolled = row->enrolled;
    if (memcmp(&row->device, &unknown, sizeof(unknown)) != 0)
        ret->device =
            (ProtobufCBinaryData){sizeof(row->device.b), (uint8_t *)(uintptr_t)row->device.b};
}
