/* SPDX-License-Identifier: Apache-2.0 */
#include "client/core/factor_seen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/core/handle.h"
#include "client/local/cursor.h"
#include "common/crypto/hex.h"
#include "common/transfer/factor_code.h"

enum { DAY_TEXT = 16, SHORT_ID = 12 };

/* ---- noting ---- */

struct note {
    uv_work_t req;
    struct link *l;
    struct profile *profile;
    uint64_t enrolled;
    bool own; /* by us */
};

static void note_work(uv_work_t *req)
{
    struct note *n = LIST_OWNER(req, struct note, req);
    int rc = cursor_save(n->profile->vault, CURSOR_FACTOR, n->enrolled, NULL);

    if (rc == ERR_OK && n->own)
        rc = cursor_save(n->profile->vault, CURSOR_OWN_FACTOR, n->enrolled, NULL);
    (void)rc; /* should it fail, it is told again at the next login */
}

static void noted(uv_work_t *req, int status)
{
    struct note *n = LIST_OWNER(req, struct note, req);
    struct satchel *s = n->l->s;

    (void)status;
    n->l->jobs--;
    free(n);
    handle_settle(s);
}

static void note(struct link *l, uint64_t enrolled, bool own)
{
    struct note *n = calloc(1, sizeof(*n));

    l->s->profile->factor = enrolled;
    if (own)
        l->s->profile->own_factor = enrolled;
    if (n == NULL)
        return;
    *n = (struct note){.l = l, .profile = l->s->profile, .enrolled = enrolled, .own = own};
    if (uv_queue_work(l->s->loop, &n->req, note_work, noted) == 0)
        l->jobs++;
    else
        free(n);
}

/* ---- telling ---- */

static const char *day(uint64_t ms, char ret[DAY_TEXT])
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(ret, DAY_TEXT, "%Y-%m-%d", &tm) == 0)
        ret[0] = '\0';
    return ret;
}

static void tell_enrolled(struct link *l, const Satchel__Factor *f)
{
    char date[DAY_TEXT], id[2 * IDS_DEVICE_LEN + 1] = "ID";
    bool known = f->device.len == IDS_DEVICE_LEN;

    if (known)
        hex_encode(id, f->device.data, IDS_DEVICE_LEN);
    id[SHORT_ID] = '\0';
    handle_notice(l->s, SATCHEL_NOTICE_FACTOR, NULL,
                  "a second factor was enrolled on %s%s%s; if that was not you: 'satchel device "
                  "revoke %s', and with your recovery words 'satchel factor totp remove "
                  "--recovery-fd 0'; %d days after it was enrolled it counts for the whole account",
                  day(f->enrolled, date), known ? " from device " : "", known ? id : "", id,
                  FACTOR_SETTLED_DAYS);
}

static void tell_removed(struct link *l)
{
    char date[DAY_TEXT];

    handle_notice(l->s, SATCHEL_NOTICE_FACTOR, NULL,
                  "the second factor that was enrolled on %s was removed; if that was not you: "
                  "revoke what is not yours in 'satchel device list' with 'satchel device revoke "
                  "ID', then 'satchel factor totp enrol'",
                  day(l->s->profile->factor, date));
}

static bool is_ours(const struct link *l, const Satchel__Factor *f)
{
    return f->active && f->device.len == IDS_DEVICE_LEN &&
           memcmp(f->device.data, l->s->profile->id->device.b, IDS_DEVICE_LEN) == 0;
}

/* It is not enough that the device is ours: a thief's copy of this vault has the same one. */
static bool is_own(const struct link *l, const Satchel__Factor *f)
{
    return is_ours(l, f) && f->enrolled == l->s->profile->own_factor;
}

/* As long as it can be undone without it: who heard of it may have been a script. */
static bool is_young(uint64_t enrolled)
{
    return handle_now() < enrolled + (uint64_t)FACTOR_SETTLED_DAYS * 24 * 3600 * 1000;
}

void factor_seen_look(struct link *l, const Satchel__Factor *f)
{
    uint64_t known = l->s->profile->factor, enrolled;

    if (f == NULL)
        return;
    enrolled = f->active ? f->enrolled : 0;
    if (enrolled == 0 && known != 0)
        tell_removed(l);
    if (enrolled != 0 && !is_own(l, f) && (enrolled != known || is_young(enrolled)))
        tell_enrolled(l, f);
    /* Where nobody hears of it, it is told at the next login that somebody listens to. */
    if (enrolled != known && (l->s->on_notice != NULL || is_own(l, f)))
        note(l, enrolled, false);
}

void factor_seen_enrolled(struct link *l, const Satchel__Factor *f)
{
    if (is_ours(l, f))
        note(l, f->enrolled, true);
}

void factor_seen_gone(struct link *l)
{
    note(l, 0, false);
}
