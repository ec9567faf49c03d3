/* SPDX-License-Identifier: Apache-2.0 */
/* place, settings, hedge, identity and profile: a user on this machine. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/local/profile.h"
#include "common/crypto/hex.h"
#include "common/fs.h"
#include "common/transfer/manifest_build.h"
#include "tests/unit/tmpdir.h"

#define NOW ((uint64_t)1800000000000)
#define PIN "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

struct state {
    char home[TMPDIR_SIZE];
    struct place place;
};

static int setup(void **state)
{
    struct state *s = calloc(1, sizeof(*s));

    unsetenv("SATCHEL_HOME");
    unsetenv("SATCHEL_PROFILE");
    assert_non_null(tmpdir_make(s->home));
    assert_int_equal(place_find(s->home, NULL, &s->place, NULL), ERR_OK);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct state *s = *state;

    place_free(&s->place);
    assert_int_equal(tmpdir_remove(s->home), 0);
    free(s);
    return 0;
}

static struct profile *begin(struct state *s, const char *username, const struct secret *passphrase,
                             int expect)
{
    struct settings settings = {.server = (char *)"[::1]:7743", .pin = (char *)PIN};
    struct profile_plan plan = {
        .place = &s->place,
        .passphrase = passphrase,
        .settings = &settings,
        .identity = {.username = username, .email = "a@example.org", .now = NOW}};
    struct profile *p = NULL;

    memset(plan.identity.server.b, 9, sizeof(plan.identity.server.b));
    assert_int_equal(profile_begin(&plan, &p, NULL), expect);
    return p;
}

static struct profile *reopen(struct state *s, struct profile *p, int expect)
{
    profile_close(p);
    p = NULL;
    assert_int_equal(profile_open(s->place.folder, NULL, &p, NULL), expect);
    return p;
}

/* ---- settings ---- */

static void settings_come_back(void **state)
{
    struct state *s = *state;
    struct settings a = {.state = SETTINGS_ACTIVE,
                         .server = (char *)"[::1]:7743",
                         .ca_file = (char *)"/a b/#\"ca\"\\.pem",
                         .username = (char *)"x",
                         .user_id = (char *)"sat1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"},
                    b = {0};

    assert_int_equal(settings_read(s->home, &b, NULL), ERR_NOTFOUND);
    assert_int_equal(settings_write(s->home, &a, NULL), ERR_OK);
    assert_int_equal(settings_read(s->home, &b, NULL), ERR_OK);
    assert_int_equal(b.state, SETTINGS_ACTIVE);
    assert_string_equal(b.server, a.server);
    assert_string_equal(b.ca_file, a.ca_file);
    assert_string_equal(b.username, a.username);
    assert_string_equal(b.user_id, a.user_id);
    assert_null(b.pin);
    settings_free(&b);
}

static void damaged_settings(void **state)
{
    static const char *const texts[] = {"", "[profile]\nstate = active\n", "\xff\xfe", "state=1",
                                        "[profile]\nstate = maybe\nserver = x\nusername = a\n"};
    struct state *s = *state;
    struct settings b = {0};
    char *path = fs_join(s->home, "settings");

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(fs_replace(path, texts[i], strlen(texts[i]), 0600, NULL), ERR_OK);
        assert_int_equal(settings_read(s->home, &b, NULL), ERR_CORRUPT);
    }
    free(path);
}

/* ---- a profile's life ---- */

static void registration_can_be_repeated(void **state)
{
    struct state *s = *state;
    struct profile_look look = {0};
    struct profile *p;
    struct uid uid;

    assert_int_equal(profile_look(s->place.folder, &look, NULL), ERR_OK);
    assert_int_equal(look.state, PROFILE_NONE);
    p = begin(s, "alice", NULL, ERR_OK);
    uid = p->id->uid;
    assert_int_equal(p->id->recovery.len, 32);
    assert_int_equal(profile_look(s->place.folder, &look, NULL), ERR_OK);
    assert_int_equal(look.state, PROFILE_PENDING);
    assert_false(look.passphrase);
    assert_string_equal(look.settings.username, "alice");
    profile_look_free(&look);

    p = reopen(s, p, ERR_OK);
    assert_memory_equal(&p->id->uid, &uid, sizeof(uid));
    assert_int_equal(p->id->recovery.len, 32);
    assert_int_equal(p->id->chain.n, 1);
    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    assert_int_equal(p->id->recovery.len, 0);

    p = reopen(s, p, ERR_OK);
    assert_int_equal(p->settings.state, SETTINGS_ACTIVE);
    assert_int_equal(p->id->recovery.len, 0);
    assert_string_equal(p->settings.pin, PIN);
    assert_null(begin(s, "bob", NULL, ERR_EXISTS));
    profile_close(p);
}

static void pending_can_be_replaced_and_discarded(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    char *begun = fs_join(s->place.folder, "begun"), *vault = fs_join(s->place.folder, "vault");
    struct uid uid = p->id->uid;

    profile_close(p);
    p = begin(s, "bob", NULL, ERR_OK);
    assert_string_equal(p->id->username, "bob");
    assert_memory_not_equal(&p->id->uid, &uid, sizeof(uid));
    assert_int_equal(profile_discard(p, NULL), ERR_OK);
    assert_false(fs_exists(s->place.folder));
    assert_null(reopen(s, NULL, ERR_NOTFOUND));
    p = begin(s, "bob", NULL, ERR_OK);
    assert_true(fs_exists(vault));
    assert_int_equal(mkdir(begun, 0700), 0); /* no mark can be made, as on a full disk */
    assert_int_equal(profile_discard(p, NULL), ERR_OK);
    assert_false(fs_exists(vault));
    assert_int_equal(rmdir(begun), 0);
    free(vault);
    free(begun);
}

/* Killed between the settings and the identity: the seed goes when the profile is opened. */
static void seed_is_forgotten_after_a_crash(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);

    p->settings.state = SETTINGS_ACTIVE;
    assert_int_equal(settings_write(p->folder, &p->settings, NULL), ERR_OK);
    p = reopen(s, p, ERR_OK);
    assert_int_equal(p->id->recovery.len, 0);
    profile_close(p);
}

static void files_are_private(void **state)
{
    static const char *const names[] = {"", "vault", "device", "settings", "lock", "records"};
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = fs_join(s->place.folder, names[i]);
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
        free(path);
    }
    profile_close(p);
}

static void settings_of_somebody_else(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);

    assert_int_equal(settings_set(&p->settings.username, "mallory", NULL), ERR_OK);
    assert_int_equal(settings_write(p->folder, &p->settings, NULL), ERR_OK);
    assert_null(reopen(s, p, ERR_CORRUPT));
}

/* Neither shown as free nor begun anew: the keys are somebody's. */
static void assert_kept(struct state *s, const char *settings, const char *hint)
{
    struct profile_look look = {0};
    struct err err = {0};
    char *device = fs_join(s->place.folder, "device");
    struct buf keys = {0};

    assert_int_equal(fs_read(device, 32, &keys, NULL), ERR_OK);
    assert_int_equal(profile_look(s->place.folder, &look, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.msg, settings));
    assert_non_null(strstr(err.hint, hint));
    assert_null(begin(s, "bob", NULL, ERR_CORRUPT));
    assert_int_equal(fs_read(device, 32, &keys, NULL), ERR_OK);
    assert_memory_equal(keys.data, keys.data + 32, 32);
    buf_free(&keys);
    free(device);
}

static void lost_settings_free_no_keys(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    char *settings = fs_join(s->place.folder, "settings");

    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    profile_close(p);
    assert_int_equal(unlink(settings), 0);
    assert_kept(s, settings, "satchel profile reset"); /* if there are no words */
    assert_int_equal(fs_replace(settings, "", 0, 0600, NULL), ERR_OK);
    assert_kept(s, settings, "satchel recover");
    assert_int_equal(profile_erase(s->place.folder, NULL), ERR_OK);
    profile_close(begin(s, "bob", NULL, ERR_OK));
    free(settings);
}

/* Killed before the settings were there: such keys are nobody's yet. */
static void keys_without_settings_after_a_crash(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct profile_look look = {0};
    char *settings = fs_join(s->place.folder, "settings");
    char *begun = fs_join(s->place.folder, "begun");

    assert_false(fs_exists(begun));
    profile_close(p);
    assert_int_equal(unlink(settings), 0);
    assert_int_equal(fs_create(begun, "", 0, 0600, NULL), ERR_OK);
    assert_int_equal(profile_look(s->place.folder, &look, NULL), ERR_OK);
    assert_int_equal(look.state, PROFILE_NONE);
    p = begin(s, "bob", NULL, ERR_OK);
    assert_false(fs_exists(begun));
    assert_int_equal(fs_create(begun, "", 0, 0600, NULL), ERR_OK); /* left over */
    assert_int_equal(profile_activate(p, NULL), ERR_OK);
    assert_false(fs_exists(begun));
    profile_close(p);
    free(settings);
    free(begun);
}

/* Remove the files of a folder whose names begin so. */
static void remove_all(const char *folder, const char *prefix)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    closedir(dir);
}

static void every_record_matters(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    char *records = fs_join(s->place.folder, "records");

    profile_close(p);
    remove_all(records, "chain-");
    assert_null(reopen(s, NULL, ERR_CORRUPT));
    remove_all(records, "identity-");
    assert_null(reopen(s, NULL, ERR_CORRUPT));
    free(records);
}

/* ---- keys ---- */

static void draws_never_repeat_a_number(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct secret a = {0}, b = {0};
    struct buf record = {0};
    uint8_t id[VAULT_RECORD_ID_LEN];
    uint64_t before = 0, after = 0;

    assert_int_equal(vault_id(p->vault, "counter", part_str("hedge"), id, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &before, NULL), ERR_OK);
    assert_int_equal(hedge_prepare(p->hedge, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &after, NULL), ERR_OK);
    assert_int_equal(after, before + 1);
    assert_int_equal(hedge_prepare(p->hedge, NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &b, NULL), ERR_OK);
    assert_false(secret_equal(a.data, b.data, HEDGE_LEN));
    /* One block was claimed, ahead of the first draw. */
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &after, NULL), ERR_OK);
    assert_int_equal(after, before + 1);
    for (int i = 0; i < HEDGE_BLOCK; i++)
        assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "counter", id, &record, &after, NULL), ERR_OK);
    assert_int_equal(after, before + 2);
    secret_free(&a);
    secret_free(&b);
    buf_free(&record);
    profile_close(p);
}

/* The counter is never guessed: neither from a record that is damaged nor from one at its end. */
static void damaged_counter_draws_nothing(void **state)
{
    static const uint8_t last[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0x01};
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct secret a = {0};
    char digits[2 * VAULT_RECORD_ID_LEN + 1], path[512];
    uint8_t id[VAULT_RECORD_ID_LEN];
    struct buf sealed = {0};

    assert_int_equal(vault_id(p->vault, "counter", part_str("hedge"), id, NULL), ERR_OK);
    hex_encode(digits, id, sizeof(id));
    (void)snprintf(path, sizeof(path), "%s/records/counter-%s", s->place.folder, digits);
    assert_int_equal(fs_read(path, 4096, &sealed, NULL), ERR_OK);
    sealed.data[sealed.len - 1] ^= 1;
    assert_int_equal(fs_replace(path, sealed.data, sealed.len, 0600, NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_CORRUPT);
    assert_int_equal(vault_put(p->vault, "counter", id, PART_OF(last), NULL), ERR_OK);
    assert_int_equal(hedge_draw(p->hedge, "x", part(NULL, 0), &a, NULL), ERR_CORRUPT);
    assert_null(a.data);
    buf_free(&sealed);
    profile_close(p);
}

static int plan_next(struct profile *p, uint64_t now, struct identity **ret)
{
    /* Nothing is erased on the way. */
    struct profile_care care = {.now = now, .max_lifetime = UINT64_MAX};

    return profile_plan_next(p, &care, ret, NULL);
}

static struct identity *rotate(struct profile *p, uint64_t now, uint64_t max_lifetime)
{
    struct identity *id = NULL, *done = NULL;

    assert_int_equal(plan_next(p, now, &id), ERR_OK);
    if (id->next != NULL) {
        assert_int_equal(profile_promote(p, &id->next->hash, now, max_lifetime, &done, NULL),
                         ERR_OK);
        identity_unref(id);
        id = done;
    }
    return id;
}

static void next_key_comes_in_time(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    uint64_t end = p->id->keys[0].not_after, late = end - IDENTITY_EARLY_MS + 1;
    struct identity *id = NULL, *again = NULL;
    struct ek_id first = p->id->keys[0].id;

    assert_int_equal(end, NOW + IDENTITY_EPOCH_MS);
    assert_false(identity_due(p->id, late - 1));
    assert_true(identity_due(p->id, late));
    assert_int_equal(plan_next(p, late - 1, &id), ERR_OK);
    assert_null(id->next);
    identity_unref(id);

    /* Planned twice, as after a lost answer: the same one. */
    assert_int_equal(plan_next(p, late, &id), ERR_OK);
    assert_int_equal(plan_next(p, late + 5, &again), ERR_OK);
    assert_non_null(id->next);
    assert_memory_equal(&id->next->hash, &again->next->hash, 32);
    assert_int_equal(id->next->sequence, 2);
    assert_int_equal(id->next->n_eks, 2);
    assert_non_null(identity_ek(id, &id->next_key.id));
    identity_unref(id);

    assert_int_equal(profile_promote(p, &again->next->hash, late, 0, &id, NULL), ERR_OK);
    assert_null(id->next);
    assert_int_equal(id->n_keys, 2);
    assert_int_equal(id->chain.n, 2);
    assert_memory_equal(&id->keys[1].id, &again->next_key.id, sizeof(struct ek_id));
    assert_non_null(identity_ek(id, &first));
    assert_false(identity_due(id, late));
    identity_unref(id);

    p = reopen(s, p, ERR_OK);
    assert_int_equal(p->id->n_keys, 2);
    assert_int_equal(p->id->chain.n, 2);
    identity_unref(again);
    profile_close(p);
}

/* Neither its clock nor its longest lifetime lets a server keep old keys for long. */
static void a_server_does_not_hold_back_erasing(void **state)
{
    const uint64_t day = (uint64_t)24 * 3600 * 1000, now = 1000 * day;
    struct settings s = {0};
    struct profile_care care = profile_care_for(&s, now, 0, UINT64_MAX);

    (void)state;
    assert_int_equal(care.now, now);
    assert_int_equal(care.erase_at, now - day);
    assert_int_equal(care.max_lifetime, 60 * day);
    /* Small differences count, and shorter lives. */
    care = profile_care_for(&s, now, now - 1000, 30 * day);
    assert_int_equal(care.erase_at, now - 1000);
    assert_int_equal(care.max_lifetime, 30 * day);
    care = profile_care_for(&s, now, now + 5 * day, 30 * day);
    assert_int_equal(care.erase_at, now);
    /* What it said in the beginning may be more. */
    settings_pin_lifetime(&s, 90 * day);
    assert_int_equal(profile_care_for(&s, now, now, UINT64_MAX).max_lifetime, 90 * day);
    settings_pin_lifetime(&s, 7 * day);
    assert_int_equal(profile_care_for(&s, now, now, UINT64_MAX).max_lifetime, 60 * day);
    settings_pin_lifetime(&s, UINT64_MAX);
    assert_int_equal(settings_lifetime(&s), 3660 * day);
}

static void old_keys_are_erased_when_nothing_needs_them(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct ek_id first = p->id->keys[0].id;
    uint64_t life = 7 * IDENTITY_DAY_MS, now = NOW + 28 * IDENTITY_DAY_MS;
    struct identity *id = rotate(p, now, life);

    assert_int_equal(id->n_keys, 2);
    identity_unref(id);
    /* Away for a year: the second key was the newest all the time, so it stays. */
    now += 365 * IDENTITY_DAY_MS;
    id = rotate(p, now, life);
    assert_int_equal(id->n_keys, 2);
    assert_null(identity_ek(id, &first));
    assert_int_equal(chain_newest(&id->chain)->n_eks, 1);
    identity_unref(id);
    now += 28 * IDENTITY_DAY_MS;
    id = rotate(p, now, life);
    assert_int_equal(id->n_keys, 2);
    identity_unref(id);
    profile_close(p);
}

/* A key goes when its last transfer can be gone, not when the next key comes. */
static void old_keys_go_without_a_new_one(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct ek_id first = p->id->keys[0].id;
    uint64_t life = 7 * IDENTITY_DAY_MS, end = p->id->keys[0].not_after;
    uint64_t gone = end + life + IDENTITY_DAY_MS;
    struct profile_care care = {.now = gone - 1, .erase_at = gone - 1, .max_lifetime = life};
    struct identity *id = rotate(p, NOW + 28 * IDENTITY_DAY_MS, life);

    assert_false(identity_has_old(id, gone - 1, life));
    assert_true(identity_has_old(id, gone, life));
    identity_unref(id);
    assert_int_equal(profile_plan_next(p, &care, &id, NULL), ERR_OK);
    assert_non_null(identity_ek(id, &first));
    identity_unref(id);
    /* Of our clock and the server's the earlier one counts. */
    care.now = gone;
    assert_int_equal(profile_plan_next(p, &care, &id, NULL), ERR_OK);
    assert_non_null(identity_ek(id, &first));
    identity_unref(id);
    care.erase_at = gone;
    assert_int_equal(profile_plan_next(p, &care, &id, NULL), ERR_OK);
    assert_null(identity_ek(id, &first));
    assert_null(id->next);
    identity_unref(id);
    p = reopen(s, p, ERR_OK);
    assert_null(identity_ek(p->id, &first));
    assert_int_equal(p->id->n_keys, 1);
    profile_close(p);
}

/* Give ${p} a second device, whose ID is ${ret}. */
static void add_device(struct profile *p, uint64_t now, struct device_id *ret)
{
    struct manifest_device other = {.key = {7}};
    struct identity_change change = {.add = &other};
    struct identity *id = NULL, *done = NULL;

    assert_int_equal(ids_device(other.key, &other.id), ERR_OK);
    assert_int_equal(profile_plan_change(p, &change, now, &id, NULL), ERR_OK);
    assert_int_equal(profile_promote(p, &id->next->hash, now, IDENTITY_DAY_MS, &done, NULL),
                     ERR_OK);
    identity_unref(id);
    identity_unref(p->id);
    p->id = done;
    *ret = other.id;
}

static void revoking_a_device_takes_a_new_key(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct device_id other = {{1}};
    struct identity_change change = {.revoke = &other};
    struct identity *id = NULL, *done = NULL;
    uint64_t now = NOW + IDENTITY_DAY_MS;
    const struct manifest *m;

    assert_int_equal(profile_plan_change(p, &change, now, &id, NULL), ERR_NOTFOUND);
    add_device(p, now, &other);
    assert_int_equal(profile_plan_change(p, &change, now + 1, &id, NULL), ERR_OK);
    m = id->next;
    assert_int_equal(m->n_devices, 2);
    assert_int_equal(manifest_device(m, &other)->revoked, now + 1);
    assert_int_equal(m->n_eks, 1); /* the one that the device did not know */
    assert_memory_equal(&m->eks[0].id, &id->next_key.id, sizeof(struct ek_id));
    /* One change at a time. */
    assert_int_equal(profile_plan_change(p, &change, now + 1, &done, NULL), ERR_BUSY);
    assert_int_equal(profile_promote(p, &m->hash, now + 1, IDENTITY_DAY_MS, &done, NULL), ERR_OK);
    assert_int_equal(done->n_keys, 2); /* what is on its way can be read */
    identity_unref(id);
    identity_unref(done);
    assert_int_equal(profile_plan_change(p, &change, now + 2, &id, NULL), ERR_REVOKED);
    profile_close(p);
}

/* Nobody but the device that goes would have the new one. */
static void a_device_that_goes_leaves_the_keys(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct device_id self = p->id->device, other;
    struct identity_change change = {.revoke = &self};
    struct identity *id = NULL, *done = NULL;
    uint64_t now = NOW + IDENTITY_DAY_MS;
    const struct manifest *m;

    add_device(p, now, &other);
    assert_int_equal(profile_plan_change(p, &change, now + 1, &id, NULL), ERR_OK);
    m = id->next;
    assert_int_equal(manifest_device(m, &self)->revoked, now + 1);
    assert_int_equal(m->n_eks, 1);
    assert_memory_equal(&m->eks[0].id, &id->keys[0].id, sizeof(struct ek_id));
    assert_int_equal(profile_promote(p, &m->hash, now + 1, IDENTITY_DAY_MS, &done, NULL), ERR_OK);
    assert_int_equal(done->n_keys, 1);
    identity_unref(id);
    identity_unref(done);
    profile_close(p);
}

/* ${p} lists as many devices as there may be; of them those at ${from} and behind are revoked. */
static void fill_devices(struct profile *p, size_t from)
{
    const struct manifest *newest = chain_newest(&p->id->chain);
    struct manifest_device devices[MANIFEST_DEVICES_MAX] = {newest->devices[0]};
    struct manifest_build_plan plan = {.previous = newest,
                                       .created = NOW,
                                       .devices = devices,
                                       .n_devices = MANIFEST_DEVICES_MAX,
                                       .eks = newest->eks,
                                       .n_eks = newest->n_eks};
    enum chain_change change;
    struct manifest *m = NULL;

    for (size_t i = 0; i < MANIFEST_DEVICES_MAX; i++) {
        if (i > 0)
            devices[i].key[0] = (uint8_t)i;
        devices[i].revoked = i >= from ? NOW + i : 0;
    }
    assert_int_equal(manifest_build(&plan, &p->id->isk, &m, NULL), ERR_OK);
    assert_int_equal(chain_add(&p->id->chain, m, &change, NULL), ERR_OK);
}

/* A recovery when those from ${from} on are revoked: all but ${gone} are listed, revoked. */
static void assert_recovery_drops(struct state *s, size_t from, size_t gone)
{
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct identity_plan plan = {
        .username = "alice", .email = "a@example.org", .now = NOW + IDENTITY_DAY_MS};
    struct identity_recovery r = {.seed = &p->id->recovery, .chain = &p->id->chain};
    const struct manifest *before, *m;
    struct identity *id = NULL;

    fill_devices(p, from);
    before = chain_newest(r.chain); /* the new identity takes it over */
    assert_int_equal(vault_lock(p->vault, NULL), ERR_OK);
    assert_int_equal(identity_recover(&plan, &r, p->vault, &id, NULL), ERR_OK);
    vault_unlock(p->vault);
    m = chain_newest(&id->chain);
    assert_int_equal(m->n_devices, MANIFEST_DEVICES_MAX);
    for (size_t i = 0; i < before->n_devices; i++) {
        const struct manifest_device *was = &before->devices[i];
        const struct manifest_device *is = manifest_device(m, &was->id);

        assert_int_equal(is == NULL, i == gone);
        if (is != NULL)
            assert_int_equal(is->revoked, was->revoked != 0 ? was->revoked : plan.now);
    }
    assert_memory_equal(&m->devices[m->n_devices - 1].id, &id->device, sizeof(id->device));
    identity_unref(id);
    assert_int_equal(profile_discard(p, NULL), ERR_OK);
}

static void a_recovery_without_room_drops_who_was_out_before(void **state)
{
    assert_recovery_drops(*state, MANIFEST_DEVICES_MAX, 0); /* none was */
    assert_recovery_drops(*state, 40, 40);
}

/* Killed between the two records of a promotion. */
static void promotion_is_finished_after_a_crash(void **state)
{
    struct state *s = *state;
    struct profile *p = begin(s, "alice", NULL, ERR_OK);
    struct identity *id = NULL, *planned = NULL;
    struct buf chain = {0};
    uint64_t now = NOW + 29 * IDENTITY_DAY_MS;
    uint8_t record[VAULT_RECORD_ID_LEN];

    assert_int_equal(plan_next(p, now, &planned), ERR_OK);
    /* The chain of the promoted identity with the identity record of the planned one. */
    assert_int_equal(profile_promote(p, &planned->next->hash, now, 0, &id, NULL), ERR_OK);
    identity_unref(id);
    assert_int_equal(vault_id(p->vault, "chain", part_str("self"), record, NULL), ERR_OK);
    assert_int_equal(vault_get(p->vault, "chain", record, &chain, NULL, NULL), ERR_OK);
    assert_int_equal(vault_lock(p->vault, NULL), ERR_OK);
    assert_int_equal(identity_save(planned, p->vault, NULL), ERR_OK);
    assert_int_equal(vault_put(p->vault, "chain", record, part(chain.data, chain.len), NULL),
                     ERR_OK);
    vault_unlock(p->vault);
    identity_unref(planned);

    p = reopen(s, p, ERR_OK);
    assert_null(p->id->next);
    assert_int_equal(p->id->n_keys, 2);
    assert_int_equal(p->id->chain.n, 2);
    buf_free(&chain);
    profile_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settings_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(registration_can_be_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(pending_can_be_replaced_and_discarded, setup, teardown),
        cmocka_unit_test_setup_teardown(seed_is_forgotten_after_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_private, setup, teardown),
        cmocka_unit_test_setup_teardown(settings_of_somebody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_settings_free_no_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_without_settings_after_a_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(every_record_matters, setup, teardown),
        cmocka_unit_test_setup_teardown(draws_never_repeat_a_number, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_counter_draws_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(next_key_comes_in_time, setup, teardown),
        cmocka_unit_test(a_server_does_not_hold_back_erasing),
        cmocka_unit_test_setup_teardown(old_keys_are_erased_when_nothing_needs_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(old_keys_go_without_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(revoking_a_device_takes_a_new_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_device_that_goes_leaves_the_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(a_recovery_without_room_drops_who_was_out_before, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(promotion_is_finished_after_a_crash, setup, teardown),
    };

    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
