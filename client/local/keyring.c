/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/keyring.h"

#ifdef SATCHEL_SECRET

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <libsecret/secret.h>

#include "common/crypto/hex.h"

enum {
    ID_TEXT = 2 * VAULT_FILE_ID_LEN + 1,
    KEY_DIGITS = 2 * VAULT_FILE_KEY_LEN,
};

/* libsecret's functions, and those of GLib around them. */
#define FUNCTIONS(X)                                                                               \
    X(secret_service_get_sync)                                                                     \
    X(secret_service_search_sync)                                                                  \
    X(secret_service_store_sync)                                                                   \
    X(secret_service_clear_sync)                                                                   \
    X(secret_collection_for_alias_sync)                                                            \
    X(secret_collection_get_locked)                                                                \
    X(secret_item_get_locked)                                                                      \
    X(secret_item_get_secret)                                                                      \
    X(secret_value_get)                                                                            \
    X(secret_value_new)                                                                            \
    X(secret_value_unref)                                                                          \
    X(g_cancellable_new)                                                                           \
    X(g_cancellable_cancel)                                                                        \
    X(g_error_free)                                                                                \
    X(g_hash_table_insert)                                                                         \
    X(g_hash_table_new)                                                                            \
    X(g_hash_table_unref)                                                                          \
    X(g_list_free_full)                                                                            \
    X(g_object_unref)                                                                              \
    X(g_str_equal)                                                                                 \
    X(g_str_hash)

#define POINTER(name) __typeof__(&(name)) name;

static struct {
    FUNCTIONS(POINTER)
} f;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool there;

/* A name and where its address goes; a function's address as POSIX has dlsym() give it. */
#define ENTRY(name) {#name, (void **)&f.name},

static void load(void)
{
    const struct {
        const char *name;
        void **to;
    } all[] = {FUNCTIONS(ENTRY)};
    void *so = dlopen("libsecret-1.so.0", RTLD_NOW | RTLD_LOCAL);

    there = so != NULL;
    for (size_t i = 0; there && i < sizeof(all) / sizeof(all[0]); i++)
        there = (*all[i].to = dlsym(so, all[i].name)) != NULL;
}

#define LOST                                                                                       \
    "is this the desktop user who registered? else 'satchel profile reset' and 'satchel recover' " \
    "make it anew from the recovery words"

static const SecretSchema schema = {
    .name = "org.satchel.DeviceSecret",
    .flags = SECRET_SCHEMA_NONE,
    .attributes = {{"vault", SECRET_SCHEMA_ATTRIBUTE_STRING}},
};

/* ---- a call, and who ends it when nothing comes ---- */

struct call {
    char id[ID_TEXT];
    GHashTable *attributes;
    GCancellable *stop;
    SecretService *service;
    pthread_t watcher;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool done, late; /* under the mutex */
};

static void *watch(void *cookie)
{
    struct call *c = cookie;
    struct timespec end;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += KEYRING_WAIT_MS / 1000;
    (void)pthread_mutex_lock(&c->mutex);
    while (!c->done && rc != ETIMEDOUT)
        rc = pthread_cond_clockwait(&c->changed, &c->mutex, CLOCK_MONOTONIC, &end);
    c->late = !c->done;
    if (c->late)
        f.g_cancellable_cancel(c->stop);
    (void)pthread_mutex_unlock(&c->mutex);
    return NULL;
}

static int refuse(struct err *err, const char *why, const char *hint)
{
    (void)err_set(err, ERR_IO, "cannot use the device secret in the desktop keyring: %s", why);
    err_hint(err, "%s", hint);
    return ERR_IO;
}

/* What a call has failed with, which is freed. */
static int failed(struct call *c, GError *error, struct err *err)
{
    bool late;

    (void)pthread_mutex_lock(&c->mutex);
    late = c->late;
    (void)pthread_mutex_unlock(&c->mutex);
    (void)refuse(err,
                 late            ? "it does not answer"
                 : error != NULL ? error->message
                                 : "no answer",
                 "log in at the desktop, where the keyring runs, and try again");
    if (error != NULL)
        f.g_error_free(error);
    return ERR_IO;
}

static int locked(struct err *err)
{
    return refuse(err, "the keyring is locked",
                  "unlock it at the desktop (log in, or its program for passwords), and try again");
}

static int connect_service(struct call *c, struct err *err)
{
    GError *error = NULL;

    c->service = f.secret_service_get_sync(SECRET_SERVICE_NONE, c->stop, &error);
    return c->service != NULL ? ERR_OK : failed(c, error, err);
}

static int start(struct call *c, const uint8_t vault[VAULT_FILE_ID_LEN], struct err *err)
{
    static char name[] = "vault";
    const char *bus = getenv("DBUS_SESSION_BUS_ADDRESS");

    (void)pthread_once(&once, load);
    if (!there)
        return refuse(err, "libsecret is not installed", "install it (libsecret-1.so.0)");
    /* GLib would start a bus of its own, where no keyring is. */
    if (bus == NULL || bus[0] == '\0')
        return refuse(err, "there is no session bus here",
                      "run this at the desktop; there 'satchel passphrase --device-secret file' "
                      "moves the secret to a file");
    *c = (struct call){.stop = f.g_cancellable_new()};
    hex_encode(c->id, vault, VAULT_FILE_ID_LEN);
    c->attributes = f.g_hash_table_new(f.g_str_hash, f.g_str_equal);
    (void)f.g_hash_table_insert(c->attributes, name, c->id);
    (void)pthread_mutex_init(&c->mutex, NULL);
    (void)pthread_cond_init(&c->changed, NULL);
    if (pthread_create(&c->watcher, NULL, watch, c) == 0)
        return ERR_OK;
    f.g_hash_table_unref(c->attributes);
    f.g_object_unref(c->stop);
    return err_set(err, ERR_NOMEM, "cannot start a thread");
}

static void end(struct call *c)
{
    (void)pthread_mutex_lock(&c->mutex);
    c->done = true;
    (void)pthread_cond_signal(&c->changed);
    (void)pthread_mutex_unlock(&c->mutex);
    (void)pthread_join(c->watcher, NULL);
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->mutex);
    if (c->service != NULL)
        f.g_object_unref(c->service);
    f.g_hash_table_unref(c->attributes);
    f.g_object_unref(c->stop);
}

/* A call for the item of ${vault}, connected; end() it if this is ERR_OK. */
static int begin(struct call *c, const uint8_t vault[VAULT_FILE_ID_LEN], struct err *err)
{
    int rc = start(c, vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = connect_service(c, err);
    if (rc != ERR_OK)
        end(c);
    return rc;
}

/* ---- storing, reading, removing ---- */

static int take_value(SecretItem *item, struct secret *ret, struct err *err)
{
    SecretValue *value = f.secret_item_get_secret(item);
    struct secret s = {0};
    const char *text = NULL;
    gsize len = 0;
    int rc = secret_new(&s, VAULT_FILE_KEY_LEN, err);

    if (value != NULL)
        text = f.secret_value_get(value, &len);
    if (rc == ERR_OK &&
        (text == NULL || len != KEY_DIGITS || hex_decode(s.data, text, len) != ERR_OK))
        rc = refuse(err, "what is stored there is no device secret", LOST);
    if (rc == ERR_OK)
        secret_move(ret, &s);
    secret_free(&s);
    if (value != NULL)
        f.secret_value_unref(value);
    return rc;
}

/* Storing in a locked keyring, or where there is none, would open a dialog. */
static int check_collection(struct call *c, struct err *err)
{
    GError *error = NULL;
    SecretCollection *to = f.secret_collection_for_alias_sync(
        c->service, SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, c->stop, &error);
    int rc = ERR_OK;

    if (error != NULL)
        return failed(c, error, err);
    if (to == NULL)
        return refuse(err, "there is no default keyring", "make one, or keep the secret in a file");
    if (f.secret_collection_get_locked(to))
        rc = locked(err);
    f.g_object_unref(to);
    return rc;
}

static int read_item(struct call *c, struct secret *ret, struct err *err)
{
    GError *error = NULL;
    GList *items = f.secret_service_search_sync(c->service, &schema, c->attributes,
                                                SECRET_SEARCH_LOAD_SECRETS, c->stop, &error);
    int rc;

    if (error != NULL)
        return failed(c, error, err);
    if (items == NULL) {
        /* A locked keyring may not tell what it has. */
        rc = check_collection(c, err);
        return rc != ERR_OK ? rc : refuse(err, "it does not have this profile's", LOST);
    }
    if (f.secret_item_get_locked(items->data))
        rc = locked(err);
    else
        rc = take_value(items->data, ret, err);
    f.g_list_free_full(items, f.g_object_unref);
    return rc;
}

static int write_item(struct call *c, const struct secret *secret, struct err *err)
{
    struct secret text = {0};
    SecretValue *value;
    GError *error = NULL;
    int rc = secret_new(&text, KEY_DIGITS + 1, err);

    if (rc != ERR_OK)
        return rc;
    hex_encode((char *)text.data, secret->data, secret->len);
    value = f.secret_value_new((char *)text.data, KEY_DIGITS, "text/plain");
    if (!f.secret_service_store_sync(c->service, &schema, c->attributes, SECRET_COLLECTION_DEFAULT,
                                     "Satchel: device secret", value, c->stop, &error))
        rc = failed(c, error, err);
    f.secret_value_unref(value);
    secret_free(&text);
    return rc;
}

int keyring_put(const uint8_t vault[VAULT_FILE_ID_LEN], const struct secret *secret,
                struct err *err)
{
    struct secret stored = {0};
    struct call c;
    int rc = begin(&c, vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = check_collection(&c, err);
    if (rc == ERR_OK)
        rc = write_item(&c, secret, err);
    if (rc == ERR_OK)
        rc = read_item(&c, &stored, err);
    if (rc == ERR_OK && !secret_equal(stored.data, secret->data, secret->len))
        rc = refuse(err, "it gives back another one", "keep the secret in a file");
    end(&c);
    secret_free(&stored);
    return rc;
}

int keyring_get(const uint8_t vault[VAULT_FILE_ID_LEN], struct secret *ret, struct err *err)
{
    struct call c;
    int rc = begin(&c, vault, err);

    if (rc != ERR_OK)
        return rc;
    rc = read_item(&c, ret, err);
    end(&c);
    return rc;
}

void keyring_forget(const uint8_t vault[VAULT_FILE_ID_LEN])
{
    struct call c;

    if (begin(&c, vault, NULL) != ERR_OK)
        return;
    (void)f.secret_service_clear_sync(c.service, &schema, c.attributes, c.stop, NULL);
    end(&c);
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0';
}

bool keyring_at_desktop(void)
{
    return is_set("DBUS_SESSION_BUS_ADDRESS") && (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY"));
}

#else

static int without(struct err *err)
{
    (void)err_set(err, ERR_IO, "this satchel was built without the desktop keyring");
    err_hint(err, "use one that was built with libsecret");
    return ERR_IO;
}

int keyring_put(const uint8_t vault[VAULT_FILE_ID_LEN], const struct secret *secret,
                struct err *err)
{
    (void)vault;
    (void)secret;
    return without(err);
}

int keyring_get(const uint8_t vault[VAULT_FILE_ID_LEN], struct secret *ret, struct err *err)
{
    (void)vault;
    (void)ret;
    return without(err);
}

void keyring_forget(const uint8_t vault[VAULT_FILE_ID_LEN])
{
    (void)vault;
}

bool keyring_at_desktop(void)
{
    return false;
}

#endif
