/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <openssl/crypto.h>

enum { HEAP_BYTES = 1 << 20, HEAP_SMALLEST = 32 };

static pthread_mutex_t setup_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool heap_ready;

void secret_guard_process(void)
{
    struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    /* Also keeps other processes of the same user from reading our memory. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)secret_setup();
}

bool secret_setup(void)
{
    bool ready = atomic_load(&heap_ready);

    if (ready)
        return true;
    (void)pthread_mutex_lock(&setup_mutex);
    /* 2 means: works, but could not be locked.  0 also where the program has made a heap itself. */
    ready = CRYPTO_secure_malloc_init(HEAP_BYTES, HEAP_SMALLEST) != 0 ||
            CRYPTO_secure_malloc_initialized() == 1;
    atomic_store(&heap_ready, ready);
    (void)pthread_mutex_unlock(&setup_mutex);
    return ready;
}

int secret_new(struct secret *s, size_t len, struct err *err)
{
    uint8_t *data;

    /* Without it OpenSSL would give ordinary memory, and not say so. */
    if (!secret_setup())
        return err_set(err, ERR_NOMEM, "no memory that is kept out of dumps, for secrets");
    data = OPENSSL_secure_zalloc(len > 0 ? len : 1);
    if (data == NULL)
        return err_set(err, ERR_NOMEM, "no locked memory left for %zu secret bytes", len);
    secret_free(s);
    s->data = data;
    s->len = len;
    return ERR_OK;
}

int secret_copy(struct secret *s, const void *data, size_t len, struct err *err)
{
    struct secret fresh = {0};
    int rc = secret_new(&fresh, len, err);

    if (rc != ERR_OK)
        return rc;
    if (len > 0)
        memcpy(fresh.data, data, len);
    secret_move(s, &fresh);
    return ERR_OK;
}

void secret_free(struct secret *s)
{
    if (s == NULL)
        return;
    OPENSSL_secure_clear_free(s->data, s->len > 0 ? s->len : 1);
    *s = (struct secret){0};
}

void secret_move(struct secret *to, struct secret *from)
{
    struct secret moved = *from;

    *from = (struct secret){0};
    secret_free(to);
    *to = moved;
}

void secret_truncate(struct secret *s, size_t len)
{
    if (len >= s->len)
        return;
    OPENSSL_cleanse(s->data + len, s->len - len);
    s->len = len;
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_wipe(void *p, size_t len)
{
    OPENSSL_cleanse(p, len);
}
