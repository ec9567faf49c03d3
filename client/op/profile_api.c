/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of satchel/profile.h that need no operation. */
#include <stdio.h>
#include <string.h>

#include "client/core/handle.h"
#include "client/local/agent.h"
#include "client/op/passphrase.h"
#include "common/crypto/hex.h"
#include "common/fs.h"

int passphrase_ask(satchel_passphrase_cb *ask, void *cookie, bool fresh, struct secret *ret,
                   struct err *err)
{
    struct secret s = {0};
    long len;
    int rc;

    if (ask == NULL)
        return err_set(err, ERR_PASSPHRASE, "the profile needs a passphrase");
    rc = secret_new(&s, SATCHEL_PASSPHRASE_MAX, err);
    if (rc != ERR_OK)
        return rc;
    len = ask(cookie, fresh, (char *)s.data, s.len);
    if (len < 0)
        rc = err_set(err, ERR_CANCELED, "interrupted at the passphrase");
    else if (len == 0)
        rc = err_set(err, ERR_PASSPHRASE, "no passphrase was given");
    else if ((size_t)len > s.len)
        rc = err_set(err, ERR_INVALID, "a passphrase has 1 to %d bytes", SATCHEL_PASSPHRASE_MAX);
    if (rc == ERR_PASSPHRASE)
        err_hint(err, "type one, or use --passphrase-fd N or SATCHEL_ASKPASS%s",
                 fresh ? "; --no-passphrase keeps keys without one" : "");
    if (rc == ERR_OK) {
        secret_truncate(&s, (size_t)len);
        secret_move(ret, &s);
    }
    secret_free(&s);
    return rc;
}

static int look(const struct place *p, struct satchel_profile_info *ret, struct err *err)
{
    struct satchel_profile_info info = {0};
    struct profile_look l = {0};
    int rc = profile_look(p->folder, &l, err);

    if (rc != ERR_OK)
        return rc;
    (void)snprintf(info.name, sizeof(info.name), "%s", p->profile);
    (void)snprintf(info.folder, sizeof(info.folder), "%s", p->folder);
    info.state = (enum satchel_profile_state)l.state;
    info.passphrase = l.passphrase;
    if (l.state != PROFILE_NONE) {
        (void)snprintf(info.username, sizeof(info.username), "%s", l.settings.username);
        (void)snprintf(info.user_id, sizeof(info.user_id), "%s", l.settings.user_id);
        (void)snprintf(info.server, sizeof(info.server), "%s", l.settings.server);
    }
    profile_look_free(&l);
    *ret = info;
    return ERR_OK;
}

int satchel_profile_look(const struct satchel_place *place, struct satchel_profile_info *ret,
                         struct satchel_error *error)
{
    struct place p = {0};
    struct err err = {0};
    int rc = place_find(place != NULL ? place->home : NULL, place != NULL ? place->profile : NULL,
                        &p, &err);

    if (rc == ERR_OK)
        rc = look(&p, ret, &err);
    place_free(&p);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

int satchel_profile_use(const struct satchel_place *place, struct satchel_error *error)
{
    struct place p = {0};
    struct profile_look l = {0};
    struct err err = {0};
    int rc = place_find(place != NULL ? place->home : NULL, place != NULL ? place->profile : NULL,
                        &p, &err);

    if (rc == ERR_OK)
        rc = profile_look(p.folder, &l, &err);
    if (rc == ERR_OK && l.state == PROFILE_NONE)
        rc = err_set(&err, ERR_NOTFOUND, "there is no profile '%s'", p.profile);
    if (rc == ERR_OK)
        rc = place_use(&p, &err);
    profile_look_free(&l);
    place_free(&p);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

/* The agent first: it would keep the keys that are to go. */
static int reset(const struct place *p, struct err *err)
{
    int rc = fs_exists(p->folder)
                 ? agent_end(p->folder, NULL, err)
                 : err_set(err, ERR_NOTFOUND, "there is no profile '%s'", p->profile);

    if (rc == ERR_OK)
        rc = profile_erase(p->folder, err);
    return rc == ERR_OK ? place_use_no_more(p, err) : rc;
}

int satchel_profile_reset(struct satchel *s, const struct satchel_place *place,
                          struct satchel_error *error)
{
    struct place p = {0};
    struct err err = {0};
    int rc = place_find(place != NULL ? place->home : NULL, place != NULL ? place->profile : NULL,
                        &p, &err);

    if (rc == ERR_OK && s != NULL && s->profile != NULL && strcmp(s->place.folder, p.folder) == 0)
        rc = err_set(&err, ERR_BADSTATE, "the handle has this profile open");
    if (rc == ERR_OK)
        rc = reset(&p, &err);
    place_free(&p);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

struct walk {
    const char *used; /* name of the profile that is used where none is named; NULL: not known */
    const char *home;
    void (*each)(void *cookie, const struct satchel_profile_info *p);
    void *cookie;
};

/* A profile that cannot be read is shown with its name alone. */
static void on_profile(void *cookie, const char *name)
{
    struct walk *w = cookie;
    struct satchel_profile_info info = {0};
    struct place p = {0};

    if (place_find(w->home, name, &p, NULL) != ERR_OK)
        return;
    if (look(&p, &info, NULL) != ERR_OK) {
        (void)snprintf(info.name, sizeof(info.name), "%s", name);
        (void)snprintf(info.folder, sizeof(info.folder), "%s", p.folder);
    }
    info.used = w->used != NULL && strcmp(w->used, name) == 0;
    w->each(w->cookie, &info);
    place_free(&p);
}

int satchel_profile_list(const struct satchel_place *place,
                         void (*each)(void *cookie, const struct satchel_profile_info *p),
                         void *cookie, struct satchel_error *error)
{
    struct place p = {0}, used = {0};
    struct walk w = {.each = each, .cookie = cookie};
    struct err err = {0};
    int rc = place_find(place != NULL ? place->home : NULL, "default", &p, &err);

    w.home = p.home;
    if (rc == ERR_OK && place_find(p.home, NULL, &used, NULL) == ERR_OK)
        w.used = used.profile;
    if (rc == ERR_OK)
        rc = place_each(&p, on_profile, &w, &err);
    place_free(&used);
    place_free(&p);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

/* The profile opened with what an agent keeps; NULL: there is none, or it keeps another vault's. */
static struct profile *ask_agent(const char *folder)
{
    struct vault_keys keys = {0};
    struct profile *p = NULL;

    if (agent_ask(folder, &keys) == ERR_OK && profile_open_keys(folder, &keys, &p, NULL) != ERR_OK)
        p = NULL;
    vault_keys_free(&keys);
    return p;
}

/* It is in another folder, has another name, or is not there yet. */
static int not_registered(const struct place *place, struct err *err)
{
    const char *begin = strcmp(place->profile, "default") == 0
                            ? "begin with: satchel register"
                            : "'satchel profile' lists those that are there";

    (void)err_set(err, ERR_NOTFOUND, "profile '%s' is not registered in '%.200s'", place->profile,
                  place->home);
    err_hint(err, "%s; if it is elsewhere, --home or $SATCHEL_HOME says where", begin);
    return ERR_NOTFOUND;
}

/* As satchel_open(); ${agent}: its keys will do. */
static int open_profile(struct satchel *s, satchel_passphrase_cb *ask, void *cookie, bool agent,
                        struct err *err)
{
    struct profile_look l = {0};
    struct secret passphrase = {0};
    struct profile *p = NULL;
    int rc = profile_look(s->place.folder, &l, err);

    if (rc != ERR_OK)
        return rc;
    if (l.state == PROFILE_NONE) {
        rc = not_registered(&s->place, err);
    } else if (l.state == PROFILE_PENDING) {
        rc = err_set(err, ERR_NOTFOUND, "the registration of profile '%s' was not finished",
                     s->place.profile);
        err_hint(err, "run the same 'satchel register' again");
    }
    if (rc == ERR_OK && l.passphrase && agent)
        p = ask_agent(s->place.folder);
    if (rc == ERR_OK && p == NULL && l.passphrase)
        rc = passphrase_ask(ask, cookie, false, &passphrase, err);
    if (rc == ERR_OK && p == NULL)
        rc = profile_open(s->place.folder, &passphrase, &p, err);
    if (rc == ERR_OK)
        rc = link_target(&s->link, &p->settings, err);
    if (rc == ERR_OK)
        s->profile = p;
    else
        profile_close(p);
    secret_free(&passphrase);
    profile_look_free(&l);
    return rc;
}

int satchel_open(struct satchel *s, satchel_passphrase_cb *ask, void *cookie,
                 struct satchel_error *error)
{
    struct err err = {0};
    int rc;

    if (s->profile != NULL || s->n_ops > 0 || s->closing)
        rc = err_set(&err, ERR_BADSTATE, "the handle is in use");
    else
        rc = open_profile(s, ask, cookie, true, &err);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

static int change_passphrase(struct satchel *s, const struct satchel_passphrase_options *o,
                             struct err *err)
{
    struct secret fresh = {0};
    int rc = open_profile(s, o->ask, o->cookie, false, err);

    if (rc == ERR_OK && !o->remove)
        rc = passphrase_ask(o->ask, o->cookie, true, &fresh, err);
    if (rc == ERR_OK)
        rc = profile_passphrase(s->profile, o->remove ? NULL : &fresh, o->renew, err);
    secret_free(&fresh);
    return rc;
}

int satchel_passphrase(struct satchel *s, const struct satchel_passphrase_options *o,
                       struct satchel_error *error)
{
    struct err err = {0};
    int rc;

    if (s->profile != NULL || s->n_ops > 0 || s->closing)
        rc = err_set(&err, ERR_BADSTATE, "the handle is in use");
    else
        rc = change_passphrase(s, o, &err);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

/* Whoever asks for the passphrase, and what was said, which is needed once more. */
struct kept {
    satchel_passphrase_cb *ask;
    void *cookie;
    struct secret passphrase;
};

static long ask_and_keep(void *cookie, bool fresh, char *buf, size_t size)
{
    struct kept *k = cookie;
    long len = k->ask != NULL ? k->ask(k->cookie, fresh, buf, size) : 0;

    if (len > 0 && (size_t)len <= size &&
        secret_copy(&k->passphrase, buf, (size_t)len, NULL) != ERR_OK)
        return 0;
    return len;
}

int satchel_device_secret(struct satchel *s, bool keyring, satchel_passphrase_cb *ask, void *cookie,
                          struct satchel_error *error)
{
    struct kept kept = {.ask = ask, .cookie = cookie};
    struct err err = {0};
    int rc;

    if (s->profile != NULL || s->n_ops > 0 || s->closing)
        rc = err_set(&err, ERR_BADSTATE, "the handle is in use");
    else
        rc = open_profile(s, ask_and_keep, &kept, false, &err);
    if (rc == ERR_OK)
        rc = profile_device_secret(s->profile, kept.passphrase.len > 0 ? &kept.passphrase : NULL,
                                   keyring, &err);
    secret_free(&kept.passphrase);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

int satchel_unlock(struct satchel *s, const struct satchel_unlock_options *o,
                   struct satchel_error *error)
{
    struct agent_plan plan = {.folder = s->place.folder,
                              .program = o->program != NULL ? o->program : "satchel",
                              .ms = o->ms};
    struct err err = {0};
    int rc;

    if (o->ms == 0 || o->ms > AGENT_MS_MAX)
        rc = err_set(&err, ERR_INVALID, "a vault can be unlocked for at most 7 days");
    else if (s->profile != NULL || s->n_ops > 0 || s->closing)
        rc = err_set(&err, ERR_BADSTATE, "the handle is in use");
    else
        rc = open_profile(s, o->ask, o->cookie, false, &err);
    if (rc == ERR_OK)
        rc = agent_start(&plan, vault_keys(s->profile->vault), &err);
    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

int satchel_lock(struct satchel *s, bool *ret_was, struct satchel_error *error)
{
    struct err err = {0};
    int rc = fs_exists(s->place.folder)
                 ? agent_end(s->place.folder, ret_was, &err)
                 : err_set(&err, ERR_NOTFOUND, "there is no profile '%s'", s->place.profile);

    return rc == ERR_OK ? SATCHEL_OK : handle_error(error, &err);
}

int satchel_whoami(struct satchel *s, struct satchel_me *ret, struct satchel_error *error)
{
    struct satchel_me me = {0};
    const struct profile *p = s->profile;
    struct vault_view view = {0};
    struct err err = {0};
    int rc;

    if (p == NULL) {
        (void)err_set(&err, ERR_BADSTATE, "no profile is open");
        return handle_error(error, &err);
    }
    rc = vault_look(p->folder, &view, &err);
    if (rc != ERR_OK)
        return handle_error(error, &err);
    me.passphrase = view.passphrase;
    me.keyring = view.keyring;
    (void)snprintf(me.username, sizeof(me.username), "%s", p->id->username);
    (void)snprintf(me.user_id, sizeof(me.user_id), "%s", p->id->uid_text);
    (void)snprintf(me.email, sizeof(me.email), "%s", p->id->email);
    (void)snprintf(me.server, sizeof(me.server), "%s", p->settings.server);
    (void)snprintf(me.pin, sizeof(me.pin), "%s", p->settings.pin != NULL ? p->settings.pin : "");
    (void)snprintf(me.folder, sizeof(me.folder), "%s", p->folder);
    (void)snprintf(me.profile, sizeof(me.profile), "%s", s->place.profile);
    hex_encode(me.server_id, p->id->server.b, sizeof(p->id->server.b));
    hex_encode(me.device, p->id->device.b, sizeof(p->id->device.b));
    me.manifest = (uint32_t)chain_newest(&p->id->chain)->sequence;
    me.receipts = p->settings.receipts == SETTINGS_RECEIPTS_ON;
    me.key_ends = p->id->keys[p->id->n_keys - 1].not_after;
    *ret = me;
    return SATCHEL_OK;
}

int satchel_set_receipts(struct satchel *s, bool on, struct satchel_error *error)
{
    unsigned receipts = on ? SETTINGS_RECEIPTS_ON : SETTINGS_RECEIPTS_OFF;
    struct err err = {0};

    if (s->profile == NULL)
        (void)err_set(&err, ERR_BADSTATE, "no profile is open");
    else if (profile_set_receipts(s->profile, receipts, &err) == ERR_OK)
        s->profile->settings.receipts = receipts;
    return handle_error(error, &err);
}
