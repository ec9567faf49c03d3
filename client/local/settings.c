/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/settings.h"

#include <stdlib.h>
#include <string.h>

#include "client/local/place.h"
#include "common/config.h"
#include "common/fs.h"

static const char *const states[] = {"pending", "active", NULL};
static const char *const on_off[] = {"on", "off", NULL};

#define DAY_MS       ((uint64_t)24 * 3600 * 1000)
#define LIFETIME     (60 * DAY_MS)
#define LIFETIME_MAX (3660 * DAY_MS)

#define ROW(name, type, field) "profile", name, type, offsetof(struct settings, field)
static const struct config_option options[] = {
    {ROW("state", CONFIG_ENUM, state), 0, 0, states, NULL, true, "How far the registration is"},
    {ROW("server", CONFIG_STRING, server), 1, 280, NULL, NULL, true, "Host and port of the server"},
    {ROW("pin", CONFIG_STRING, pin), 43, 43, NULL, NULL, false, "Pin of the server's key"},
    {ROW("next-pin", CONFIG_STRING, next_pin), 43, 43, NULL, NULL, false,
     "Pin of the key that will replace it"},
    {ROW("ca", CONFIG_STRING, ca_file), 1, 1024, NULL, NULL, false,
     "File of certificate authorities, or system"},
    {ROW("username", CONFIG_STRING, username), 1, 32, NULL, NULL, true, "The user's name"},
    {ROW("user-id", CONFIG_STRING, user_id), 42, 42, NULL, NULL, true, "The user's ID"},
    {ROW("receipts", CONFIG_ENUM, receipts), 0, 0, on_off, "on", false,
     "Are senders told that something was received"},
    {ROW("lifetime", CONFIG_DURATION, lifetime), 0, LIFETIME_MAX, NULL, "60d", false,
     "Longest life of transfers for which old keys are kept"},
};
static const struct config_schema schema = {options, sizeof(options) / sizeof(options[0]),
                                            sizeof(struct settings), NULL};

int settings_read(const char *folder, struct settings *ret, struct err *err)
{
    struct config_report *report = calloc(1, sizeof(*report));
    char *path = fs_join(folder, "settings");
    int rc;

    if (report == NULL || path == NULL)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else
        rc = config_read(&schema, path, ret, report, err);
    if (rc == ERR_INVALID || rc == ERR_TOOLARGE) {
        rc = ERR_CORRUPT;
        if (err != NULL)
            err->code = rc;
        err_hint(err, PLACE_LOST_HINT);
    }
    free(report);
    free(path);
    return rc;
}

int settings_write(const char *folder, const struct settings *s, struct err *err)
{
    struct buf text = {0};
    char *path = fs_join(folder, "settings");
    int rc = path != NULL ? config_dump(&schema, s, false, &text, err)
                          : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK)
        rc = fs_replace(path, text.data, text.len, 0600, err);
    buf_free(&text);
    free(path);
    return rc;
}

int settings_set(char **field, const char *text, struct err *err)
{
    char *copy = text != NULL ? strdup(text) : NULL;

    if (text != NULL && copy == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    free(*field);
    *field = copy;
    return ERR_OK;
}

int settings_copy(const struct settings *s, struct settings *ret, struct err *err)
{
    struct settings copy = {.state = s->state, .receipts = s->receipts, .lifetime = s->lifetime};
    int rc = settings_set(&copy.server, s->server, err);

    if (rc == ERR_OK)
        rc = settings_set(&copy.pin, s->pin, err);
    if (rc == ERR_OK)
        rc = settings_set(&copy.next_pin, s->next_pin, err);
    if (rc == ERR_OK)
        rc = settings_set(&copy.ca_file, s->ca_file, err);
    if (rc == ERR_OK)
        rc = settings_set(&copy.username, s->username, err);
    if (rc == ERR_OK)
        rc = settings_set(&copy.user_id, s->user_id, err);
    if (rc != ERR_OK) {
        settings_free(&copy);
        return rc;
    }
    settings_free(ret);
    *ret = copy;
    return ERR_OK;
}

uint64_t settings_lifetime(const struct settings *s)
{
    return s->lifetime > 0 ? s->lifetime : LIFETIME;
}

void settings_pin_lifetime(struct settings *s, uint64_t max_lifetime)
{
    s->lifetime = max_lifetime < LIFETIME       ? LIFETIME
                  : max_lifetime > LIFETIME_MAX ? LIFETIME_MAX
                                                : max_lifetime;
}

void settings_free(struct settings *s)
{
    config_free(&schema, s);
}
